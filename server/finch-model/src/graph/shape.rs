//! Reads the sizes of a decoder from the metadata and refuses what the graph cannot express.
//!
//! After this every size is within the bounds of `limits` and fits the others. Knows the metadata keys, not the tensors.
//! Called by `graph`.

use super::family::{Family, Norm, Scales, Window};
use super::keys::Keys;
use super::positions;
use super::rotary::Rotary;
use super::rows::{Head, Pairs};
use crate::checkpoint::{Checkpoint, CheckpointError, RowConvention};
use crate::limits;
use crate::manifest::Shape;

/// What the attention operator wants the heads and the rotating pairs of a head to be multiples of.
const HEAD_STEP: usize = 16;
const PAIRS_STEP: usize = 8;

/// The sizes and constants of one decoder.
#[derive(Debug)]
pub(super) struct Decoder {
    /// Heads are as wide as the graph has them.
    pub(super) shape: Shape,
    /// How the rows of queries and keys are laid out.
    pub(super) head: Head,
    /// The same of values, which do not rotate.
    pub(super) value_head: Head,
    pub(super) feed_forward: usize,
    pub(super) norm_epsilon: f32,
    pub(super) rotary: Rotary,
    /// Of layers with a window, where it is another.
    pub(super) local_rotary: Option<Rotary>,
    pub(super) attention: AttentionNumbers,
    /// What embeddings are multiplied by.
    pub(super) embedding_scale: Option<f32>,
    /// What the stream is multiplied by before the head.
    pub(super) head_scale: Option<f32>,
    /// Logits are bent to stay below this.
    pub(super) logit_cap: Option<f32>,
}

/// The constants of attention.
#[derive(Debug)]
pub(super) struct AttentionNumbers {
    pub(super) scale: f32,
    /// Products are bent to stay below this.
    pub(super) cap: Option<f32>,
    /// How many tokens a layer with a window sees, itself included.
    window: Option<usize>,
    /// Every layer whose number is a multiple of this sees everything, counted from one.
    global_every: usize,
}

impl AttentionNumbers {
    /// The window of a layer; none where it sees everything.
    pub(super) fn window(&self, layer: usize) -> Option<usize> {
        self.window.filter(|_| !(layer + 1).is_multiple_of(self.global_every))
    }
}

impl Decoder {
    pub(super) fn read(
        checkpoint: &Checkpoint,
        family: &'static Family,
        context_tokens_max: usize,
    ) -> Result<Decoder, CheckpointError> {
        let keys = Keys { checkpoint, family };
        refuse_experts(&keys)?;
        let hidden = keys.size("embedding_length", limits::HIDDEN_MAX)?;
        let heads = keys.size("attention.head_count", limits::HEADS_MAX)?;
        let kv_heads = keys.size_or("attention.head_count_kv", limits::HEADS_MAX, heads)?;
        if !heads.is_multiple_of(kv_heads) {
            return Err(checkpoint.broken(format!("{heads} heads cannot share {kv_heads} key-value heads evenly")));
        }
        let head = read_head(&keys, hidden / heads)?;
        let rotary = positions::read(&keys, head.pairs, head.built_pairs, context_tokens_max)?;
        let vocab = match checkpoint.tensor("token_embd.weight").map(|tensor| tensor.rows()) {
            Some(rows) if rows <= limits::VOCAB_MAX => rows,
            Some(rows) => return Err(checkpoint.broken(format!("{rows} token embeddings"))),
            None => return Err(checkpoint.broken("it has no tensor token_embd.weight".to_owned())),
        };
        let layers = keys.size("block_count", limits::LAYERS_MAX)?;
        let context_tokens_max = rotary.positions;
        let shape = Shape { layers, heads, kv_heads, head_dim: head.built(), hidden, vocab, context_tokens_max };
        let attention = read_attention(&keys, &shape, head.dim)?;
        let scales = read_scales(&keys, hidden)?;
        let logit_cap = keys.float_if("final_logit_softcapping")?.or(family.logit_cap);
        let local = family.local_base.filter(|_| attention.window.is_some());
        let epsilon = keys.float(match family.norm {
            Norm::Rms => "attention.layer_norm_rms_epsilon",
            Norm::Layer => "attention.layer_norm_epsilon",
        })?;
        let rest = head.built();
        Ok(Decoder {
            shape,
            head,
            value_head: Head { dim: head.dim, pairs: 0, stored: Pairs::Apart, built_pairs: 0, built_rest: rest },
            feed_forward: keys.size("feed_forward_length", limits::HIDDEN_MAX)?,
            norm_epsilon: (epsilon / (scales.residual * scales.residual)) as f32,
            local_rotary: local.map(|base| positions::local(&keys, base, &rotary)).transpose()?,
            rotary,
            attention,
            embedding_scale: other_than_one(scales.embedding / scales.residual),
            head_scale: other_than_one(1.0 / (scales.logit * logit_cap.unwrap_or(1.0))),
            logit_cap: logit_cap.map(|cap| cap as f32),
        })
    }
}

/// What embeddings, the output of each block and logits (these divided) are scaled by.
///
/// A norm does not feel the scale of the stream, so the stream is kept divided by the scale of the blocks, epsilons by its
/// square, and no block is scaled.
struct StreamScales {
    embedding: f64,
    residual: f64,
    logit: f64,
}

fn read_scales(keys: &Keys<'_>, hidden: usize) -> Result<StreamScales, CheckpointError> {
    Ok(match keys.family.scales {
        Scales::None => StreamScales { embedding: 1.0, residual: 1.0, logit: 1.0 },
        Scales::RootOfWidth => StreamScales { embedding: (hidden as f64).sqrt(), residual: 1.0, logit: 1.0 },
        Scales::Keys => StreamScales {
            embedding: keys.float_or("embedding_scale", 1.0)?,
            residual: keys.float_or("residual_scale", 1.0)?,
            logit: keys.float_or("logit_scale", 1.0)?,
        },
    })
}

fn other_than_one(scale: f64) -> Option<f32> {
    Some(scale as f32).filter(|scale| *scale != 1.0)
}

/// Features that would change what the graph computes, and that it has no nodes for.
fn refuse_experts(keys: &Keys<'_>) -> Result<(), CheckpointError> {
    match keys.checkpoint.number(&keys.name("expert_count")) {
        None | Some(0) => Ok(()),
        Some(experts) => Err(keys.checkpoint.unsupported(format!("a mixture of {experts} experts"))),
    }
}

fn read_head(keys: &Keys<'_>, width: usize) -> Result<Head, CheckpointError> {
    let dim = keys.size_or("attention.key_length", limits::HEAD_DIM_MAX, width)?;
    let value_dim = keys.size_or("attention.value_length", limits::HEAD_DIM_MAX, dim)?;
    let rotated = keys.size_or("rope.dimension_count", limits::HEAD_DIM_MAX, dim)?;
    if dim != value_dim || rotated > dim || !rotated.is_multiple_of(2) || !(1..=limits::HEAD_DIM_MAX).contains(&dim) {
        let dims = format!("keys of {dim}, values of {value_dim} and {rotated} rotated dimensions to a head");
        return Err(keys.checkpoint.unsupported(dims));
    }
    let pairs = rotated / 2;
    let stored = match keys.checkpoint.rows() {
        RowConvention::Gguf => keys.family.rotary_rows,
        RowConvention::HalfApart => Pairs::Apart,
    };
    let built_pairs = pairs.next_multiple_of(PAIRS_STEP);
    let built = (2 * built_pairs + dim - rotated).next_multiple_of(HEAD_STEP);
    Ok(Head { dim, pairs, stored, built_pairs, built_rest: built - 2 * built_pairs })
}

fn read_attention(keys: &Keys<'_>, shape: &Shape, head_dim: usize) -> Result<AttentionNumbers, CheckpointError> {
    let by_width = keys.family.layers_scaled_by_width == Some(shape.layers);
    let scaled_by = if by_width { shape.hidden / shape.heads } else { head_dim };
    let scale = keys.float_or("attention.scale", (scaled_by as f64).sqrt().recip())? as f32;
    let cap = keys.float_if("attn_logit_softcapping")?.or(keys.family.attention_cap).map(|cap| cap as f32);
    let name = keys.name("attention.sliding_window");
    let window = match keys.checkpoint.number(&name) {
        Some(0) => None,
        None if !keys.has("attention.sliding_window") => None,
        Some(window) => usize::try_from(window).ok(),
        None => return Err(keys.checkpoint.broken(format!("{name} is not one whole number"))),
    };
    let global_every = match keys.family.window {
        Window::Never if window.is_some() => {
            return Err(keys.checkpoint.unsupported("attention over a sliding window".to_owned()));
        }
        Window::Never | Window::EveryLayer => usize::MAX,
        Window::AllButOneIn(layers) => keys.size_or("attention.sliding_window_pattern", limits::LAYERS_MAX, layers)?,
    };
    Ok(AttentionNumbers { scale, cap, window, global_every })
}
