use std::collections::BTreeMap;

use super::*;
use crate::{
    checkpoint::Checkpoint,
    gguf::{Gguf, TensorKind},
    graph::{self, Piece, Precision, Rounding, View},
    onnx::{self, Element, Extent},
    tiny::{self, TinyArchitecture, TinySpec},
};

fn built(spec: &TinySpec, precision: Precision) -> Vec<u8> {
    let file = tiny::model(spec).expect("a sound spec").into_bytes();
    let checkpoint = Checkpoint::Gguf(Gguf::from_bytes("m.gguf", file).expect("a sound file"));
    let mut plan = graph::plan(&checkpoint, precision.into(), 100).expect("a plan");
    let mut offset = 0;
    for weight in &plan.weights {
        let mut places: Vec<(Piece, Extent)> = Vec::new();
        for view in &weight.views {
            let known = places.iter().find(|(piece, _)| *piece == view.piece);
            let extent = known.map_or_else(|| Extent { offset, len: bytes(view) }, |(_, extent)| *extent);
            offset = offset.max(extent.offset + extent.len);
            places.push((view.piece, extent));
            let element = view.piece.element();
            plan.graph.initializer.push(onnx::external(&view.name, element, &view.dims, "model.onnx.data", extent));
        }
    }
    onnx::model(plan.graph, "0").encode_to_vec()
}

fn bytes(view: &View) -> u64 {
    let count: usize = view.dims.iter().product();
    let size = match view.piece.element() {
        Element::F32 | Element::I32 => 4,
        Element::U8 => 1,
        Element::I64 => 8,
        Element::F16 => 2,
    };
    u64::try_from(count * size).expect("a small tensor")
}

fn nodes(model: &[u8]) -> Vec<NodeProto> {
    ModelProto::decode(model).expect("a model").graph.expect("a graph").node
}

/// How often each operator occurs behind the rewriting, by domain and name.
fn census(model: &[u8]) -> BTreeMap<String, usize> {
    let rewritten = rewrite(model).expect("a model").graph;
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
fn a_gated_pair_names_its_matrices_and_nothing_else() {
    let symmetric = TinySpec { tensor_type: TensorKind::Q4_0, ..TinySpec::default() };
    for (spec, shifted) in [(TinySpec::default(), true), (symmetric, false)] {
        let model = built(&spec, Precision::Int4);
        let rewritten = rewrite(&model).expect("a model");
        let nodes = nodes(&rewritten.graph);
        let gated = nodes.iter().find(|node| operator(node) == GATED).expect("a gated pair");
        assert_eq!(
            (gated.input.as_slice(), gated.output.as_slice()),
            (&["blk.0.ffn_norm".to_owned()][..], &["blk.0.ffn_inner".to_owned()][..])
        );
        for name in ["gate", "up"] {
            let number = usize::try_from(integer(gated, name).expect("a number")).expect("a number");
            let stored = &rewritten.matrices[number];
            assert_eq!((stored.bits, stored.block, stored.zeros.is_some()), (4, 32, shifted));
            let codes = format!("blk.0.ffn_{name}.codes");
            assert_eq!(Some(&stored.codes), initialisers(&model).get(&codes), "{name}");
            assert!(!initialisers(&rewritten.graph).contains_key(&codes), "the graph does without");
        }
    }
}

fn initialisers(model: &[u8]) -> HashMap<String, Place> {
    let graph = ModelProto::decode(model).expect("a model").graph.expect("a graph");
    graph.initializer.iter().filter_map(place).collect()
}

#[test]
fn a_head_that_shares_its_codes_with_the_embeddings_leaves_them_there() {
    let model = built(&TinySpec::default(), Precision::Int8);
    let rewritten = rewrite(&model).expect("a model");
    let nodes = nodes(&rewritten.graph);
    let embeddings = nodes.iter().find(|node| operator(node) == "GatherBlockQuantized").expect("embeddings");
    let stays = initialisers(&rewritten.graph);
    let shared = stays.get(&embeddings.input[0]).expect("the codes of the embeddings");
    assert!(rewritten.matrices.iter().any(|stored| stored.codes == *shared), "the head has the same");
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
