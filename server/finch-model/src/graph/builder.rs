//! Collects nodes and weights, and checks every tensor it is asked for against the size the graph expects.
//!
//! Knows how a linear, an embedding and a head are expressed at each precision; the order of the layers is `graph`'s.
//! Invariant: a finished graph has used every tensor of the file, so nothing in a file is ever silently left out.

use std::collections::BTreeSet;

use super::policy::{self, Slot, Store};
use super::rows::Head;
use super::{Content, Part, Piece, Precisions, View, Weight};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::gguf::Tensor;
use crate::onnx::proto::{GraphProto, NodeProto};
use crate::onnx::{self, Attribute, Dim, Element, MICROSOFT};
use crate::quant::{BLOCK, Layout};

pub(super) struct Builder<'a> {
    checkpoint: &'a Checkpoint,
    precisions: Precisions,
    graph: GraphProto,
    weights: Vec<Weight>,
    used: BTreeSet<String>,
    /// How the head is stored where it is the embedding too.
    tied: Option<Store>,
}

/// A linear over one or more matrices below each other.
pub(super) struct Linear<'a> {
    pub(super) name: String,
    /// Tensors without their `.weight`, and how many rows each tensor has.
    pub(super) parts: Vec<(Part, usize)>,
    pub(super) columns: usize,
    pub(super) bias: bool,
    pub(super) slot: Slot,
    pub(super) input: &'a str,
}

impl<'a> Builder<'a> {
    pub(super) fn new(checkpoint: &'a Checkpoint, precisions: Precisions) -> Self {
        let graph = GraphProto { name: Some("finch".to_owned()), ..GraphProto::default() };
        Self { checkpoint, precisions, graph, weights: Vec::new(), used: BTreeSet::new(), tied: None }
    }

    pub(super) fn input(&mut self, name: &str, element: Element, dims: &[Dim]) {
        self.graph.input.push(onnx::value(name, element, dims));
    }

    pub(super) fn output(&mut self, name: &str, element: Element, dims: &[Dim]) {
        self.graph.output.push(onnx::value(name, element, dims));
    }

    pub(super) fn constant(&mut self, name: &str, numbers: &[i64]) {
        self.graph.initializer.push(onnx::constant(name, &[numbers.len()], numbers));
    }

    pub(super) fn computed(&mut self, name: &str, dims: &[usize], numbers: Vec<f32>) {
        self.push(Content::Computed(numbers), vec![view(name, Piece::Floats, dims)]);
    }

    pub(super) fn node(
        &mut self,
        operator: &str,
        domain: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) {
        let node: NodeProto = onnx::node(operator, domain, inputs, outputs, attributes);
        self.graph.node.push(node);
    }

    fn push(&mut self, content: Content, views: Vec<View>) {
        self.weights.push(Weight { content, views });
    }

    fn tensor(&mut self, name: &str, dims: &[usize]) -> Result<Tensor<'a>, CheckpointError> {
        let Some(tensor) = self.checkpoint.tensor(name) else {
            return Err(self.checkpoint.broken(format!("it has no tensor {name}")));
        };
        if tensor.dims() != dims {
            let what = format!("tensor {name} has dimensions {:?} where {dims:?} belong", tensor.dims());
            return Err(self.checkpoint.broken(what));
        }
        self.used.insert(name.to_owned());
        Ok(tensor)
    }

    /// A vector under the tensor's own name.
    pub(super) fn vector(&mut self, name: &str, len: usize) -> Result<String, CheckpointError> {
        self.tensor(name, &[len])?;
        let parts = vec![Part::plain(name.to_owned(), len)];
        self.push(Content::Vector { parts }, vec![view(name, Piece::Floats, &[len])]);
        Ok(name.to_owned())
    }

    /// The weights of a norm over a head, laid out like its rows, times `gain`.
    pub(super) fn head_vector(&mut self, name: &str, head: Head, gain: f32) -> Result<String, CheckpointError> {
        let tensor = self.tensor(name, &[head.dim])?;
        let stored = tensor.numbers();
        let part = Part { tensor: name.to_owned(), first: 0, rows: head.built(), order: head.order() };
        let number = |row| part.stored_row(row).map_or(0.0, |row| stored[row] * gain);
        self.computed(name, &[head.built()], (0..part.rows).map(number).collect());
        Ok(name.to_owned())
    }

    /// Adds a linear and returns the name of its output.
    pub(super) fn linear(&mut self, linear: Linear<'_>) -> Result<String, CheckpointError> {
        let rows = linear.parts.iter().map(|(part, _)| part.rows).sum();
        let mut parts = Vec::new();
        let mut kinds = Vec::new();
        for (part, stored) in &linear.parts {
            let tensor = format!("{}.weight", part.tensor);
            kinds.push(self.tensor(&tensor, &[linear.columns, *stored])?.kind());
            parts.push(Part { tensor, ..part.clone() });
        }
        let bias = if linear.bias { Some(self.bias(&linear, rows)?) } else { None };
        let store = policy::store(&self.precisions, linear.slot, &kinds);
        self.matrix(&linear.name, parts, store, rows, linear.columns, &[Use::Linear])?;
        self.multiply(linear.input, &linear.name, store, rows, linear.columns, bias.as_deref());
        Ok(linear.name)
    }

    fn bias(&mut self, linear: &Linear<'_>, rows: usize) -> Result<String, CheckpointError> {
        let mut parts = Vec::new();
        for (part, stored) in &linear.parts {
            let tensor = format!("{}.bias", part.tensor);
            self.tensor(&tensor, &[*stored])?;
            parts.push(Part { tensor, ..part.clone() });
        }
        let name = format!("{}.bias", linear.name);
        self.push(Content::Vector { parts }, vec![view(&name, Piece::Floats, &[rows])]);
        Ok(name)
    }

    /// Looks tokens up in `embedding`. Where the file has no `head`, or the same bytes, both use one stretch of weights.
    pub(super) fn embedding(
        &mut self,
        embedding: &str,
        head: &str,
        vocab: usize,
        hidden: usize,
    ) -> Result<(), CheckpointError> {
        let table = self.tensor(embedding, &[hidden, vocab])?;
        let own_head = self.checkpoint.tensor(head);
        let tied = match own_head {
            None => true,
            Some(own) => own.kind() == table.kind() && own.bytes() == table.bytes(),
        };
        let stored = |slot| policy::store(&self.precisions, slot, &[table.kind()]);
        // One stretch serves both unless they are wished in different ways.
        let apart = self.precisions.embeddings.is_some() && stored(Slot::Embedding) != stored(Slot::Head);
        let shared = tied && !apart;
        let store = stored(if shared { Slot::Head } else { Slot::Embedding });
        self.tied = shared.then_some(store);
        if shared {
            self.used.insert(head.to_owned());
        }
        let uses: &[Use] = if shared { &[Use::Lookup, Use::Linear] } else { &[Use::Lookup] };
        let part = Part::plain(embedding.to_owned(), vocab);
        self.matrix("token_embd", vec![part], store, vocab, hidden, uses)?;
        match store {
            Store::Floats(_) => {
                self.node("Gather", "", &["token_embd.weight", "input_ids"], &["embedding"], &[]);
            }
            Store::Half => {
                self.node("Gather", "", &["token_embd.half", "input_ids"], &["embedding.half"], &[]);
                self.widen("embedding.half", "embedding");
            }
            Store::Blocks(layout) => {
                let attributes = [
                    ("bits", count(layout.bits())),
                    ("block_size", count(layout.block())),
                    ("gather_axis", Attribute::Integer(0)),
                    ("quantize_axis", Attribute::Integer(1)),
                ];
                let inputs = ["token_embd.table", "input_ids", "token_embd.scales", "token_embd.zeros"];
                let inputs = if layout == Layout::FourShifted { &inputs[..] } else { &inputs[..3] };
                self.node("GatherBlockQuantized", MICROSOFT, inputs, &["embedding"], &attributes);
            }
        }
        Ok(())
    }

    /// Multiplies `input` by the head into `output`.
    pub(super) fn head(
        &mut self,
        head: &str,
        (vocab, hidden): (usize, usize),
        input: &str,
        output: &str,
    ) -> Result<(), CheckpointError> {
        if let Some(store) = self.tied {
            self.multiply_into(input, "token_embd", store, (vocab, hidden), None, output);
            return Ok(());
        }
        // Without one of its own, a head that is stored in another way than the embedding has the same rows.
        let head = if self.checkpoint.tensor(head).is_some() { head } else { "token_embd.weight" };
        let kind = self.tensor(head, &[hidden, vocab])?.kind();
        let store = policy::store(&self.precisions, Slot::Head, &[kind]);
        let part = Part::plain(head.to_owned(), vocab);
        self.matrix("output", vec![part], store, vocab, hidden, &[Use::Linear])?;
        self.multiply_into(input, "output", store, (vocab, hidden), None, output);
        Ok(())
    }

    /// Plans the storage of a matrix under the names its users look for.
    fn matrix(
        &mut self,
        name: &str,
        parts: Vec<Part>,
        store: Store,
        rows: usize,
        columns: usize,
        uses: &[Use],
    ) -> Result<(), CheckpointError> {
        let layout = match store {
            Store::Floats(rounding) => {
                let weight = view(&format!("{name}.weight"), Piece::Floats, &[rows, columns]);
                self.push(Content::Floats { parts, rounding }, vec![weight]);
                return Ok(());
            }
            Store::Half => {
                let weight = view(&format!("{name}.half"), Piece::Halves, &[rows, columns]);
                self.push(Content::Halves { parts }, vec![weight]);
                return Ok(());
            }
            Store::Blocks(layout) => layout,
        };
        if !columns.is_multiple_of(BLOCK) {
            let what = format!(
                "{name} has rows of {columns}, which blocks of {BLOCK} do not fill; only fp16 and fp32 can hold it"
            );
            return Err(self.checkpoint.unsupported(what));
        }
        let blocks = layout.scales(columns);
        let mut views = vec![view(&format!("{name}.scales"), Piece::Scales, &[rows, blocks])];
        for usage in uses {
            views.push(match usage {
                Use::Lookup => view(&format!("{name}.table"), Piece::Codes, &[rows, layout.code_bytes(columns)]),
                Use::Linear => {
                    let dims = [rows, blocks, layout.code_bytes(layout.block())];
                    view(&format!("{name}.codes"), Piece::Codes, &dims)
                }
            });
        }
        if layout == Layout::FourShifted {
            views.push(view(&format!("{name}.zeros"), Piece::Zeros, &[rows, layout.zero_bytes(columns)]));
        }
        self.push(Content::Blocks { parts, layout }, views);
        Ok(())
    }

    fn multiply(&mut self, input: &str, name: &str, store: Store, rows: usize, columns: usize, bias: Option<&str>) {
        self.multiply_into(input, name, store, (rows, columns), bias, name);
    }

    fn multiply_into(
        &mut self,
        input: &str,
        name: &str,
        store: Store,
        (rows, columns): (usize, usize),
        bias: Option<&str>,
        output: &str,
    ) {
        let layout = match store {
            Store::Floats(_) => return self.multiply_floats(input, name, bias, output),
            Store::Half => {
                self.widen(&format!("{name}.half"), &format!("{name}.weight"));
                return self.multiply_floats(input, name, bias, output);
            }
            Store::Blocks(layout) => layout,
        };
        let [codes, scales, zeros] = ["codes", "scales", "zeros"].map(|piece| format!("{name}.{piece}"));
        let zeros = if layout == Layout::FourShifted { zeros.as_str() } else { "" };
        let mut inputs = vec![input, &codes, &scales, zeros, "", bias.unwrap_or_default()];
        while inputs.last() == Some(&"") {
            inputs.pop();
        }
        let attributes = [
            ("K", count(columns)),
            ("N", count(rows)),
            ("bits", count(layout.bits())),
            ("block_size", count(layout.block())),
            // Activations in 8 bits: without it 8-bit weights have no fast kernel.
            ("accuracy_level", Attribute::Integer(4)),
        ];
        self.node("MatMulNBits", MICROSOFT, &inputs, &[output], &attributes);
    }

    /// 16-bit floats as 32-bit ones; of an initialiser, ONNX Runtime does it once and lets go of the narrow form.
    fn widen(&mut self, half: &str, whole: &str) {
        self.node("Cast", "", &[half], &[whole], &[("to", Attribute::Integer(Element::F32 as i64))]);
    }

    fn multiply_floats(&mut self, input: &str, name: &str, bias: Option<&str>, output: &str) {
        let weight = format!("{name}.weight");
        let product = if bias.is_some() { format!("{name}.product") } else { output.to_owned() };
        // The rows of the file are the columns of a product, hence transposed.
        let attributes = [("transB", Attribute::Integer(1))];
        self.node("FusedMatMul", MICROSOFT, &[input, &weight], &[&product], &attributes);
        if let Some(bias) = bias {
            self.node("Add", "", &[&product, bias], &[output], &[]);
        }
    }

    pub(super) fn finish(mut self) -> Result<(GraphProto, Vec<Weight>), CheckpointError> {
        self.used.extend(super::positions::TENSORS.map(str::to_owned));
        if let Some(tensor) = self.checkpoint.tensors().find(|tensor| !self.used.contains(tensor.name())) {
            return Err(self.checkpoint.unsupported(format!("tensor {} has no place in the graph", tensor.name())));
        }
        Ok((self.graph, self.weights))
    }
}

/// What a matrix is used for; the operators want its codes in different shapes.
enum Use {
    Lookup,
    Linear,
}

fn view(name: &str, piece: Piece, dims: &[usize]) -> View {
    View { name: name.to_owned(), piece, dims: dims.to_vec() }
}

/// Sizes were bounded when the file was read.
fn count(size: usize) -> Attribute {
    Attribute::Integer(i64::try_from(size).unwrap_or(i64::MAX))
}
