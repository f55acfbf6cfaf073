//! Rewrites a built graph for finch's own operators, where the processor has kernels for them.
//!
//! The model on disk stays one that any ONNX Runtime can run; the rewritten graph lives in memory only. Whatever does not
//! fit an operator of ours is left as it is. `finch-engine` calls this and registers the operators under [`DOMAIN`].

use std::collections::HashMap;

use prost::Message;

use crate::onnx::proto::{
    AttributeProto, DimensionValue, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TypeValue, ValueInfoProto,
};

/// The domain of finch's operators.
pub const DOMAIN: &str = "finch";
/// `MatMulNBits` with the inputs and attributes it has there.
pub const LINEAR: &str = "Linear";
/// Two such products of one input, `silu(gate) * up`: the input, then codes, scales and zeros of each.
pub const GATED: &str = "GatedLinear";
/// `GroupQueryAttention` with the inputs and attributes it has there.
pub const ATTENTION: &str = "Attention";

/// The bytes are no graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an ONNX model: {0}")]
pub struct NoGraph(String);

/// The same model with our operators in place of those they stand for.
pub fn rewrite(model: &[u8]) -> Result<Vec<u8>, NoGraph> {
    let mut model = ModelProto::decode(model).map_err(|error| NoGraph(error.to_string()))?;
    let graph = model.graph.as_mut().ok_or_else(|| NoGraph("it has no graph".to_owned()))?;
    let widths = widths(graph);
    for node in &mut graph.node {
        if is_linear(node) {
            rename(node, LINEAR);
        } else if is_attention(node, &widths) {
            rename(node, ATTENTION);
        }
    }
    gate(graph);
    model.opset_import.push(OperatorSetIdProto { domain: Some(DOMAIN.to_owned()), version: Some(1) });
    Ok(model.encode_to_vec())
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

fn is_linear(node: &NodeProto) -> bool {
    let layout =
        matches!((integer(node, "bits"), integer(node, "block_size")), (Some(4), Some(32)) | (Some(8), Some(16 | 32)));
    // Shifted 8-bit codes and group indices have no kernel.
    let given = |index: usize| node.input.get(index).is_some_and(|name| !name.is_empty());
    let shifted = integer(node, "bits") == Some(8) && given(3);
    operator(node) == "MatMulNBits"
        && layout
        && !shifted
        && !given(4)
        && integer(node, "K").is_some_and(|columns| columns % 32 == 0)
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
fn gate(graph: &mut GraphProto) {
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
        if let Some(found) = gated(graph, &maker, &uses, node) {
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
    let alike = first.input.first() == second.input.first()
        && first.input.len() == second.input.len()
        && first.input.len() <= 4
        && graph.node[sigmoid].input.first() == Some(gate)
        && first.attribute == second.attribute;
    if !alike {
        return None;
    }
    let mut input = vec![first.input.first()?.clone()];
    for linear in [first, second] {
        input.extend((1..4).map(|index| linear.input.get(index).cloned().unwrap_or_default()));
    }
    while input.last().is_some_and(String::is_empty) {
        input.pop();
    }
    let mut node = NodeProto { input, attribute: first.attribute.clone(), ..last.clone() };
    rename(&mut node, GATED);
    Some(Gated { node, replaced: [silu, sigmoid, gate_linear, up_linear] })
}

#[cfg(test)]
mod tests;
