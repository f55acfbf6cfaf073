//! Writes ONNX models: the message types of the format, shorthands for building them, and the file of external data.
//!
//! Knows the format and nothing of what a graph computes. `graph` builds nodes with it, `import` streams weights with it.

mod data;
pub(crate) mod proto;

#[cfg(test)]
mod tests;

pub(crate) use data::{DataWriter, Extent};
use proto::{
    AttributeProto, Dimension, DimensionValue, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, TypeValue, ValueInfoProto,
};

/// The operators that ONNX Runtime adds to the standard.
pub(crate) const MICROSOFT: &str = "com.microsoft";
const IR_VERSION: i64 = 9;
const OPSET_VERSION: i64 = 18;

/// Element types by their number in the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    F32 = 1,
    U8 = 2,
    I32 = 6,
    I64 = 7,
    F16 = 10,
}

/// One dimension of an input or output.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dim {
    Fixed(usize),
    Named(&'static str),
}

/// The value of a node's attribute.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Attribute {
    Integer(i64),
    Float(f32),
}

pub(crate) fn node(
    operator: &str,
    domain: &str,
    inputs: &[&str],
    outputs: &[&str],
    attributes: &[(&str, Attribute)],
) -> NodeProto {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    NodeProto {
        input: owned(inputs),
        output: owned(outputs),
        name: Some(format!("{}/{operator}", outputs.first().copied().unwrap_or_default())),
        op_type: Some(operator.to_owned()),
        domain: Some(domain.to_owned()).filter(|domain| !domain.is_empty()),
        attribute: attributes.iter().map(|(name, value)| attribute(name, *value)).collect(),
    }
}

fn attribute(name: &str, value: Attribute) -> AttributeProto {
    let empty = AttributeProto { name: Some(name.to_owned()), ..AttributeProto::default() };
    match value {
        Attribute::Float(value) => AttributeProto { f: Some(value), r#type: Some(1), ..empty },
        Attribute::Integer(value) => AttributeProto { i: Some(value), r#type: Some(2), ..empty },
    }
}

pub(crate) fn value(name: &str, element: Element, dims: &[Dim]) -> ValueInfoProto {
    let dim = |dim: &Dim| Dimension {
        value: Some(match dim {
            Dim::Fixed(size) => DimensionValue::Size(signed(*size)),
            Dim::Named(name) => DimensionValue::Name((*name).to_owned()),
        }),
    };
    let shape = TensorShapeProto { dim: dims.iter().map(dim).collect() };
    let tensor = TensorTypeProto { elem_type: Some(element as i32), shape: Some(shape) };
    ValueInfoProto { name: Some(name.to_owned()), r#type: Some(TypeProto { value: Some(TypeValue::Tensor(tensor)) }) }
}

/// A small constant inside the graph file.
pub(crate) fn constant(name: &str, dims: &[usize], numbers: &[i64]) -> TensorProto {
    TensorProto {
        raw_data: Some(numbers.iter().flat_map(|number| number.to_le_bytes()).collect()),
        ..tensor(name, Element::I64, dims)
    }
}

/// An initialiser whose bytes lie in the graph.
pub(crate) fn inline(name: &str, element: Element, dims: &[usize], bytes: Vec<u8>) -> TensorProto {
    TensorProto { raw_data: Some(bytes), ..tensor(name, element, dims) }
}

/// An initialiser whose bytes lie in a file beside the graph.
pub(crate) fn external(name: &str, element: Element, dims: &[usize], file: &str, extent: Extent) -> TensorProto {
    let entry = |key: &str, value: String| StringStringEntryProto { key: Some(key.to_owned()), value: Some(value) };
    TensorProto {
        external_data: vec![
            entry("location", file.to_owned()),
            entry("offset", extent.offset.to_string()),
            entry("length", extent.len.to_string()),
        ],
        data_location: Some(1),
        ..tensor(name, element, dims)
    }
}

fn tensor(name: &str, element: Element, dims: &[usize]) -> TensorProto {
    TensorProto {
        dims: dims.iter().map(|dim| signed(*dim)).collect(),
        data_type: Some(element as i32),
        name: Some(name.to_owned()),
        ..TensorProto::default()
    }
}

pub(crate) fn model(graph: proto::GraphProto, version: &str) -> ModelProto {
    let operators =
        |domain: &str, version| OperatorSetIdProto { domain: Some(domain.to_owned()), version: Some(version) };
    ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("finch".to_owned()),
        producer_version: Some(version.to_owned()),
        graph: Some(graph),
        opset_import: vec![operators("", OPSET_VERSION), operators(MICROSOFT, 1)],
    }
}

/// Sizes come from a checked file, far below where this could saturate.
fn signed(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
