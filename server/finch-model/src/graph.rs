//! Plans the ONNX graph of a model: its nodes, and which stored rows become which initialisers.
//!
//! Families differ by a row in the table of [`family`]; the code here is one decoder for all of them. It reads metadata and
//! tensor descriptions, never weights: a [`Plan`] says where every number comes from, and the importer streams it. The
//! names and shapes of the graph's inputs and outputs are what `finch-engine` binds to.

mod builder;
mod family;
mod policy;
mod rotary;
mod rows;
mod shape;

#[cfg(test)]
mod tests;

use self::builder::{Builder, Linear};
use self::family::{Bias, Family, RotaryRows};
use self::policy::Slot;
pub(crate) use self::policy::{Precision, Rounding};
pub(crate) use self::rows::Part;
use self::rows::{Head, Pairs, RowOrder};
use self::shape::Decoder;
use crate::checkpoint::{Checkpoint, CheckpointError, RowConvention};
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
            Piece::Codes | Piece::Zeros => Element::U8,
        }
    }
}

/// Plans the graph of a model, for contexts of up to `context_tokens_max` tokens.
pub(crate) fn plan(
    checkpoint: &Checkpoint,
    precision: Precision,
    context_tokens_max: usize,
) -> Result<Plan, CheckpointError> {
    let family = family::of(checkpoint)?;
    let decoder = Decoder::read(checkpoint, family, context_tokens_max)?;
    let mut graph =
        Graph { build: Builder::new(checkpoint, precision), decoder: &decoder, family, rows: checkpoint.rows() };
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
    rows: RowConvention,
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
        let (cosines, sines) = rotary::tables(&self.decoder.rotary);
        let dims = [self.decoder.rotary.positions, shape.head_dim / 2];
        self.build.computed("rotary.cos", &dims, cosines);
        self.build.computed("rotary.sin", &dims, sines);
    }

    fn embedding(&mut self) -> Result<Stream, CheckpointError> {
        let (vocab, hidden) = (self.decoder.shape.vocab, self.decoder.shape.hidden);
        self.build.embedding("token_embd.weight", "output.weight", vocab, hidden)?;
        Ok(Stream { residual: "embedding".to_owned(), pending: None })
    }

    fn layer(&mut self, layer: usize, stream: Stream) -> Result<Stream, CheckpointError> {
        let (normed, residual) = self.norm(stream, &format!("blk.{layer}.attn_norm"))?;
        let attended = self.attention(layer, &normed)?;
        let stream = Stream { residual, pending: Some(attended) };
        let (normed, residual) = self.norm(stream, &format!("blk.{layer}.ffn_norm"))?;
        let fed = self.feed_forward(layer, &normed)?;
        Ok(Stream { residual, pending: Some(fed) })
    }

    /// Adds the pending block and normalises; returns the normalised stream and the sum.
    fn norm(&mut self, stream: Stream, name: &str) -> Result<(String, String), CheckpointError> {
        let weight = self.build.vector(&format!("{name}.weight"), self.decoder.shape.hidden)?;
        let epsilon = ("epsilon", Attribute::Float(self.decoder.norm_epsilon));
        let Some(pending) = stream.pending else {
            let attributes = [("axis", Attribute::Integer(-1)), epsilon, ("stash_type", Attribute::Integer(1))];
            self.build.node("SimplifiedLayerNormalization", "", &[&stream.residual, &weight], &[name], &attributes);
            return Ok((name.to_owned(), stream.residual));
        };
        let sum = format!("{name}.sum");
        let (inputs, outputs) = ([stream.residual.as_str(), &pending, &weight], [name, "", "", &sum]);
        self.build.node("SkipSimplifiedLayerNormalization", MICROSOFT, &inputs, &outputs, &[epsilon]);
        Ok((name.to_owned(), sum))
    }

    fn attention(&mut self, layer: usize, normed: &str) -> Result<String, CheckpointError> {
        let shape = &self.decoder.shape;
        let prefix = format!("blk.{layer}");
        let rotated = match (&self.family.rotary_rows, self.rows) {
            (RotaryRows::PairsTogether, RowConvention::Gguf) => Pairs::Together,
            (RotaryRows::PairsApart, _) | (_, RowConvention::HalfApart) => Pairs::Apart,
        };
        let half = shape.head_dim / 2;
        let head = Head { dim: shape.head_dim, pairs: half, stored: rotated, built_pairs: half, built_rest: 0 };
        let rotated = head.order();
        let projections = [
            ("attn_q", rotated, shape.heads),
            ("attn_k", rotated, shape.kv_heads),
            ("attn_v", RowOrder::AsStored, shape.kv_heads),
        ];
        let part = |name, order, heads| {
            let rows = heads * shape.head_dim;
            (Part { tensor: format!("{prefix}.{name}"), first: 0, rows, order }, rows)
        };
        let packed = self.build.linear(Linear {
            name: format!("{prefix}.attn_qkv"),
            parts: projections.map(|(name, order, heads)| part(name, order, heads)).to_vec(),
            columns: shape.hidden,
            bias: self.family.attention_bias == Bias::Qkv,
            slot: Slot::Layer,
            input: normed,
        })?;
        let attended = format!("{prefix}.attn");
        let past = ["key", "value"].map(|part| format!("past_key_values.{layer}.{part}"));
        let present = ["key", "value"].map(|part| format!("present.{layer}.{part}"));
        let inputs = [&packed, "", "", &past[0], &past[1], "seqlens_k", "total_len", "rotary.cos", "rotary.sin"];
        let attributes = [
            ("num_heads", integer(shape.heads)),
            ("kv_num_heads", integer(shape.kv_heads)),
            ("scale", Attribute::Float((shape.head_dim as f32).sqrt().recip())),
            ("do_rotary", Attribute::Integer(1)),
            ("rotary_interleaved", Attribute::Integer(0)),
        ];
        let outputs = [attended.as_str(), &present[0], &present[1]];
        self.build.node("GroupQueryAttention", MICROSOFT, &inputs, &outputs, &attributes);
        let width = shape.heads * shape.head_dim;
        self.plain_linear(format!("{prefix}.attn_output"), shape.hidden, width, &attended)
    }

    fn feed_forward(&mut self, layer: usize, normed: &str) -> Result<String, CheckpointError> {
        let (hidden, wide) = (self.decoder.shape.hidden, self.decoder.feed_forward);
        let gate = self.plain_linear(format!("blk.{layer}.ffn_gate"), wide, hidden, normed)?;
        let up = self.plain_linear(format!("blk.{layer}.ffn_up"), wide, hidden, normed)?;
        let [open, silu, inner] = ["ffn_open", "ffn_silu", "ffn_inner"].map(|name| format!("blk.{layer}.{name}"));
        self.build.node("Sigmoid", "", &[&gate], &[&open], &[]);
        self.build.node("Mul", "", &[&gate, &open], &[&silu], &[]);
        self.build.node("Mul", "", &[&silu, &up], &[&inner], &[]);
        self.plain_linear(format!("blk.{layer}.ffn_down"), hidden, wide, &inner)
    }

    /// One tensor, as it is stored, without a bias.
    fn plain_linear(
        &mut self,
        name: String,
        rows: usize,
        columns: usize,
        input: &str,
    ) -> Result<String, CheckpointError> {
        let parts = vec![(Part::plain(name.clone(), rows), rows)];
        self.build.linear(Linear { name, parts, columns, bias: false, slot: Slot::Layer, input })
    }

    fn head(&mut self, stream: Stream) -> Result<(), CheckpointError> {
        let (normed, _) = self.norm(stream, "output_norm")?;
        self.build.constant("logits_until", &[i64::MAX]);
        self.build.constant("logits_axis", &[1]);
        let inputs = [&normed, "logits_from", "logits_until", "logits_axis"];
        self.build.node("Slice", "", &inputs, &["kept"], &[]);
        self.build.head("output.weight", self.decoder.shape.vocab, self.decoder.shape.hidden)
    }
}

/// Counts were bounded when the shape was read.
fn integer(count: usize) -> Attribute {
    Attribute::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}
