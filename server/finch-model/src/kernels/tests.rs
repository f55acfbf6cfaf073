use std::collections::BTreeMap;

use super::*;
use crate::{
    checkpoint::Checkpoint,
    gguf::{Gguf, TensorKind},
    graph::{self, Precision, Rounding},
    onnx,
    tiny::{self, TinyArchitecture, TinySpec},
};

fn built(spec: &TinySpec, precision: Precision) -> Vec<u8> {
    let file = tiny::model(spec).expect("a sound spec").into_bytes();
    let checkpoint = Checkpoint::Gguf(Gguf::from_bytes("m.gguf", file).expect("a sound file"));
    let plan = graph::plan(&checkpoint, precision.into(), 100).expect("a plan");
    onnx::model(plan.graph, "0").encode_to_vec()
}

fn nodes(model: &[u8]) -> Vec<NodeProto> {
    ModelProto::decode(model).expect("a model").graph.expect("a graph").node
}

/// How often each operator occurs behind the rewriting, by domain and name.
fn census(model: &[u8]) -> BTreeMap<String, usize> {
    let rewritten = rewrite(model).expect("a model");
    nodes(&rewritten).iter().fold(BTreeMap::new(), |mut census, node| {
        let name = format!("{}.{}", node.domain.as_deref().unwrap_or_default(), operator(node));
        *census.entry(name).or_default() += 1;
        census
    })
}

#[track_caller]
fn check(model: &[u8], expected: &[(&str, usize)]) {
    let expected = expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    assert_eq!(census(model), expected);
}

#[test]
fn quantised_layers_become_four_operators() {
    for precision in [Precision::Int4, Precision::Int8] {
        for architecture in [TinyArchitecture::Llama, TinyArchitecture::Qwen2] {
            check(
                &built(&TinySpec { architecture, ..TinySpec::default() }, precision),
                &[
                    (".SimplifiedLayerNormalization", 1),
                    (".Slice", 1),
                    ("com.microsoft.GatherBlockQuantized", 1),
                    ("com.microsoft.SkipSimplifiedLayerNormalization", 4),
                    ("finch.Attention", 2),
                    ("finch.GatedLinear", 2),
                    ("finch.Linear", 2 * 3 + 1),
                ],
            );
        }
    }
}

#[test]
fn float_layers_keep_their_products() {
    let census = census(&built(&TinySpec::default(), Precision::Floats(Rounding::None)));
    assert_eq!(census.get("finch.Linear"), None);
    assert_eq!(census.get("com.microsoft.FusedMatMul"), Some(&11));
    assert_eq!(census.get("finch.Attention"), Some(&2));
}

#[test]
fn a_gated_pair_keeps_its_zeros_apart() {
    let symmetric = TinySpec { tensor_type: TensorKind::Q4_0, ..TinySpec::default() };
    for (spec, inputs) in [(TinySpec::default(), 7), (symmetric, 6)] {
        let rewritten = rewrite(&built(&spec, Precision::Int4)).expect("a model");
        let nodes = nodes(&rewritten);
        let gated = nodes.iter().find(|node| operator(node) == GATED).expect("a gated pair");
        assert_eq!(gated.input.len(), inputs);
        assert_eq!(gated.input[0], "blk.0.ffn_norm");
        assert_eq!(gated.input[1], "blk.0.ffn_gate.codes");
        assert_eq!(gated.input[4], "blk.0.ffn_up.codes");
        assert_eq!(gated.output, ["blk.0.ffn_inner"]);
        assert_eq!(gated.input[3].is_empty(), inputs == 6);
    }
}

/// The model with every node changed.
fn spoilt(precision: Precision, spoil: impl Fn(&mut NodeProto)) -> Vec<u8> {
    let mut model = ModelProto::decode(&*built(&TinySpec::default(), precision)).expect("a model");
    model.graph.iter_mut().flat_map(|graph| &mut graph.node).for_each(spoil);
    model.encode_to_vec()
}

fn set(node: &mut NodeProto, name: &str, value: i64) {
    for attribute in node.attribute.iter_mut().filter(|it| it.name.as_deref() == Some(name)) {
        attribute.i = Some(value);
    }
}

#[test]
fn what_has_no_kernel_stays_as_it_is() {
    let without = |model: &[u8], name: &str| assert_eq!(census(model).get(name), None);
    without(&spoilt(Precision::Int4, |node| set(node, "block_size", 64)), "finch.Linear");
    without(&spoilt(Precision::Int4, |node| set(node, "bits", 2)), "finch.Linear");
    without(&spoilt(Precision::Int4, |node| set(node, "K", 48)), "finch.Linear");
    without(&spoilt(Precision::Int4, |node| set(node, "rotary_interleaved", 1)), "finch.Attention");
    without(&spoilt(Precision::Int4, |node| set(node, "do_rotary", 0)), "finch.Attention");
    let bias = |node: &mut NodeProto| {
        if operator(node) == "GroupQueryAttention" {
            node.input.resize(10, String::new());
            node.input.push("attention_bias".to_owned());
        }
    };
    without(&spoilt(Precision::Int4, bias), "finch.Attention");
    let gelu = |node: &mut NodeProto| {
        if operator(node) == "Sigmoid" {
            node.op_type = Some("Tanh".to_owned());
        }
    };
    without(&spoilt(Precision::Int4, gelu), "finch.GatedLinear");
}

#[test]
fn what_is_no_model_is_an_error() {
    assert!(rewrite(b"\xff\xff\xff").is_err());
    assert_eq!(rewrite(b"").unwrap_err().to_string(), "not an ONNX model: it has no graph");
}
