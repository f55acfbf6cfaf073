//! The feed-forward: from the normalised stream to what is added to it. Part of `graph`'s decoder.

use super::Graph;
use super::builder::Linear;
use super::family::{Activation, Bias, FeedForward};
use super::policy::Slot;
use super::rows::Part;
use crate::checkpoint::CheckpointError;
use crate::onnx::MICROSOFT;

impl Graph<'_> {
    pub(super) fn feed_forward(&mut self, layer: usize, normed: &str) -> Result<String, CheckpointError> {
        let (hidden, wide) = (self.decoder.shape.hidden, self.decoder.feed_forward);
        let name = |name: &str| format!("blk.{layer}.{name}");
        let inner = match self.family.feed_forward {
            FeedForward::Plain => {
                let up = self.layer_linear(name("ffn_up"), wide, hidden, normed)?;
                self.activation(layer, &up)
            }
            FeedForward::Gated => {
                let gate = self.layer_linear(name("ffn_gate"), wide, hidden, normed)?;
                let up = self.layer_linear(name("ffn_up"), wide, hidden, normed)?;
                self.gated(layer, &gate, &up)
            }
            FeedForward::GatedInOne => {
                let gate = self.half_of_up(layer, "ffn_gate", 0, normed)?;
                let up = self.half_of_up(layer, "ffn_up", wide, normed)?;
                self.gated(layer, &gate, &up)
            }
        };
        self.layer_linear(name("ffn_down"), hidden, wide, &inner)
    }

    /// The rows of `ffn_up` that begin at `first`, as a linear of their own.
    fn half_of_up(&mut self, layer: usize, name: &str, first: usize, input: &str) -> Result<String, CheckpointError> {
        let (columns, rows) = (self.decoder.shape.hidden, self.decoder.feed_forward);
        let part = Part { first, ..Part::plain(format!("blk.{layer}.ffn_up"), rows) };
        self.build.linear(Linear {
            name: format!("blk.{layer}.{name}"),
            parts: vec![(part, 2 * rows)],
            columns,
            bias: self.family.bias == Bias::All,
            slot: Slot::Layer,
            input,
        })
    }

    fn gated(&mut self, layer: usize, gate: &str, up: &str) -> String {
        let open = self.activation(layer, gate);
        let inner = format!("blk.{layer}.ffn_inner");
        self.build.node("Mul", "", &[&open, up], &[&inner], &[]);
        inner
    }

    fn activation(&mut self, layer: usize, input: &str) -> String {
        let output = format!("blk.{layer}.ffn_act");
        match self.family.activation {
            Activation::Silu => {
                let sigmoid = format!("blk.{layer}.ffn_open");
                self.build.node("Sigmoid", "", &[input], &[&sigmoid], &[]);
                self.build.node("Mul", "", &[input, &sigmoid], &[&output], &[]);
            }
            Activation::GeluTanh => self.build.node("FastGelu", MICROSOFT, &[input], &[&output], &[]),
        }
        output
    }
}
