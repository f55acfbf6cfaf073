//! Reads the sizes of a decoder from the metadata and refuses what the graph cannot express.
//!
//! After this every size is within the bounds of `limits` and fits the others. Knows the metadata keys, not the tensors.
//! Called by `graph`.

use super::family::Family;
use super::rotary::Rotary;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::limits;
use crate::manifest::Shape;

/// The sizes and constants of one decoder.
#[derive(Debug)]
pub(super) struct Decoder {
    pub(super) shape: Shape,
    pub(super) feed_forward: usize,
    pub(super) norm_epsilon: f32,
    pub(super) rotary: Rotary,
}

impl Decoder {
    pub(super) fn read(
        checkpoint: &Checkpoint,
        family: &Family,
        context_tokens_max: usize,
    ) -> Result<Decoder, CheckpointError> {
        let keys = Keys { checkpoint, prefix: family.name };
        keys.refuse_unsupported()?;
        let hidden = keys.size("embedding_length", limits::HIDDEN_MAX)?;
        let heads = keys.size("attention.head_count", limits::HEADS_MAX)?;
        let kv_heads = keys.size_or("attention.head_count_kv", limits::HEADS_MAX, heads)?;
        let head_dim = keys.head_dim(hidden, heads)?;
        if !heads.is_multiple_of(kv_heads) {
            return Err(checkpoint.broken(format!("{heads} heads cannot share {kv_heads} key-value heads evenly")));
        }
        let trained = keys.size("context_length", limits::CONTEXT_TOKENS_MAX)?;
        let positions = trained.min(context_tokens_max.clamp(1, limits::ROTARY_POSITIONS_MAX));
        let vocab = match checkpoint.tensor("token_embd.weight").map(|tensor| tensor.rows()) {
            Some(rows) if rows <= limits::VOCAB_MAX => rows,
            Some(rows) => return Err(checkpoint.broken(format!("{rows} token embeddings"))),
            None => return Err(checkpoint.broken("it has no tensor token_embd.weight".to_owned())),
        };
        let layers = keys.size("block_count", limits::LAYERS_MAX)?;
        Ok(Decoder {
            shape: Shape { layers, heads, kv_heads, head_dim, hidden, vocab, context_tokens_max: positions },
            feed_forward: keys.size("feed_forward_length", limits::HIDDEN_MAX)?,
            norm_epsilon: keys.float("attention.layer_norm_rms_epsilon")? as f32,
            rotary: keys.rotary(head_dim, positions)?,
        })
    }
}

struct Keys<'a> {
    checkpoint: &'a Checkpoint,
    prefix: &'static str,
}

impl Keys<'_> {
    fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.prefix)
    }

    fn has(&self, name: &str) -> bool {
        self.checkpoint.keys().any(|key| key == name)
    }

    fn size(&self, key: &str, max: usize) -> Result<usize, CheckpointError> {
        let name = self.name(key);
        if !self.has(&name) {
            return Err(self.checkpoint.broken(format!("it has no {name}")));
        }
        let size = self.checkpoint.number(&name).and_then(|size| usize::try_from(size).ok());
        size.filter(|size| (1..=max).contains(size))
            .ok_or_else(|| self.checkpoint.unsupported(format!("{name} is not one whole number from 1 to {max}")))
    }

    fn size_or(&self, key: &str, max: usize, default: usize) -> Result<usize, CheckpointError> {
        if self.has(&self.name(key)) { self.size(key, max) } else { Ok(default) }
    }

    fn float(&self, key: &str) -> Result<f64, CheckpointError> {
        let name = self.name(key);
        match self.checkpoint.float(&name) {
            Some(number) if number.is_finite() && number > 0.0 => Ok(number),
            _ => Err(self.checkpoint.broken(format!("{name} is not a positive number"))),
        }
    }

    fn float_or(&self, key: &str, default: f64) -> Result<f64, CheckpointError> {
        if self.has(&self.name(key)) { self.float(key) } else { Ok(default) }
    }

    /// Features that would change what the graph computes, and that it has no nodes for.
    fn refuse_unsupported(&self) -> Result<(), CheckpointError> {
        let experts = self.checkpoint.number(&self.name("expert_count")).unwrap_or(0);
        if experts > 0 {
            return Err(self.checkpoint.unsupported(format!("a mixture of {experts} experts")));
        }
        if self.has(&self.name("attention.sliding_window")) {
            return Err(self.checkpoint.unsupported("attention over a sliding window".to_owned()));
        }
        Ok(())
    }

    fn head_dim(&self, hidden: usize, heads: usize) -> Result<usize, CheckpointError> {
        let head_dim = self.size_or("attention.key_length", limits::HEAD_DIM_MAX, hidden / heads)?;
        let value_dim = self.size_or("attention.value_length", limits::HEAD_DIM_MAX, head_dim)?;
        let rotated = self.size_or("rope.dimension_count", limits::HEAD_DIM_MAX, head_dim)?;
        if value_dim != head_dim || rotated != head_dim {
            let dims = format!("keys of {head_dim}, values of {value_dim} and {rotated} rotated dimensions to a head");
            return Err(self.checkpoint.unsupported(dims));
        }
        // The attention operator rotates inside only for such heads.
        if head_dim == 0 || !head_dim.is_multiple_of(16) {
            return Err(self.checkpoint.unsupported(format!("heads of {head_dim}, which is not a multiple of 16")));
        }
        Ok(head_dim)
    }

    fn rotary(&self, head_dim: usize, positions: usize) -> Result<Rotary, CheckpointError> {
        let name = self.name("rope.scaling.type");
        let stretch = match self.checkpoint.text(&name) {
            None if self.has(&name) => return Err(self.checkpoint.broken(format!("{name} is not text"))),
            None | Some("none") => 1.0,
            Some("linear") => self.float("rope.scaling.factor")?,
            Some(other) => return Err(self.checkpoint.unsupported(format!("rotary scaling {other}"))),
        };
        let base = self.float_or("rope.freq_base", 10_000.0)?;
        Ok(Rotary { head_dim, positions, base, stretch, factors: self.rotary_factors(head_dim / 2)? })
    }

    fn rotary_factors(&self, count: usize) -> Result<Vec<f32>, CheckpointError> {
        let Some(tensor) = self.checkpoint.tensor(super::rotary::FACTORS) else {
            return Ok(Vec::new());
        };
        if tensor.dims() != [count] {
            return Err(self.checkpoint.broken(format!("tensor {} is not {count} numbers", tensor.name())));
        }
        let factors = tensor.numbers();
        if factors.iter().any(|factor| !factor.is_finite() || *factor <= 0.0) {
            return Err(self.checkpoint.broken(format!("tensor {} has factors that are not positive", tensor.name())));
        }
        Ok(factors)
    }
}
