//! Plans the ONNX graph of a model: its nodes, and which stored rows become which initialisers.
//!
//! Families differ by a row in the table of [`family`]; the code here is one decoder for all of them. It reads metadata and
//! tensor descriptions, never weights: a [`Plan`] says where every number comes from, and the importer streams it. The
//! names and shapes of the graph's inputs and outputs are what `finch-engine` binds to.

mod attention;
mod builder;
mod family;
mod feed_forward;
mod keys;
mod policy;
mod positions;
mod rotary;
mod rows;
mod shape;

#[cfg(test)]
mod tests;

use self::builder::{Builder, Linear};
use self::family::{Bias, Family, Norm, Norms};
use self::policy::Slot;
pub(crate) use self::policy::{Precision, Precisions, Rounding};
use self::rotary::Rotary;
pub(crate) use self::rows::Part;
use self::shape::Decoder;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::manifest::Shape;
use crate::onnx::proto::GraphProto;
use crate::onnx::{Attribute, Dim, Element, MICROSOFT};
use crate::quant::Layout;

/// A graph and the weights it wants, in the order they lie in the data file.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) architecture: &'static str,
    pub(crate) shape: Shape,
    /// Everything but the external initialisers, which get their places while the weights are written.
    pub(crate) graph: GraphProto,
    pub(crate) weights: Vec<Weight>,
}

/// One stretch of weights and the initialisers that show it.
#[derive(Debug)]
pub(crate) struct Weight {
    pub(crate) content: Content,
    pub(crate) views: Vec<View>,
}

/// Where the numbers come from and how they are stored.
#[derive(Debug)]
pub(crate) enum Content {
    /// Matrices below each other, in floats.
    Floats { parts: Vec<Part>, rounding: Rounding },
    /// Matrices below each other, in 16-bit floats.
    Halves { parts: Vec<Part> },
    /// Matrices below each other, in quantised blocks.
    Blocks { parts: Vec<Part>, layout: Layout },
    /// Vectors behind each other.
    Vector { parts: Vec<Part> },
    /// Numbers that are in no tensor.
    Computed(Vec<f32>),
}

/// An initialiser over a piece of a weight.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) name: String,
    pub(crate) piece: Piece,
    pub(crate) dims: Vec<usize>,
}

/// The pieces a weight is stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Plain floats: all there is of an unquantised weight.
    Floats,
    /// 16-bit floats.
    Halves,
    /// Quantised codes.
    Codes,
    /// The scales of quantised blocks.
    Scales,
    /// The zero points of quantised blocks.
    Zeros,
}

impl Piece {
    pub(crate) fn element(self) -> Element {
        match self {
            Piece::Floats | Piece::Scales => Element::F32,
            Piece::Halves => Element::F16,
            Piece::Codes | Piece::Zeros => Element::U8,
        }
    }
}

/// Plans the graph of a model, for contexts of up to `context_tokens_max` tokens.
pub(crate) fn plan(
    checkpoint: &Checkpoint,
    precisions: Precisions,
    context_tokens_max: usize,
) -> Result<Plan, CheckpointError> {
    let family = family::of(checkpoint)?;
    let decoder = Decoder::read(checkpoint, family, context_tokens_max)?;
    let mut graph = Graph { build: Builder::new(checkpoint, precisions), decoder: &decoder, family };
    graph.inputs();
    let mut stream = graph.embedding()?;
    for layer in 0..decoder.shape.layers {
        stream = graph.layer(layer, stream)?;
    }
    graph.head(stream)?;
    let (graph, weights) = graph.build.finish()?;
    Ok(Plan { architecture: family.name, shape: decoder.shape, graph, weights })
}

/// The residual stream between two blocks: what a norm adds up, then normalises.
struct Stream {
    residual: String,
    /// The last block's output, not yet added; absent before the first block.
    pending: Option<String>,
}

struct Graph<'a> {
    build: Builder<'a>,
    decoder: &'a Decoder,
    family: &'static Family,
}

impl Graph<'_> {
    fn inputs(&mut self) {
        let (batch, seq) = (Dim::Named("batch"), Dim::Named("seq"));
        self.build.input("input_ids", Element::I64, &[batch, seq]);
        self.build.input("seqlens_k", Element::I32, &[batch]);
        self.build.input("total_len", Element::I32, &[]);
        self.build.input("logits_from", Element::I64, &[Dim::Fixed(1)]);
        let vocab = Dim::Fixed(self.decoder.shape.vocab);
        self.build.output("logits", Element::F32, &[batch, Dim::Named("kept"), vocab]);
        let shape = &self.decoder.shape;
        let cache = [batch, Dim::Fixed(shape.kv_heads), Dim::Named("capacity"), Dim::Fixed(shape.head_dim)];
        for layer in 0..shape.layers {
            for part in ["key", "value"] {
                self.build.input(&format!("past_key_values.{layer}.{part}"), Element::F32, &cache);
                self.build.output(&format!("present.{layer}.{part}"), Element::F32, &cache);
            }
        }
        self.rotary_tables("rotary", &self.decoder.rotary);
        if let Some(local) = &self.decoder.local_rotary {
            self.rotary_tables("rotary.local", local);
        }
        self.attention_constants();
    }

    fn rotary_tables(&mut self, name: &str, rotary: &Rotary) {
        let (cosines, sines) = rotary::tables(rotary);
        let dims = [rotary.positions, rotary.columns];
        self.build.computed(&format!("{name}.cos"), &dims, cosines);
        self.build.computed(&format!("{name}.sin"), &dims, sines);
    }

    fn embedding(&mut self) -> Result<Stream, CheckpointError> {
        let (vocab, hidden) = (self.decoder.shape.vocab, self.decoder.shape.hidden);
        self.build.embedding("token_embd.weight", "output.weight", vocab, hidden)?;
        let residual = self.scaled("embedding", self.decoder.embedding_scale, "embedding.scaled");
        Ok(Stream { residual, pending: None })
    }

    fn layer(&mut self, layer: usize, stream: Stream) -> Result<Stream, CheckpointError> {
        let (normed, residual) = self.norm(stream, &format!("blk.{layer}.attn_norm"))?;
        let attended = self.attention(layer, &normed)?;
        let attended = self.norm_behind(attended, format!("blk.{layer}.post_attention_norm"))?;
        let stream = Stream { residual, pending: Some(attended) };
        let (normed, residual) = self.norm(stream, &format!("blk.{layer}.ffn_norm"))?;
        let fed = self.feed_forward(layer, &normed)?;
        let fed = self.norm_behind(fed, format!("blk.{layer}.post_ffw_norm"))?;
        Ok(Stream { residual, pending: Some(fed) })
    }

    /// Normalises what a block returns, in families that do.
    fn norm_behind(&mut self, block: String, name: String) -> Result<String, CheckpointError> {
        match self.family.norms {
            Norms::BeforeBlocks => Ok(block),
            Norms::AroundBlocks => {
                self.norm(Stream { residual: block, pending: None }, &name).map(|(normed, _)| normed)
            }
        }
    }

    /// Adds the pending block and normalises; returns the normalised stream and the sum.
    fn norm(&mut self, stream: Stream, name: &str) -> Result<(String, String), CheckpointError> {
        let weight = self.build.vector(&format!("{name}.weight"), self.decoder.shape.hidden)?;
        let epsilon = ("epsilon", Attribute::Float(self.decoder.norm_epsilon));
        let attributes = [("axis", Attribute::Integer(-1)), epsilon, ("stash_type", Attribute::Integer(1))];
        let sum = format!("{name}.sum");
        match (&self.family.norm, stream.pending) {
            (Norm::Rms, None) => {
                let inputs = [stream.residual.as_str(), &weight];
                self.build.node("SimplifiedLayerNormalization", "", &inputs, &[name], &attributes);
                Ok((name.to_owned(), stream.residual))
            }
            (Norm::Rms, Some(pending)) => {
                let (inputs, outputs) = ([stream.residual.as_str(), &pending, &weight], [name, "", "", &sum]);
                self.build.node("SkipSimplifiedLayerNormalization", MICROSOFT, &inputs, &outputs, &[epsilon]);
                Ok((name.to_owned(), sum))
            }
            (Norm::Layer, pending) => {
                let bias = self.build.vector(&format!("{name}.bias"), self.decoder.shape.hidden)?;
                let sum = match pending {
                    None => stream.residual,
                    Some(pending) => {
                        self.build.node("Add", "", &[&stream.residual, &pending], &[&sum], &[]);
                        sum
                    }
                };
                self.build.node("LayerNormalization", "", &[&sum, &weight, &bias], &[name], &attributes);
                Ok((name.to_owned(), sum))
            }
        }
    }

    /// One tensor of a layer, as it is stored.
    fn layer_linear(
        &mut self,
        name: String,
        rows: usize,
        columns: usize,
        input: &str,
    ) -> Result<String, CheckpointError> {
        let parts = vec![(Part::plain(name.clone(), rows), rows)];
        let bias = self.family.bias == Bias::All;
        self.build.linear(Linear { name, parts, columns, bias, slot: Slot::Layer, input })
    }

    /// Multiplies by a number, if there is one to multiply by.
    fn scaled(&mut self, input: &str, scale: Option<f32>, output: &str) -> String {
        let Some(scale) = scale else {
            return input.to_owned();
        };
        let factor = format!("{output}.factor");
        self.build.computed(&factor, &[1], vec![scale]);
        self.build.node("Mul", "", &[input, &factor], &[output], &[]);
        output.to_owned()
    }

    fn head(&mut self, stream: Stream) -> Result<(), CheckpointError> {
        let (normed, _) = self.norm(stream, "output_norm")?;
        self.build.constant("logits_until", &[i64::MAX]);
        self.build.constant("logits_axis", &[1]);
        let inputs = [&normed, "logits_from", "logits_until", "logits_axis"];
        self.build.node("Slice", "", &inputs, &["kept"], &[]);
        let kept = self.scaled("kept", self.decoder.head_scale, "kept.scaled");
        let (vocab, hidden) = (self.decoder.shape.vocab, self.decoder.shape.hidden);
        let Some(cap) = self.decoder.logit_cap else {
            return self.build.head("output.weight", (vocab, hidden), &kept, "logits");
        };
        // The scale before the head has divided by the cap.
        self.build.head("output.weight", (vocab, hidden), &kept, "logits.straight")?;
        self.build.node("Tanh", "", &["logits.straight"], &["logits.bent"], &[]);
        self.scaled("logits.bent", Some(cap), "logits");
        Ok(())
    }
}

/// Counts were bounded when the shape was read.
fn integer(count: usize) -> Attribute {
    Attribute::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}
