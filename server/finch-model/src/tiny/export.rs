//! Writes a tiny model as a ready-made export, as other tools would, for tests.
//!
//! The weights are those of finch's own build of the same file, so that logits can be compared; the graph's edges are
//! rewritten to what each layout has: for onnxruntime-genai its own attention operator behind a mask, for optimum plain
//! operators and keys and values that are joined. Called by tests through `tiny`.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use prost::Message;
use serde_json::json;

use super::{HubSpec, write_hub};
use crate::import::{ImportRequest, import};
use crate::manifest::{GRAPH_FILE, Layout, Manifest, Quant, Shape, WEIGHTS_FILE};
use crate::onnx::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};
use crate::onnx::{self, Attribute, Dim, Element, MICROSOFT};
use crate::ports::{ATTENTION_MASK, Floats, LOGITS, POSITION_IDS, past, present};

/// What an export is to look like.
#[derive(Clone, Copy, Debug)]
pub struct ExportSpec {
    /// [`Layout::Optimum`] or [`Layout::Genai`].
    pub layout: Layout,
    /// The type of keys, values and logits.
    pub floats: Floats,
}

/// Writes `dir` with the model of `gguf`.
pub fn write_export(gguf: &Path, dir: &Path, spec: ExportSpec) -> io::Result<()> {
    let wrong = |error: &dyn std::fmt::Display| io::Error::new(io::ErrorKind::InvalidInput, error.to_string());
    write_hub(gguf, dir, HubSpec::default())?;
    fs::remove_file(dir.join("model.safetensors"))?;
    let own = tempfile::tempdir()?;
    let id = "own".parse().map_err(|error| wrong(&error))?;
    let request = ImportRequest::new(gguf.to_owned(), id, own.path().to_owned(), Quant::Fp32);
    let built = import(request, &mut |_, _| ControlFlow::Continue(())).map_err(|error| wrong(&error))?;
    let manifest = Manifest::read(&built).map_err(|error| wrong(&error))?;
    let bytes = fs::read(built.join(GRAPH_FILE))?;
    let mut model = ModelProto::decode(bytes.as_slice()).map_err(|error| wrong(&error))?;
    let graph = model.graph.as_mut().ok_or_else(|| wrong(&"no graph"))?;
    let weights = match spec.layout {
        Layout::Genai => "model.onnx.data",
        Layout::Optimum | Layout::Finch => "model.onnx_data",
    };
    let shape = manifest.shape;
    edges(graph, spec.layout);
    match spec.layout {
        Layout::Genai => {
            behind_a_mask(graph);
            fs::remove_file(dir.join("config.json"))?;
            fs::write(dir.join("genai_config.json"), genai_config(&manifest).to_string())?;
        }
        Layout::Optimum | Layout::Finch => plain(graph, &shape),
    }
    if spec.floats == Floats::F16 {
        narrow(graph, shape.layers);
    }
    for entry in graph.initializer.iter_mut().flat_map(|tensor| &mut tensor.external_data) {
        if entry.key.as_deref() == Some("location") {
            entry.value = Some(weights.to_owned());
        }
    }
    fs::write(dir.join(GRAPH_FILE), model.encode_to_vec())?;
    fs::copy(built.join(WEIGHTS_FILE), dir.join(weights)).map(drop)
}

fn genai_config(manifest: &Manifest) -> serde_json::Value {
    let Shape { layers, heads, kv_heads, head_dim, hidden, vocab, context_tokens_max } = manifest.shape;
    json!({
        "model": {
            "type": manifest.architecture,
            "context_length": context_tokens_max,
            "vocab_size": vocab,
            "eos_token_id": manifest.tokens.stop,
            "decoder": {
                "filename": GRAPH_FILE,
                "num_hidden_layers": layers,
                "num_attention_heads": heads,
                "num_key_value_heads": kv_heads,
                "head_size": head_dim,
                "hidden_size": hidden,
            },
        },
        "search": { "past_present_share_buffer": true },
    })
}

/// The inputs of both layouts in place of ours; every token has logits.
fn edges(graph: &mut GraphProto, layout: Layout) {
    let ours = ["seqlens_k", "total_len", "logits_from"];
    graph.input.retain(|input| !ours.contains(&input.name.as_deref().unwrap_or_default()));
    let (batch, seq) = (Dim::Named("batch_size"), Dim::Named("sequence_length"));
    graph.input.push(onnx::value(ATTENTION_MASK, Element::I64, &[batch, Dim::Named("total_sequence_length")]));
    if layout == Layout::Optimum {
        graph.input.push(onnx::value(POSITION_IDS, Element::I64, &[batch, seq]));
    }
    graph.initializer.extend([
        onnx::constant("logits_from", &[1], &[0]),
        onnx::constant("zero", &[], &[0]),
        onnx::constant("one", &[], &[1]),
        onnx::constant("first_axis", &[1], &[1]),
        onnx::constant("second_axis", &[1], &[2]),
    ]);
    let mask_length = [
        onnx::node("Shape", "", &[ATTENTION_MASK], &["mask.shape"], &[]),
        onnx::node("Gather", "", &["mask.shape", "one"], &["mask.length"], &[]),
    ];
    graph.node.splice(0..0, mask_length);
}

/// The lengths that the attention operator asks for, from the mask.
fn behind_a_mask(graph: &mut GraphProto) {
    let cast = [("to", Attribute::Integer(Element::I32 as i64))];
    let lengths = [
        onnx::node(
            "ReduceSum",
            "",
            &[ATTENTION_MASK, "first_axis"],
            &["mask.sum"],
            &[("keepdims", Attribute::Integer(0))],
        ),
        onnx::node("Sub", "", &["mask.sum", "one"], &["mask.last"], &[]),
        onnx::node("Cast", "", &["mask.last"], &["seqlens_k"], &cast),
        onnx::node("Cast", "", &["mask.length"], &["total_len"], &cast),
    ];
    // Behind the two nodes that measure the mask.
    graph.node.splice(2..2, lengths);
}

/// Plain operators in place of the attention operator.
fn plain(graph: &mut GraphProto, shape: &Shape) {
    let [heads, kv_heads, width] = [shape.heads, shape.kv_heads, shape.head_dim].map(|size| size as i64);
    let constants = [
        ("widths", vec![heads * width, kv_heads * width, kv_heads * width]),
        ("plain.heads_apart", vec![0, 0, heads, width]),
        ("plain.kv_heads_apart", vec![0, 0, kv_heads, width]),
        ("grouped", vec![0, kv_heads, heads / kv_heads, -1, width]),
        ("ungrouped", vec![0, heads, -1, width]),
        ("together", vec![0, 0, heads * width]),
        ("both_axes", vec![1, 2]),
    ];
    graph.initializer.extend(constants.iter().map(|(name, numbers)| onnx::constant(name, &[numbers.len()], numbers)));
    graph.initializer.extend([floats("seen", 0.0), floats("unseen", -1e9)]);
    let bias = [
        onnx::node("Range", "", &["zero", "mask.length", "one"], &["places"], &[]),
        onnx::node("Unsqueeze", "", &[POSITION_IDS, "second_axis"], &["standing"], &[]),
        onnx::node("LessOrEqual", "", &["places", "standing"], &["sees"], &[]),
        onnx::node("Where", "", &["sees", "seen", "unseen"], &["bias.flat"], &[]),
        onnx::node("Unsqueeze", "", &["bias.flat", "both_axes"], &["bias"], &[]),
    ];
    graph.node.splice(2..2, bias);
    let nodes = std::mem::take(&mut graph.node);
    let mut layer = 0;
    for node in nodes {
        if node.op_type.as_deref() == Some("GroupQueryAttention") {
            let scale = node.attribute.iter().find(|it| it.name.as_deref() == Some("scale")).and_then(|it| it.f);
            graph.initializer.push(floats(&format!("scale.{layer}"), scale.unwrap_or(1.0)));
            graph.node.extend(attention(layer, &node));
            layer += 1;
        } else {
            graph.node.push(node);
        }
    }
}

/// The attention of a layer, operator by operator.
fn attention(layer: usize, node: &NodeProto) -> Vec<NodeProto> {
    let at = |name: &str| format!("plain.{layer}.{name}");
    let simple = |operator: &str, inputs: &[&str], output: &str| onnx::node(operator, "", inputs, &[output], &[]);
    let turned = |input: &str, output: &str, order: &[i64]| {
        let order = AttributeProto {
            name: Some("perm".to_owned()),
            ints: order.to_vec(),
            r#type: Some(7),
            ..AttributeProto::default()
        };
        NodeProto { attribute: vec![order], ..simple("Transpose", &[input], output) }
    };
    let last = [("axis", Attribute::Integer(-1))];
    // Packed in one, unless heads were normalised before.
    let is_packed = node.input[1].is_empty();
    let mut nodes = Vec::new();
    let [queries, keys, values] = match is_packed {
        true => ["q", "k", "v"].map(at),
        false => [0, 1, 2].map(|input| node.input[input].clone()),
    };
    if is_packed {
        nodes.push(onnx::node("Split", "", &[&node.input[0], "widths"], &[&queries, &keys, &values], &last));
    }
    let inputs = [
        ("q", &queries, "plain.heads_apart"),
        ("k", &keys, "plain.kv_heads_apart"),
        ("v", &values, "plain.kv_heads_apart"),
    ];
    for (name, input, apart) in inputs {
        nodes.push(simple("Reshape", &[input, apart], &at(&format!("{name}.apart"))));
        nodes.push(turned(&at(&format!("{name}.apart")), &at(&format!("{name}.heads")), &[0, 2, 1, 3]));
    }
    for name in ["q", "k"] {
        let inputs = [&*at(&format!("{name}.heads")), POSITION_IDS, &node.input[7], &node.input[8]];
        nodes.push(onnx::node("RotaryEmbedding", MICROSOFT, &inputs, &[&at(&format!("{name}.turned"))], &[]));
    }
    let joined = [("axis", Attribute::Integer(2))];
    let (key, value) = (present(layer, "key"), present(layer, "value"));
    nodes.extend([
        onnx::node("Concat", "", &[&past(layer, "key"), &at("k.turned")], &[&key], &joined),
        onnx::node("Concat", "", &[&past(layer, "value"), &at("v.heads")], &[&value], &joined),
        simple("Reshape", &[&at("q.turned"), "grouped"], &at("q.grouped")),
        simple("Unsqueeze", &[&key, "second_axis"], &at("k.shared")),
        simple("Unsqueeze", &[&value, "second_axis"], &at("v.shared")),
        turned(&at("k.shared"), &at("k.columns"), &[0, 1, 2, 4, 3]),
        simple("MatMul", &[&at("q.grouped"), &at("k.columns")], &at("products")),
        simple("Mul", &[&at("products"), &format!("scale.{layer}")], &at("scaled")),
        simple("Add", &[&at("scaled"), "bias"], &at("biased")),
        onnx::node("Softmax", "", &[&at("biased")], &[&at("shares")], &last),
        simple("MatMul", &[&at("shares"), &at("v.shared")], &at("taken")),
        simple("Reshape", &[&at("taken"), "ungrouped"], &at("ungrouped")),
        turned(&at("ungrouped"), &at("rows"), &[0, 2, 1, 3]),
        simple("Reshape", &[&at("rows"), "together"], &node.output[0]),
    ]);
    nodes
}

fn floats(name: &str, number: f32) -> TensorProto {
    TensorProto {
        data_type: Some(Element::F32 as i32),
        name: Some(name.to_owned()),
        raw_data: Some(number.to_le_bytes().to_vec()),
        ..TensorProto::default()
    }
}

/// Keys, values and logits in 16 bits at the edges.
fn narrow(graph: &mut GraphProto, layers: usize) {
    let caches = (0..layers).flat_map(|layer| ["key", "value"].map(|part| (past(layer, part), present(layer, part))));
    let caches: Vec<(String, String)> = caches.collect();
    let whole = |name: &str| format!("{name}.whole");
    for node in &mut graph.node {
        for name in
            node.input.iter_mut().filter(|name| caches.iter().any(|(past, present)| *name == past || *name == present))
        {
            *name = whole(name);
        }
        for name in
            node.output.iter_mut().filter(|name| *name == LOGITS || caches.iter().any(|(_, present)| *name == present))
        {
            *name = whole(name);
        }
    }
    let cast = |from: &str, to: &str, element: Element| {
        onnx::node("Cast", "", &[from], &[to], &[("to", Attribute::Integer(element as i64))])
    };
    let widened: Vec<NodeProto> = caches.iter().map(|(past, _)| cast(past, &whole(past), Element::F32)).collect();
    graph.node.splice(0..0, widened);
    let outputs = caches.iter().map(|(_, present)| present.as_str()).chain([LOGITS]);
    graph.node.extend(outputs.map(|name| cast(&whole(name), name, Element::F16)));
    for port in graph.input.iter_mut().chain(&mut graph.output) {
        let name = port.name.clone().unwrap_or_default();
        if (name == LOGITS || caches.iter().any(|(past, present)| name == *past || name == *present))
            && let Some(crate::onnx::proto::TypeValue::Tensor(tensor)) =
                port.r#type.as_mut().and_then(|kind| kind.value.as_mut())
        {
            tensor.elem_type = Some(Element::F16 as i32);
        }
    }
}
