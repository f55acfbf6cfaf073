//! Writes tiny GGUF files with random weights and a small vocabulary, for tests and benchmarks.
//!
//! The files go through the same importer as real ones, so a test can run the whole chain in milliseconds. What the model
//! says is noise, but the same noise for the same [`TinySpec`]; every id up to the padding is a token of real text.

mod export;
mod hub;
mod layout;
mod vocabulary;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

pub use self::export::{ExportSpec, write_export};
pub use self::hub::{HubSpec, write_hub};
use self::layout::TinyNumbers;
use self::vocabulary::Vocabulary;
pub(crate) use self::writer::GgufWriter;
use crate::gguf::TensorKind;
use crate::quant::{self, BLOCK};

const CONTEXT_TOKENS: u32 = 2048;

/// The families a tiny model can be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TinyArchitecture {
    /// `llama`, with the embedding as its head.
    Llama,
    /// `llama` as Mistral uses it: attention in a window, and a head of its own.
    Mistral,
    /// `qwen2`, with a head of its own and biases in attention.
    Qwen2,
    /// `qwen3`, with norms of heads.
    Qwen3,
    /// `gemma2`, with caps, norms around blocks, and a window in every other layer.
    Gemma2,
    /// `gemma3`, with norms of heads and around blocks, and a window in five of six layers.
    Gemma3,
    /// `phi3`, with matrices in one tensor.
    Phi3,
    /// `starcoder2`, with biases everywhere and no gate.
    Starcoder2,
    /// `granite`, with scales.
    Granite,
}

impl TinyArchitecture {
    /// Each of them.
    pub const ALL: [TinyArchitecture; 9] = [
        TinyArchitecture::Llama,
        TinyArchitecture::Mistral,
        TinyArchitecture::Qwen2,
        TinyArchitecture::Qwen3,
        TinyArchitecture::Gemma2,
        TinyArchitecture::Gemma3,
        TinyArchitecture::Phi3,
        TinyArchitecture::Starcoder2,
        TinyArchitecture::Granite,
    ];
}

/// Whose rows the head of a tiny model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TinyHead {
    /// As most models of the family.
    OfFamily,
    /// Those of the embedding.
    Tied,
    /// Its own.
    Own,
}

/// How a tiny model scales positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TinyPositions {
    /// Not at all.
    Plain,
    /// All divided by a factor.
    Linear,
    /// By a base that follows the length.
    Dynamic,
    /// Each frequency by a factor in a tensor, as in Llama 3.
    Factors,
    /// By the speed of each frequency.
    Yarn,
    /// By one of two tensors of factors, chosen by the length.
    LongRope,
}

/// What kind of vocabulary a tiny model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TinyVocabulary {
    /// Bytes, merged inside words that are cut as usual in the family.
    Bytes,
    /// The same, cut by the rules of this name.
    BytesCutAs(&'static str),
    /// Pieces with scores, as SentencePiece has them.
    Pieces,
}

/// The sizes of a tiny model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TinySpec {
    /// The family.
    pub architecture: TinyArchitecture,
    /// How many layers.
    pub layers: usize,
    /// Width of the residual stream: a multiple of 32.
    pub hidden: usize,
    /// Attention heads.
    pub heads: usize,
    /// Key-value heads; they divide `heads`.
    pub kv_heads: usize,
    /// Width inside the feed-forward: a multiple of 32.
    pub ff: usize,
    /// Token ids: at least [`TinySpec::VOCAB_MIN`].
    pub vocab: usize,
    /// Width of a head: even; otherwise `hidden / heads`.
    pub head_dim: Option<usize>,
    /// How much of a head rotates: even; otherwise all.
    pub rotated: Option<usize>,
    /// Tokens that attention sees, in families with a window.
    pub window: usize,
    /// How positions are scaled.
    pub positions: TinyPositions,
    /// Whose rows the head has.
    pub head: TinyHead,
    /// The kind of its vocabulary.
    pub vocabulary: TinyVocabulary,
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
            head_dim: None,
            rotated: None,
            window: 24,
            positions: TinyPositions::Plain,
            head: TinyHead::OfFamily,
            vocabulary: TinyVocabulary::Bytes,
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
    } else if spec.hidden == 0 || !spec.hidden.is_multiple_of(BLOCK) {
        "hidden is a multiple of 32"
    } else if spec.head_dim() == 0 || !spec.head_dim().is_multiple_of(2) {
        "heads are of an even width"
    } else if spec.rotated() == 0 || spec.rotated() > spec.head_dim() || !spec.rotated().is_multiple_of(2) {
        "an even part of each head rotates"
    } else if spec.tensor_type != TensorKind::F32 && !(spec.heads * spec.head_dim()).is_multiple_of(BLOCK) {
        "heads are together a multiple of 32 wide, where matrices are in blocks"
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

/// The file before it is written, so that tests can change a key or a tensor.
pub(crate) fn model(spec: &TinySpec) -> io::Result<GgufWriter> {
    check(spec)?;
    let mut file = GgufWriter::default();
    metadata(&mut file, spec)?;
    let mut random = Random(spec.seed);
    for tensor in layout::tensors(spec) {
        let len: usize = tensor.dims.iter().product();
        let numbers: Vec<f32> = match tensor.numbers {
            TinyNumbers::Drawn(mean, spread) => (0..len).map(|_| mean + spread * random.next()).collect(),
            TinyNumbers::Given(numbers) => numbers,
        };
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
    layout::keys(file, spec)?;
    file.text("general.license", "mit");
    let vocabulary = match spec.vocabulary {
        TinyVocabulary::Bytes | TinyVocabulary::BytesCutAs(_) => Vocabulary::of(spec.vocab),
        TinyVocabulary::Pieces => Vocabulary::of_pieces(spec.vocab),
    };
    file.texts("tokenizer.ggml.tokens", &vocabulary.tokens);
    file.integers("tokenizer.ggml.token_type", &vocabulary.kinds);
    match spec.vocabulary {
        TinyVocabulary::Bytes | TinyVocabulary::BytesCutAs(_) => {
            let pre = match (spec.vocabulary, spec.architecture) {
                (TinyVocabulary::BytesCutAs(pre), _) => pre,
                (_, TinyArchitecture::Llama) => "smollm",
                (_, _) => "qwen2",
            };
            file.text("tokenizer.ggml.model", "gpt2");
            file.text("tokenizer.ggml.pre", pre);
            file.texts("tokenizer.ggml.merges", &vocabulary.merges);
        }
        TinyVocabulary::Pieces => {
            file.text("tokenizer.ggml.model", "llama");
            file.floats("tokenizer.ggml.scores", &vocabulary.scores);
            file.integer("tokenizer.ggml.bos_token_id", 1);
            file.integer("tokenizer.ggml.unknown_token_id", 0);
        }
    }
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
