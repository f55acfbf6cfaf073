//! Writes tiny GGUF files with random weights and a small vocabulary, for tests and benchmarks.
//!
//! The files go through the same importer as real ones, so a test can run the whole chain in milliseconds. What the model
//! says is noise, but the same noise for the same [`TinySpec`]; every id up to the padding is a token of real text.

mod vocabulary;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

pub(crate) use self::writer::GgufWriter;
use crate::gguf::TensorKind;
use crate::quant::{self, BLOCK};

const CONTEXT_TOKENS: u32 = 2048;

/// The families a tiny model can be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TinyArchitecture {
    /// `llama`, with the embedding as its head.
    Llama,
    /// `qwen2`, with a head of its own and biases in attention.
    Qwen2,
}

/// The sizes of a tiny model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TinySpec {
    /// The family.
    pub architecture: TinyArchitecture,
    /// How many layers.
    pub layers: usize,
    /// Width of the residual stream: a multiple of 32, and of `16 * heads`.
    pub hidden: usize,
    /// Attention heads.
    pub heads: usize,
    /// Key-value heads; they divide `heads`.
    pub kv_heads: usize,
    /// Width inside the feed-forward: a multiple of 32.
    pub ff: usize,
    /// Token ids: at least [`TinySpec::VOCAB_MIN`].
    pub vocab: usize,
    /// What the weights are drawn from.
    pub seed: u64,
    /// How matrices are stored: `F32`, `Q8_0` or `Q4_0`.
    pub tensor_type: TensorKind,
}

impl TinySpec {
    /// The bytes and the tokens with a meaning of their own.
    pub const VOCAB_MIN: usize = vocabulary::MIN;
}

impl Default for TinySpec {
    fn default() -> Self {
        Self {
            architecture: TinyArchitecture::Llama,
            layers: 2,
            hidden: 64,
            heads: 4,
            kv_heads: 2,
            ff: 96,
            vocab: 512,
            seed: 1,
            tensor_type: TensorKind::F32,
        }
    }
}

/// Writes the model of `spec` to `path`.
pub fn write_tiny_gguf(path: &Path, spec: TinySpec) -> io::Result<()> {
    let model = model(&spec)?;
    let mut out = BufWriter::new(File::create(path)?);
    out.write_all(&model.into_bytes())?;
    out.flush()
}

fn check(spec: &TinySpec) -> io::Result<()> {
    let wrong = if spec.layers == 0 || spec.heads == 0 || spec.kv_heads == 0 {
        "layers, heads and kv_heads are at least 1"
    } else if spec.hidden == 0 || !spec.hidden.is_multiple_of(BLOCK) || !spec.hidden.is_multiple_of(16 * spec.heads) {
        "hidden is a multiple of 32 and of 16 times heads"
    } else if !spec.heads.is_multiple_of(spec.kv_heads) {
        "kv_heads divides heads"
    } else if spec.ff == 0 || !spec.ff.is_multiple_of(BLOCK) {
        "ff is a multiple of 32"
    } else if spec.vocab < TinySpec::VOCAB_MIN {
        "vocab is at least TinySpec::VOCAB_MIN"
    } else if !matches!(spec.tensor_type, TensorKind::F32 | TensorKind::Q8_0 | TensorKind::Q4_0) {
        "tensor_type is F32, Q8_0 or Q4_0"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, wrong))
}

struct TinyTensor {
    name: String,
    /// Row length first.
    dims: Vec<usize>,
    /// Mean and spread of its numbers.
    mean: f32,
    spread: f32,
}

fn tensors(spec: &TinySpec) -> Vec<TinyTensor> {
    let head_dim = spec.hidden / spec.heads;
    let mut list = Vec::new();
    // Spreads that keep the stream near 1 and the logits a few units wide.
    let mut matrix = |name: String, columns: usize, rows: usize, gain: f32| {
        list.push(TinyTensor { name, dims: vec![columns, rows], mean: 0.0, spread: gain / (columns as f32).sqrt() });
    };
    matrix("token_embd.weight".to_owned(), spec.hidden, spec.vocab, 3.0);
    if spec.architecture == TinyArchitecture::Qwen2 {
        matrix("output.weight".to_owned(), spec.hidden, spec.vocab, 3.0);
    }
    for layer in 0..spec.layers {
        let name = |name: &str| format!("blk.{layer}.{name}.weight");
        matrix(name("attn_q"), spec.hidden, spec.heads * head_dim, 1.5);
        matrix(name("attn_k"), spec.hidden, spec.kv_heads * head_dim, 1.5);
        matrix(name("attn_v"), spec.hidden, spec.kv_heads * head_dim, 1.0);
        matrix(name("attn_output"), spec.heads * head_dim, spec.hidden, 1.0);
        matrix(name("ffn_gate"), spec.hidden, spec.ff, 1.0);
        matrix(name("ffn_up"), spec.hidden, spec.ff, 1.0);
        matrix(name("ffn_down"), spec.ff, spec.hidden, 1.0);
    }
    let mut vector = |name: String, len: usize, mean: f32| {
        list.push(TinyTensor { name, dims: vec![len], mean, spread: 0.1 });
    };
    for layer in 0..spec.layers {
        vector(format!("blk.{layer}.attn_norm.weight"), spec.hidden, 1.0);
        vector(format!("blk.{layer}.ffn_norm.weight"), spec.hidden, 1.0);
        if spec.architecture == TinyArchitecture::Qwen2 {
            for (part, heads) in [("q", spec.heads), ("k", spec.kv_heads), ("v", spec.kv_heads)] {
                vector(format!("blk.{layer}.attn_{part}.bias"), heads * head_dim, 0.0);
            }
        }
    }
    vector("output_norm.weight".to_owned(), spec.hidden, 1.0);
    list
}

/// The file before it is written, so that tests can change a key or a tensor.
pub(crate) fn model(spec: &TinySpec) -> io::Result<GgufWriter> {
    check(spec)?;
    let mut file = GgufWriter::default();
    metadata(&mut file, spec)?;
    let mut random = Random(spec.seed);
    for tensor in tensors(spec) {
        let len: usize = tensor.dims.iter().product();
        let numbers: Vec<f32> = (0..len).map(|_| tensor.mean + tensor.spread * random.next()).collect();
        let kind = if tensor.dims.len() == 1 { TensorKind::F32 } else { spec.tensor_type };
        file.tensor(&tensor.name, &tensor.dims, kind, encode(kind, &numbers));
    }
    Ok(file)
}

fn encode(kind: TensorKind, numbers: &[f32]) -> Vec<u8> {
    let blocks = numbers.as_chunks::<BLOCK>().0;
    match kind {
        TensorKind::Q4_0 => blocks.iter().flat_map(quant::q4_zero_block).collect(),
        TensorKind::Q8_0 => blocks.iter().flat_map(quant::q8_zero_block).collect(),
        _ => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
    }
}

fn metadata(file: &mut GgufWriter, spec: &TinySpec) -> io::Result<()> {
    let (architecture, pre) = match spec.architecture {
        TinyArchitecture::Llama => ("llama", "smollm"),
        TinyArchitecture::Qwen2 => ("qwen2", "qwen2"),
    };
    file.text("general.architecture", architecture);
    file.text("general.license", "mit");
    let sizes = [
        ("block_count", spec.layers),
        ("embedding_length", spec.hidden),
        ("feed_forward_length", spec.ff),
        ("attention.head_count", spec.heads),
        ("attention.head_count_kv", spec.kv_heads),
    ];
    for (key, size) in sizes {
        file.integer(&format!("{architecture}.{key}"), count(size)?);
    }
    file.integer(&format!("{architecture}.context_length"), CONTEXT_TOKENS);
    file.float(&format!("{architecture}.attention.layer_norm_rms_epsilon"), 1e-5);
    file.float(&format!("{architecture}.rope.freq_base"), 10_000.0);
    let vocabulary = vocabulary::Vocabulary::of(spec.vocab);
    file.text("tokenizer.ggml.model", "gpt2");
    file.text("tokenizer.ggml.pre", pre);
    file.texts("tokenizer.ggml.tokens", &vocabulary.tokens);
    file.integers("tokenizer.ggml.token_type", &vocabulary.kinds);
    file.texts("tokenizer.ggml.merges", &vocabulary.merges);
    file.integer("tokenizer.ggml.eos_token_id", count(vocabulary.end_of_text)?);
    Ok(())
}

fn count(size: usize) -> io::Result<u32> {
    u32::try_from(size).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "not a tiny model"))
}

/// SplitMix64: one multiply-and-shift sequence for each seed, the same everywhere.
struct Random(u64);

impl Random {
    /// Mean 0, variance 1, evenly spread.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let unit = (bits >> 40) as f32 / (1 << 24) as f32;
        (unit * 2.0 - 1.0) * 3.0_f32.sqrt()
    }
}
