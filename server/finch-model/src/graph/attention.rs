//! Attention: from the normalised stream to what is added to it.
//!
//! One packed linear, the attention operator, one linear. Families differ by norms of heads, windows, caps and tables.
//! Part of `graph`'s decoder.

use super::builder::Linear;
use super::family::{Bias, HeadNorms, Qkv};
use super::policy::Slot;
use super::rows::{Part, RowOrder};
use super::{Graph, integer};
use crate::checkpoint::CheckpointError;
use crate::onnx::{Attribute, MICROSOFT};

/// A shape that puts heads on an axis of their own, and one that takes the axis away.
const HEADS_APART: &str = "heads_apart";
const HEADS_TOGETHER: &str = "heads_together";
const QKV_WIDTHS: &str = "qkv_widths";

impl Graph<'_> {
    /// The constants that attention shares between layers.
    pub(super) fn attention_constants(&mut self) {
        let shape = &self.decoder.shape;
        let signed = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
        let [query, key, built, stored] =
            [shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim, shape.head_dim, self.decoder.head.dim]
                .map(signed);
        let (normed, widened) = (self.family.head_norms == HeadNorms::QueryKey, built != stored);
        if normed {
            self.build.constant(QKV_WIDTHS, &[query, key, key]);
        }
        if normed || widened {
            self.build.constant(HEADS_APART, &[0, 0, -1, built]);
            self.build.constant(HEADS_TOGETHER, &[0, 0, -1]);
        }
        if widened {
            self.build.constant("head_from", &[0]);
            self.build.constant("head_until", &[stored]);
            self.build.constant("head_axis", &[3]);
        }
    }

    pub(super) fn attention(&mut self, layer: usize, normed: &str) -> Result<String, CheckpointError> {
        let shape = &self.decoder.shape;
        let prefix = format!("blk.{layer}");
        let packed = self.build.linear(Linear {
            name: format!("{prefix}.attn_qkv"),
            parts: self.qkv_parts(&prefix),
            columns: shape.hidden,
            bias: self.family.bias != Bias::None,
            slot: Slot::Layer,
            input: normed,
        })?;
        let [query, key, value] = match self.family.head_norms {
            HeadNorms::None => [packed, String::new(), String::new()],
            HeadNorms::QueryKey => self.normed_heads(&prefix, &packed)?,
        };
        let attended = format!("{prefix}.attn");
        let past = ["key", "value"].map(|part| format!("past_key_values.{layer}.{part}"));
        let present = ["key", "value"].map(|part| format!("present.{layer}.{part}"));
        let numbers = &self.decoder.attention;
        let window = numbers.window(layer);
        let [cosines, sines] = match (window, &self.decoder.local_rotary) {
            (Some(_), Some(_)) => ["rotary.local.cos", "rotary.local.sin"],
            _ => ["rotary.cos", "rotary.sin"],
        };
        let inputs = [&query, &key, &value, &past[0], &past[1], "seqlens_k", "total_len", cosines, sines];
        let mut attributes = vec![
            ("num_heads", integer(shape.heads)),
            ("kv_num_heads", integer(shape.kv_heads)),
            ("scale", Attribute::Float(numbers.scale)),
            ("do_rotary", Attribute::Integer(1)),
            ("rotary_interleaved", Attribute::Integer(0)),
        ];
        attributes.extend(numbers.cap.map(|cap| ("softcap", Attribute::Float(cap))));
        let narrower = window.filter(|window| *window < shape.context_tokens_max);
        attributes.extend(narrower.map(|window| ("local_window_size", integer(window))));
        let outputs = [attended.as_str(), &present[0], &present[1]];
        self.build.node("GroupQueryAttention", MICROSOFT, &inputs, &outputs, &attributes);
        let attended = self.narrow_heads(attended);
        let width = shape.heads * self.decoder.head.dim;
        self.layer_linear(format!("{prefix}.attn_output"), shape.hidden, width, &attended)
    }

    /// The rows of queries, keys and values below each other, each tensor with the rows it has.
    fn qkv_parts(&self, prefix: &str) -> Vec<(Part, usize)> {
        let shape = &self.decoder.shape;
        let (rotated, plain) = (self.decoder.head.order(), self.decoder.value_head.order());
        let projections: [(_, RowOrder, _); 3] =
            [("attn_q", rotated, shape.heads), ("attn_k", rotated, shape.kv_heads), ("attn_v", plain, shape.kv_heads)];
        let stored = |heads: usize| heads * self.decoder.head.dim;
        let all: usize = projections.iter().map(|(_, _, heads)| stored(*heads)).sum();
        let mut above = 0;
        let part = |(name, order, heads): (&str, RowOrder, usize)| {
            let rows = heads * shape.head_dim;
            let (tensor, first, tensor_rows) = match self.family.qkv {
                Qkv::Three => (format!("{prefix}.{name}"), 0, stored(heads)),
                Qkv::One => (format!("{prefix}.attn_qkv"), above, all),
            };
            above += stored(heads);
            (Part { tensor, first, rows, order }, tensor_rows)
        };
        projections.into_iter().map(part).collect()
    }

    /// Queries, keys and values apart, the first two normalised head by head.
    fn normed_heads(&mut self, prefix: &str, packed: &str) -> Result<[String; 3], CheckpointError> {
        let [query, key, value] = ["q", "k", "v"].map(|part| format!("{prefix}.attn_qkv.{part}"));
        self.build.node("Split", "", &[packed, QKV_WIDTHS], &[&query, &key, &value], &[("axis", integer(2))]);
        let query = self.normed_head(&query, &format!("{prefix}.attn_q_norm.weight"))?;
        let key = self.normed_head(&key, &format!("{prefix}.attn_k_norm.weight"))?;
        Ok([query, key, value])
    }

    fn normed_head(&mut self, heads: &str, weight: &str) -> Result<String, CheckpointError> {
        let head = self.decoder.head;
        let [apart, normed, together] = ["apart", "normed", "together"].map(|step| format!("{heads}.{step}"));
        self.build.node("Reshape", "", &[heads, HEADS_APART], &[&apart], &[]);
        // The mean over a widened head counts its zeros; weight and epsilon make up for them.
        let share = head.dim as f32 / head.built() as f32;
        let weight = self.build.head_vector(weight, head, share.sqrt())?;
        let attributes = [
            ("axis", Attribute::Integer(-1)),
            ("epsilon", Attribute::Float(self.decoder.norm_epsilon * share)),
            ("stash_type", Attribute::Integer(1)),
        ];
        self.build.node("SimplifiedLayerNormalization", "", &[&apart, &weight], &[&normed], &attributes);
        self.build.node("Reshape", "", &[&normed, HEADS_TOGETHER], &[&together], &[]);
        Ok(together)
    }

    /// Takes the zeros of widened heads away.
    fn narrow_heads(&mut self, attended: String) -> String {
        let head = self.decoder.head;
        if head.built() == head.dim {
            return attended;
        }
        let [apart, narrow, together] = ["apart", "narrow", "together"].map(|step| format!("{attended}.{step}"));
        self.build.node("Reshape", "", &[&attended, HEADS_APART], &[&apart], &[]);
        self.build.node("Slice", "", &[&apart, "head_from", "head_until", "head_axis"], &[&narrow], &[]);
        self.build.node("Reshape", "", &[&narrow, HEADS_TOGETHER], &[&together], &[]);
        together
    }
}
