//! The table of model families: one row says how a family differs from the plain decoder.
//!
//! A row is all a family is; `graph` holds no family's name. Called by `graph`.
//!
//! # Keys and tensors
//! The names are those of GGUF, with the family's name before each key. Every family reads `block_count`,
//! `embedding_length`, `feed_forward_length`, `context_length`, `attention.head_count`, `attention.head_count_kv`,
//! `attention.key_length`, `attention.value_length`, `rope.dimension_count`, `rope.freq_base` and
//! `attention.layer_norm_rms_epsilon` (`attention.layer_norm_epsilon` where [`Norm::Layer`]), and, where present,
//! `attention.scale` (what queries times keys are multiplied by), `attn_logit_softcapping` and `final_logit_softcapping`.
//! A family with a [`Window`] reads `attention.sliding_window` (0 or absent: none) and
//! `attention.sliding_window_pattern`; one with [`Family::local_base`] reads `rope.freq_base_swa`; one with
//! [`Scales::Keys`] reads `embedding_scale`, `residual_scale` and `logit_scale`.
//!
//! Positions: `rope.scaling.type` is `none`, `linear`, `dynamic` (which GGUF has no name for), `yarn` or `longrope`, and
//! beside it stand `rope.scaling.factor` and `rope.scaling.original_context_length`; for `yarn` also
//! `rope.scaling.yarn_beta_fast`, `rope.scaling.yarn_beta_slow` and `rope.scaling.attn_factor`, which comes on top of the
//! magnitude that follows from the factor. A `longrope` model has the tensors `rope_factors_short.weight` and
//! `rope_factors_long.weight`, and says so by them alone; its `rope.scaling.attn_factor` replaces the magnitude that
//! follows from the lengths. The tensor `rope_freqs.weight` divides frequencies in any model: Llama 3's scaling is there.
//!
//! Tensors of layer N are `blk.N.` and `attn_norm`, `attn_q`, `attn_k`, `attn_v` (or `attn_qkv`), `attn_output`,
//! `ffn_norm`, `ffn_gate`, `ffn_up`, `ffn_down`, with [`HeadNorms::QueryKey`] `attn_q_norm` and `attn_k_norm`, with
//! [`Norms::AroundBlocks`] `post_attention_norm` and `post_ffw_norm`; outside the layers `token_embd`, `output_norm` and
//! `output`. Each ends in `.weight` or `.bias`.

use super::rows::Pairs;
use crate::checkpoint::{Checkpoint, CheckpointError};

/// How a family's files and layers differ.
#[derive(Debug)]
pub(super) struct Family {
    /// The value of `general.architecture`.
    pub(super) name: &'static str,
    /// How the query and key rows of a head are ordered in a GGUF file.
    pub(super) rotary_rows: Pairs,
    pub(super) norm: Norm,
    pub(super) norms: Norms,
    pub(super) head_norms: HeadNorms,
    pub(super) bias: Bias,
    pub(super) qkv: Qkv,
    pub(super) feed_forward: FeedForward,
    pub(super) activation: Activation,
    pub(super) scales: Scales,
    pub(super) window: Window,
    /// The base of rotary positions in layers with a window, where it is another one.
    pub(super) local_base: Option<f64>,
    pub(super) attention_cap: Option<f64>,
    pub(super) logit_cap: Option<f64>,
    /// The one size, known by its layers, whose queries are scaled by the model's width for each head and not by the head's.
    pub(super) layers_scaled_by_width: Option<usize>,
}

/// What a norm computes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Norm {
    /// Divides by the root of the mean square.
    Rms,
    /// Subtracts the mean too, and adds a bias.
    Layer,
}

/// Where the norms of a layer stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Norms {
    /// Before attention and before the feed-forward.
    BeforeBlocks,
    /// Before each and on what each returns.
    AroundBlocks,
}

/// Whether each head's queries and keys are normalised before they rotate.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeadNorms {
    None,
    QueryKey,
}

/// Which linears add a bias.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Bias {
    None,
    Qkv,
    /// All inside the layers.
    All,
}

/// How many tensors hold queries, keys and values.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Qkv {
    Three,
    /// All rows below each other in `attn_qkv`.
    One,
}

/// The shape of the feed-forward.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FeedForward {
    /// `down(activation(gate) * up)`.
    Gated,
    /// The same, with the rows of the gate above those of `ffn_up`.
    GatedInOne,
    /// `down(activation(up))`.
    Plain,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Activation {
    Silu,
    /// The error function's curve by a hyperbolic tangent.
    GeluTanh,
}

/// What the stream and the logits are multiplied by.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scales {
    None,
    /// Embeddings by the root of their width.
    RootOfWidth,
    /// By numbers in the metadata.
    Keys,
}

/// In which layers attention sees only the nearest tokens.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// None; a file that asks for one is refused.
    Never,
    /// All, where the file has a window.
    EveryLayer,
    /// All but the last of so many layers.
    AllButOneIn(usize),
}

const PLAIN: Family = Family {
    name: "llama",
    rotary_rows: Pairs::Together,
    norm: Norm::Rms,
    norms: Norms::BeforeBlocks,
    head_norms: HeadNorms::None,
    bias: Bias::None,
    qkv: Qkv::Three,
    feed_forward: FeedForward::Gated,
    activation: Activation::Silu,
    scales: Scales::None,
    window: Window::EveryLayer,
    local_base: None,
    attention_cap: None,
    logit_cap: None,
    layers_scaled_by_width: None,
};

const GEMMA2: Family = Family {
    name: "gemma2",
    rotary_rows: Pairs::Apart,
    norms: Norms::AroundBlocks,
    activation: Activation::GeluTanh,
    scales: Scales::RootOfWidth,
    window: Window::AllButOneIn(2),
    attention_cap: Some(50.0),
    logit_cap: Some(30.0),
    layers_scaled_by_width: Some(46),
    ..PLAIN
};

static FAMILIES: [Family; 8] = [
    // Mistral's files call themselves llama too.
    PLAIN,
    Family { name: "qwen2", rotary_rows: Pairs::Apart, bias: Bias::Qkv, window: Window::Never, ..PLAIN },
    Family {
        name: "qwen3",
        rotary_rows: Pairs::Apart,
        head_norms: HeadNorms::QueryKey,
        window: Window::Never,
        ..PLAIN
    },
    GEMMA2,
    Family {
        name: "gemma3",
        head_norms: HeadNorms::QueryKey,
        window: Window::AllButOneIn(6),
        local_base: Some(10_000.0),
        attention_cap: None,
        logit_cap: None,
        layers_scaled_by_width: Some(62),
        ..GEMMA2
    },
    Family { name: "phi3", rotary_rows: Pairs::Apart, qkv: Qkv::One, feed_forward: FeedForward::GatedInOne, ..PLAIN },
    Family {
        name: "starcoder2",
        rotary_rows: Pairs::Apart,
        norm: Norm::Layer,
        bias: Bias::All,
        feed_forward: FeedForward::Plain,
        activation: Activation::GeluTanh,
        ..PLAIN
    },
    Family { name: "granite", scales: Scales::Keys, window: Window::Never, ..PLAIN },
];

pub(super) fn of(checkpoint: &Checkpoint) -> Result<&'static Family, CheckpointError> {
    let Some(name) = checkpoint.text("general.architecture") else {
        return Err(checkpoint.broken("it does not say its architecture (general.architecture)".to_owned()));
    };
    FAMILIES.iter().find(|family| family.name == name).ok_or_else(|| {
        let known = FAMILIES.each_ref().map(|family| family.name).join(", ");
        checkpoint.unsupported(format!("architecture {name}, finch builds {known}"))
    })
}
