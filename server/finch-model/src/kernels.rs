//! Rewrites a built graph for finch's own operators, where the processor has kernels for them.
//!
//! The model on disk stays one that any ONNX Runtime can run; the rewritten graph lives in memory only. Whatever does not
//! fit an operator of ours is left as it is. `finch-engine` calls this and registers the operators under [`DOMAIN`].

use std::collections::{HashMap, HashSet};

use prost::Message;

use crate::onnx::proto::{
    AttributeProto, DimensionValue, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TypeValue,
    ValueInfoProto,
};

/// The domain of finch's operators.
pub const DOMAIN: &str = "finch";
/// `MatMulNBits` of an input, and a bias that need not be there, with the matrix whose number is the attribute `matrix`.
pub const LINEAR: &str = "Linear";
/// Two such products of one input, `silu(gate) * up`; the attributes are the numbers of the two matrices.
pub const GATED: &str = "GatedLinear";
/// `GroupQueryAttention` with the inputs and attributes it has there.
pub const ATTENTION: &str = "Attention";

/// The bytes are no graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an ONNX model: {0}")]
pub struct NoGraph(String);

/// A graph for finch's operators, and the matrices they multiply with.
#[derive(Debug)]
pub struct Rewritten {
    pub graph: Vec<u8>,
    /// In the order of their numbers.
    pub matrices: Vec<Stored>,
}

/// Where a matrix of `MatMulNBits` lies beside the graph.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stored {
    pub bits: usize,
    pub rows: usize,
    pub columns: usize,
    /// Codes that share a scale.
    pub block: usize,
    pub codes: Place,
    pub scales: Place,
    pub zeros: Option<Place>,
}

/// Where a tensor's bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// In a file of the model's directory.
    File { name: String, offset: u64, bytes: u64 },
    /// In the graph.
    Graph(Vec<u8>),
}

impl Place {
    /// How many bytes there are.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::File { bytes, .. } => *bytes,
            Self::Graph(bytes) => bytes.len() as u64,
        }
    }
}

/// The same model with our operators in place of those they stand for. Matrices are no longer part of it.
pub fn rewrite(model: &[u8]) -> Result<Rewritten, NoGraph> {
    let mut model = ModelProto::decode(model).map_err(|error| NoGraph(error.to_string()))?;
    let graph = model.graph.as_mut().ok_or_else(|| NoGraph("it has no graph".to_owned()))?;
    let widths = widths(graph);
    let places: HashMap<String, Place> = graph.initializer.iter().filter_map(place).collect();
    let mut matrices = Matrices::default();
    for node in &mut graph.node {
        if let Some(stored) = stored(node, &places) {
            matrices.names.extend(node.input.iter().skip(1).take(3).cloned());
            multiply(node, matrices.number(stored));
        } else if is_attention(node, &widths) {
            rename(node, ATTENTION);
        }
    }
    gate(graph, &matrices.stored);
    leave_out(graph, &matrices.names);
    model.opset_import.push(OperatorSetIdProto { domain: Some(DOMAIN.to_owned()), version: Some(1) });
    Ok(Rewritten { graph: model.encode_to_vec(), matrices: matrices.stored })
}

fn rename(node: &mut NodeProto, operator: &str) {
    node.op_type = Some(operator.to_owned());
    node.domain = Some(DOMAIN.to_owned());
}

fn integer(node: &NodeProto, name: &str) -> Option<i64> {
    node.attribute.iter().find(|it| it.name.as_deref() == Some(name)).and_then(|it| it.i)
}

fn operator(node: &NodeProto) -> &str {
    node.op_type.as_deref().unwrap_or_default()
}

/// The matrices of the linears met so far.
#[derive(Default)]
struct Matrices {
    stored: Vec<Stored>,
    /// The initialisers they are made of.
    names: HashSet<String>,
}

impl Matrices {
    /// The number of a matrix; one that several nodes share has one number.
    fn number(&mut self, matrix: Stored) -> i64 {
        let known = self.stored.iter().position(|stored| *stored == matrix);
        let number = known.unwrap_or(self.stored.len());
        if known.is_none() {
            self.stored.push(matrix);
        }
        i64::try_from(number).unwrap_or(i64::MAX)
    }
}

/// Where the bytes of an initialiser are.
fn place(tensor: &TensorProto) -> Option<(String, Place)> {
    let name = tensor.name.clone()?;
    if let Some(bytes) = &tensor.raw_data {
        return Some((name, Place::Graph(bytes.clone())));
    }
    let entry = |key: &str| tensor.external_data.iter().find(|it| it.key.as_deref() == Some(key))?.value.as_deref();
    let file = entry("location").filter(|_| tensor.data_location == Some(1))?.to_owned();
    let offset = entry("offset").unwrap_or("0").parse().ok()?;
    Some((name, Place::File { name: file, offset, bytes: entry("length")?.parse().ok()? }))
}

/// The matrix of a `MatMulNBits` that there is a kernel for.
fn stored(node: &NodeProto, places: &HashMap<String, Place>) -> Option<Stored> {
    let size = |name: &str| integer(node, name).and_then(|it| usize::try_from(it).ok());
    let (bits, rows, columns, block) = (size("bits")?, size("N")?, size("K")?, size("block_size")?);
    let given = |index: usize| node.input.get(index).filter(|name| !name.is_empty());
    let layout = matches!((bits, block), (4, 32) | (8, 16 | 32)) && rows > 0 && columns > 0 && columns % 32 == 0;
    // Shifted 8-bit codes and group indices have no kernel.
    if operator(node) != "MatMulNBits" || !layout || (bits == 8 && given(3).is_some()) || given(4).is_some() {
        return None;
    }
    let part = |index: usize, row_bytes: usize| {
        let place = places.get(given(index)?)?;
        (usize::try_from(place.bytes()).ok()? == rows.checked_mul(row_bytes)?).then(|| place.clone())
    };
    let blocks = columns / block;
    let zeros = match given(3) {
        Some(_) => Some(part(3, blocks.div_ceil(2))?),
        None => None,
    };
    let (codes, scales) = (part(1, columns / 8 * bits)?, part(2, blocks * size_of::<f32>())?);
    Some(Stored { bits, rows, columns, block, codes, scales, zeros })
}

/// Makes a linear of a `MatMulNBits`.
fn multiply(node: &mut NodeProto, matrix: i64) {
    let bias = node.input.get(5).filter(|name| !name.is_empty()).cloned();
    node.input.truncate(1);
    node.input.extend(bias);
    node.attribute = vec![number("matrix", matrix)];
    rename(node, LINEAR);
}

fn number(name: &str, number: i64) -> AttributeProto {
    AttributeProto { name: Some(name.to_owned()), i: Some(number), r#type: Some(2), ..AttributeProto::default() }
}

/// Takes initialisers away that no node reads any more.
fn leave_out(graph: &mut GraphProto, names: &HashSet<String>) {
    let read: HashSet<&str> = graph.node.iter().flat_map(|node| &node.input).map(String::as_str).collect();
    let stays = |name: &str| !names.contains(name) || read.contains(name);
    graph.initializer.retain(|tensor| tensor.name.as_deref().is_none_or(stays));
}

/// The last dimension of every input of the graph.
fn widths(graph: &GraphProto) -> HashMap<String, i64> {
    let width = |input: &ValueInfoProto| {
        let Some(TypeValue::Tensor(tensor)) = input.r#type.as_ref()?.value.as_ref() else { return None };
        match tensor.shape.as_ref()?.dim.last()?.value {
            Some(DimensionValue::Size(size)) => Some((input.name.clone()?, size)),
            _ => None,
        }
    };
    graph.input.iter().filter_map(width).collect()
}

fn is_attention(node: &NodeProto, widths: &HashMap<String, i64>) -> bool {
    const KNOWN: [&str; 7] =
        ["num_heads", "kv_num_heads", "scale", "do_rotary", "rotary_interleaved", "softcap", "local_window_size"];
    let known = |it: &AttributeProto| it.name.as_deref().is_some_and(|name| KNOWN.contains(&name));
    let given = |index: usize| node.input.get(index).is_some_and(|name| !name.is_empty());
    // Position ids, biases and sinks have no kernel; tables belong to rotary positions and to nothing else.
    let inputs = !(9..node.input.len()).any(given) && (3..7).all(given) && given(1) == given(2);
    let is_rotary = integer(node, "do_rotary") == Some(1);
    let tables = given(7) == is_rotary && given(8) == is_rotary;
    let apart = integer(node, "rotary_interleaved").unwrap_or(0) == 0;
    let head_dim = node.input.get(3).and_then(|name| widths.get(name)).copied().unwrap_or(0);
    let fits = head_dim > 0 && head_dim % 16 == 0 && node.output.len() == 3;
    operator(node) == "GroupQueryAttention" && node.attribute.iter().all(known) && inputs && tables && apart && fits
}

/// Joins `Mul(Mul(gate, Sigmoid(gate)), up)` and the two linears behind it.
fn gate(graph: &mut GraphProto, matrices: &[Stored]) {
    let maker: HashMap<&str, usize> = (graph.node.iter().enumerate())
        .flat_map(|(index, node)| node.output.iter().map(move |name| (name.as_str(), index)))
        .collect();
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for name in
        graph.node.iter().flat_map(|node| &node.input).chain(graph.output.iter().filter_map(|it| it.name.as_ref()))
    {
        *uses.entry(name).or_default() += 1;
    }
    let mut joined = Vec::new();
    for (index, node) in graph.node.iter().enumerate() {
        if let Some(found) = gated(graph, matrices, &maker, &uses, node) {
            joined.push((index, found));
        }
    }
    let mut gone = Vec::new();
    for (index, Gated { node, replaced }) in joined {
        graph.node[index] = node;
        gone.extend(replaced);
    }
    let mut index = 0;
    graph.node.retain(|_| {
        index += 1;
        !gone.contains(&(index - 1))
    });
}

struct Gated {
    node: NodeProto,
    replaced: [usize; 4],
}

fn gated(
    graph: &GraphProto,
    matrices: &[Stored],
    maker: &HashMap<&str, usize>,
    uses: &HashMap<&str, usize>,
    last: &NodeProto,
) -> Option<Gated> {
    let made_by = |name: &str, wanted: &str, used: usize| {
        let index = *maker.get(name)?;
        (operator(&graph.node[index]) == wanted && uses.get(name) == Some(&used)).then_some(index)
    };
    let [opened, up] = last.input.as_slice() else { return None };
    if operator(last) != "Mul" {
        return None;
    }
    let silu = made_by(opened, "Mul", 1)?;
    let [gate, open] = graph.node[silu].input.as_slice() else { return None };
    let sigmoid = made_by(open, "Sigmoid", 1)?;
    let (gate_linear, up_linear) = (made_by(gate, LINEAR, 2)?, made_by(up, LINEAR, 1)?);
    let [first, second] = [gate_linear, up_linear].map(|index| &graph.node[index]);
    let numbers = [integer(first, "matrix")?, integer(second, "matrix")?];
    let matrix = |number: i64| matrices.get(usize::try_from(number).ok()?);
    let sizes = |it: &Stored| (it.bits, it.rows, it.columns, it.block);
    let alike = first.input == second.input
        && first.input.len() == 1
        && graph.node[sigmoid].input.first() == Some(gate)
        && sizes(matrix(numbers[0])?) == sizes(matrix(numbers[1])?);
    if !alike {
        return None;
    }
    let attribute = vec![number("gate", numbers[0]), number("up", numbers[1])];
    let mut node = NodeProto { input: first.input.clone(), attribute, ..last.clone() };
    rename(&mut node, GATED);
    Some(Gated { node, replaced: [silu, sigmoid, gate_linear, up_linear] })
}

#[cfg(test)]
mod tests;
