//! The tensors and keys that a tiny model of each family has.
//!
//! Written from what files of the family hold and apart from the table in `graph`, so that a mistake there is noticed.
//! Called by `tiny`.

use std::f64::consts::TAU;
use std::io;

use super::{CONTEXT_TOKENS, GgufWriter, TinyArchitecture, TinyHead, TinyPositions, TinySpec, count};

use TinyArchitecture::{Gemma2, Gemma3, Granite, Llama, Mistral, Phi3, Qwen2, Qwen3, Starcoder2};

/// Where positions are scaled from, in models that are.
pub(super) const ORIGINAL_TOKENS: u32 = 256;

pub(super) struct TinyTensor {
    pub(super) name: String,
    /// Row length first.
    pub(super) dims: Vec<usize>,
    pub(super) numbers: TinyNumbers,
}

pub(super) enum TinyNumbers {
    /// Drawn with this mean and spread.
    Drawn(f32, f32),
    /// As they are.
    Given(Vec<f32>),
}

impl TinyArchitecture {
    /// The value of `general.architecture`.
    pub fn name(self) -> &'static str {
        match self {
            Llama | Mistral => "llama",
            Qwen2 => "qwen2",
            Qwen3 => "qwen3",
            Gemma2 => "gemma2",
            Gemma3 => "gemma3",
            Phi3 => "phi3",
            Starcoder2 => "starcoder2",
            Granite => "granite",
        }
    }

    fn ties_its_head(self) -> bool {
        matches!(self, Llama | Gemma2 | Gemma3 | Starcoder2 | Granite)
    }

    fn has_windows(self) -> bool {
        matches!(self, Mistral | Gemma2 | Gemma3 | Phi3 | Starcoder2)
    }

    /// True for linears in layers and `bias_in_attention` only.
    fn has_bias(self, linear: &str) -> bool {
        match self {
            Starcoder2 => true,
            Qwen2 => ["attn_q", "attn_k", "attn_v"].contains(&linear),
            _ => false,
        }
    }

    /// Norms of a layer and whether they are as wide as a head.
    fn layer_norms(self) -> &'static [(&'static str, bool)] {
        const PLAIN: &[(&str, bool)] = &[("attn_norm", false), ("ffn_norm", false)];
        const HEADS: &[(&str, bool)] =
            &[("attn_norm", false), ("ffn_norm", false), ("attn_q_norm", true), ("attn_k_norm", true)];
        const AROUND: &[(&str, bool)] =
            &[("attn_norm", false), ("ffn_norm", false), ("post_attention_norm", false), ("post_ffw_norm", false)];
        const BOTH: &[(&str, bool)] = &[
            ("attn_norm", false),
            ("ffn_norm", false),
            ("post_attention_norm", false),
            ("post_ffw_norm", false),
            ("attn_q_norm", true),
            ("attn_k_norm", true),
        ];
        match self {
            Qwen3 => HEADS,
            Gemma2 => AROUND,
            Gemma3 => BOTH,
            Llama | Mistral | Qwen2 | Phi3 | Starcoder2 | Granite => PLAIN,
        }
    }
}

/// A linear: its name, its columns, its rows, and the gain that keeps the stream near 1.
type Matrix = (&'static str, usize, usize, f32);

fn layer_matrices(spec: &TinySpec) -> Vec<Matrix> {
    let (hidden, wide) = (spec.hidden, spec.ff);
    let [query, key] = [spec.heads, spec.kv_heads].map(|heads| heads * spec.head_dim());
    let mut list = match spec.architecture {
        Phi3 => vec![("attn_qkv", hidden, query + 2 * key, 1.25)],
        _ => {
            vec![("attn_q", hidden, query, 1.5), ("attn_k", hidden, key, 1.5), ("attn_v", hidden, key, 1.0)]
        }
    };
    list.push(("attn_output", query, hidden, 1.0));
    match spec.architecture {
        Phi3 => list.push(("ffn_up", hidden, 2 * wide, 1.0)),
        Starcoder2 => list.push(("ffn_up", hidden, wide, 1.0)),
        _ => list.extend([("ffn_gate", hidden, wide, 1.0), ("ffn_up", hidden, wide, 1.0)]),
    }
    list.push(("ffn_down", wide, hidden, 1.0));
    list
}

pub(super) fn tensors(spec: &TinySpec) -> Vec<TinyTensor> {
    let mut list = Vec::new();
    let mut matrix = |name: &str, columns: usize, rows: usize, gain: f32| {
        let name = format!("{name}.weight");
        let numbers = TinyNumbers::Drawn(0.0, gain / (columns as f32).sqrt());
        list.push(TinyTensor { name, dims: vec![columns, rows], numbers });
    };
    let matrices = layer_matrices(spec);
    // Logits a few units wide.
    matrix("token_embd", spec.hidden, spec.vocab, 3.0);
    if spec.has_own_head() {
        matrix("output", spec.hidden, spec.vocab, 3.0);
    }
    for layer in 0..spec.layers {
        for (name, columns, rows, gain) in &matrices {
            matrix(&format!("blk.{layer}.{name}"), *columns, *rows, *gain);
        }
    }
    let mut vector = |name: String, len: usize, mean: f32| {
        list.push(TinyTensor { name, dims: vec![len], numbers: TinyNumbers::Drawn(mean, 0.1) });
    };
    let mut norm = |name: &str, len: usize| {
        vector(format!("{name}.weight"), len, 1.0);
        if spec.architecture == Starcoder2 {
            vector(format!("{name}.bias"), len, 0.0);
        }
    };
    for layer in 0..spec.layers {
        for (name, of_head) in spec.architecture.layer_norms() {
            norm(&format!("blk.{layer}.{name}"), if *of_head { spec.head_dim() } else { spec.hidden });
        }
    }
    norm("output_norm", spec.hidden);
    for layer in 0..spec.layers {
        for (name, _, rows, _) in matrices.iter().filter(|(name, ..)| spec.architecture.has_bias(name)) {
            vector(format!("blk.{layer}.{name}.bias"), *rows, 0.0);
        }
    }
    let pairs = spec.rotated() / 2;
    let mut factors = |name: &str, numbers| list.push(TinyTensor { name: name.to_owned(), dims: vec![pairs], numbers });
    match spec.positions {
        TinyPositions::Factors => factors("rope_freqs.weight", TinyNumbers::Given(llama3_factors(pairs))),
        TinyPositions::LongRope => {
            factors("rope_factors_long.weight", TinyNumbers::Drawn(8.0, 2.0));
            factors("rope_factors_short.weight", TinyNumbers::Drawn(1.5, 0.2));
        }
        TinyPositions::Plain | TinyPositions::Linear | TinyPositions::Dynamic | TinyPositions::Yarn => {}
    }
    list
}

/// Llama 3's scaling by 8 of a model trained with [`ORIGINAL_TOKENS`]: wavelengths up to a quarter of that stay.
fn llama3_factors(pairs: usize) -> Vec<f32> {
    let original = f64::from(ORIGINAL_TOKENS);
    let factor = |pair: usize| {
        let wavelength = TAU * 10_000.0_f64.powf(pair as f64 / pairs as f64);
        let kept = ((original / wavelength - 1.0) / (4.0 - 1.0)).clamp(0.0, 1.0);
        1.0 / (kept + (1.0 - kept) / 8.0)
    };
    (0..pairs).map(|pair| factor(pair) as f32).collect()
}

impl TinySpec {
    /// Width of a head.
    pub(super) fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or(self.hidden / self.heads.max(1))
    }

    /// How much of a head rotates.
    pub(super) fn rotated(&self) -> usize {
        self.rotated.unwrap_or(self.head_dim())
    }

    fn has_own_head(&self) -> bool {
        match self.head {
            TinyHead::OfFamily => !self.architecture.ties_its_head(),
            TinyHead::Tied => false,
            TinyHead::Own => true,
        }
    }
}

/// The keys of the family.
pub(super) fn keys(file: &mut GgufWriter, spec: &TinySpec) -> io::Result<()> {
    let family = spec.architecture;
    file.text("general.architecture", family.name());
    let key = |key: &str| format!("{}.{key}", family.name());
    let sizes = [
        ("block_count", spec.layers),
        ("embedding_length", spec.hidden),
        ("feed_forward_length", spec.ff),
        ("attention.head_count", spec.heads),
        ("attention.head_count_kv", spec.kv_heads),
        ("attention.key_length", spec.head_dim()),
        ("attention.value_length", spec.head_dim()),
        ("rope.dimension_count", spec.rotated()),
    ];
    for (name, size) in sizes {
        file.integer(&key(name), count(size)?);
    }
    file.integer(&key("context_length"), CONTEXT_TOKENS);
    let epsilon = if family == Starcoder2 { "layer_norm_epsilon" } else { "layer_norm_rms_epsilon" };
    // Granite's is so large that a scale of the stream shows in it.
    file.float(&key(&format!("attention.{epsilon}")), if family == Granite { 1e-2 } else { 1e-5 });
    file.float(&key("rope.freq_base"), if family == Gemma3 { 100_000.0 } else { 10_000.0 });
    if family.has_windows() {
        file.integer(&key("attention.sliding_window"), count(spec.window)?);
    }
    // Stronger than real models have them, so that each shows in the logits.
    let floats: &[(&str, f32)] = match family {
        Gemma2 => &[("attn_logit_softcapping", 5.0), ("final_logit_softcapping", 8.0)],
        Granite => &[("embedding_scale", 6.0), ("residual_scale", 0.4), ("attention.scale", 0.2), ("logit_scale", 3.0)],
        _ => &[],
    };
    for (name, number) in floats {
        file.float(&key(name), *number);
    }
    positions(file, spec.positions, &key);
    Ok(())
}

fn positions(file: &mut GgufWriter, positions: TinyPositions, key: &dyn Fn(&str) -> String) {
    let (kind, factor) = match positions {
        TinyPositions::Plain | TinyPositions::Factors => return,
        TinyPositions::Linear => (Some("linear"), Some(2.5)),
        TinyPositions::Dynamic => (Some("dynamic"), Some(2.0)),
        TinyPositions::Yarn => (Some("yarn"), Some(8.0)),
        TinyPositions::LongRope => (None, None),
    };
    if let Some(kind) = kind {
        file.text(&key("rope.scaling.type"), kind);
    }
    if let Some(factor) = factor {
        file.float(&key("rope.scaling.factor"), factor);
    }
    match positions {
        TinyPositions::Yarn => file.integer(&key("rope.scaling.original_context_length"), ORIGINAL_TOKENS),
        TinyPositions::LongRope => {
            file.integer(&key("rope.scaling.original_context_length"), ORIGINAL_TOKENS);
            file.float(&key("rope.scaling.attn_factor"), 1.19);
        }
        _ => {}
    }
}
