use std::fs;
use std::ops::ControlFlow;

use super::{Outline, Port, Refusal, number};
use crate::import::{ImportRequest, import};
use crate::manifest::{GRAPH_FILE, Quant, WEIGHTS_FILE};
use crate::tiny::{TinySpec, write_tiny_gguf};

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn field(number: u32, content: &[u8]) -> Vec<u8> {
    [varint(u64::from(number) << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn count(number: u32, count: u64) -> Vec<u8> {
    [varint(u64::from(number) << 3), varint(count)].concat()
}

fn entry(key: &str, value: &str) -> Vec<u8> {
    field(number::TENSOR_EXTERNAL, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
}

/// A tensor of two floats.
fn floats(rest: &[Vec<u8>]) -> Vec<u8> {
    let shape =
        [count(number::TENSOR_DIMS, 2), count(number::TENSOR_TYPE, 1), field(number::TENSOR_NAME, b"w")].concat();
    [shape, rest.concat()].concat()
}

fn tensor_at(location: &str) -> Vec<u8> {
    floats(&[entry("location", location), entry("offset", "0"), entry("length", "8")])
}

fn model(graph: &[u8]) -> Vec<u8> {
    field(number::MODEL_GRAPH, graph)
}

fn initializer(tensor: &[u8]) -> Vec<u8> {
    model(&field(number::GRAPH_INITIALIZER, tensor))
}

fn attribute(number: u32, content: &[u8]) -> Vec<u8> {
    model(&field(number::GRAPH_NODE, &field(number::NODE_ATTRIBUTE, &field(number, content))))
}

fn read(model: &[u8]) -> Result<Outline, Refusal> {
    Outline::of_bytes(model, &|name| (name == WEIGHTS_FILE).then_some(100))
}

#[track_caller]
fn refused(model: &[u8], sentence: &str) {
    let refusal = read(model).unwrap_err().to_string();
    assert!(refusal.contains(sentence), "{refusal}");
}

#[test]
fn weights_beside_the_graph_or_in_it_are_fine() {
    let outline = read(&initializer(&tensor_at(WEIGHTS_FILE))).unwrap();
    assert_eq!(outline.files.into_iter().collect::<Vec<_>>(), [WEIGHTS_FILE]);
    let outline = read(&initializer(&floats(&[field(number::TENSOR_RAW, &[0; 8])]))).unwrap();
    assert_eq!((outline.files.len(), outline.bytes_of), (0, vec![(1, 8)]));
}

#[test]
fn no_other_file_is_pointed_at() {
    let locations = [
        "../out/s",
        "a/../../out/s",
        "/etc/passwd",
        "./model.onnx.data",
        "model.onnx.data/",
        "sub/model.onnx.data",
        "sub\\model.onnx.data",
        "C:model.onnx.data",
        "model.onnx",
        "",
        "model.onnx.data\0",
    ];
    for location in locations {
        for at in [number::ATTRIBUTE_TENSOR, number::ATTRIBUTE_TENSORS] {
            let refusal = read(&attribute(at, &tensor_at(location))).unwrap_err();
            assert_eq!(refusal, Refusal::Elsewhere { location: location.to_owned() });
        }
        let refusal = read(&initializer(&tensor_at(location))).unwrap_err();
        assert_eq!(refusal, Refusal::Elsewhere { location: location.to_owned() });
        // A caller that knows everything does not make a path a name.
        if location.contains(['/', '\\', ':', '\0']) || location.is_empty() {
            let refusal = Outline::of_bytes(&initializer(&tensor_at(location)), &|_| Some(100));
            assert_eq!(refusal, Err(Refusal::Elsewhere { location: location.to_owned() }));
        }
    }
}

#[test]
fn what_loading_suffers_from_is_refused() {
    for location in ["../out/s", "a/../../out/s", "/etc/passwd", WEIGHTS_FILE] {
        let values = field(1, &tensor_at(location));
        refused(&model(&field(number::GRAPH_SPARSE, &values)), "a sparse tensor");
        refused(&attribute(number::ATTRIBUTE_SPARSE, &values), "a sparse tensor");
        refused(&attribute(number::ATTRIBUTE_SPARSES, &values), "a sparse tensor");
    }
    refused(&attribute(number::ATTRIBUTE_GRAPH, b""), "a subgraph");
    refused(&attribute(number::ATTRIBUTE_GRAPHS, b""), "a subgraph");
    refused(&field(number::MODEL_FUNCTIONS, b""), "functions");
    refused(&field(number::MODEL_TRAINING, b""), "a training graph");
}

/// `If` in `If`, as deep as this.
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| {
        let branch = field(number::NODE_ATTRIBUTE, &field(number::ATTRIBUTE_GRAPH, &inner));
        field(number::GRAPH_NODE, &[field(number::NODE_OPERATOR, b"If"), branch.clone(), branch].concat())
    })
}

#[test]
fn nested_graphs_are_refused_at_the_first_level() {
    for depth in [1, 2, 20] {
        refused(&model(&nested(depth)), "a subgraph");
    }
}

#[test]
fn bytes_behind_the_end_of_the_weights_are_refused() {
    let at = |offset: &str| initializer(&floats(&[entry("location", WEIGHTS_FILE), entry("offset", offset)]));
    assert!(read(&at("92")).is_ok());
    refused(&at("93"), "points at bytes 93 to 101 of model.onnx.data, which has 100");
    refused(&at("18446744073709551615"), "points at bytes");
    refused(&at("-1"), "a number out of range");
    refused(&at("99999999999999999999"), "a number out of range");
}

#[test]
fn a_tensor_has_what_it_claims() {
    let sized = |dims: &[u64], element: u64, rest: Vec<u8>| {
        let dims: Vec<u8> = dims.iter().flat_map(|&dim| count(number::TENSOR_DIMS, dim)).collect();
        initializer(&[dims, count(number::TENSOR_TYPE, element), rest].concat())
    };
    let raw = |bytes: usize| field(number::TENSOR_RAW, &vec![0; bytes]);
    assert!(read(&sized(&[3], 22, raw(2))).is_ok(), "4-bit numbers share bytes");
    assert!(read(&sized(&[], 1, raw(4))).is_ok(), "a number alone has no dimensions");
    assert!(read(&sized(&[0], 1, raw(0))).is_ok());
    assert!(read(&sized(&[2], 7, field(7, &[1, 2]))).is_ok(), "numbers may lie in fields of their own");
    refused(&sized(&[2], 1, raw(7)), "claims more than it has: the tensor \"\" is said to take 8 bytes and has 7");
    refused(&sized(&[1 << 62, 4], 1, raw(8)), "said to take too many bytes and has 8");
    refused(&sized(&[1 << 63], 1, Vec::new()), "claims more than it has");
    refused(&sized(&[1_000_000_000], 1, Vec::new()), "claims more than it has");
    refused(&sized(&[2], 99, raw(8)), "a tensor of an unknown type");
    refused(&sized(&[1; 17], 1, raw(4)), "very many dimensions");
    let packed = |rank: usize| field(number::TENSOR_DIMS, &vec![1; rank]);
    assert!(read(&initializer(&[packed(16), count(number::TENSOR_TYPE, 1), raw(4)].concat())).is_ok());
    refused(&initializer(&[packed(17), count(number::TENSOR_TYPE, 1), raw(4)].concat()), "very many dimensions");
    let outside = |length: &str| sized(&[2], 1, [entry("location", WEIGHTS_FILE), entry("length", length)].concat());
    assert!(read(&outside("8")).is_ok());
    refused(&outside("9"), "said to take 8 bytes and has 9");
    refused(&outside("9223372036854775808"), "said to take 8 bytes and has 9223372036854775808");
}

#[test]
fn a_tensor_is_in_one_place_stored_in_a_known_way() {
    let twice = [tensor_at(WEIGHTS_FILE), entry("location", "../out/s")].concat();
    refused(&initializer(&twice), "a tensor in two places");
    refused(&initializer(&[tensor_at(WEIGHTS_FILE), entry("basepath", "/")].concat()), "an unknown way");
}

#[test]
fn bytes_that_are_no_message_are_refused() {
    refused(&[0x3a], "it is cut short");
    refused(&[0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], "it is cut short");
    refused(&[0x3b], "a field of an unknown kind");
    refused(&[0xff; 11], "a number out of range");
    refused(&[0x38, 0x01], "a field of an unknown kind");
}

#[test]
fn the_rows_of_the_rotary_tables_bound_the_positions() {
    let table = |name: &[u8], rows: u64| {
        let tensor =
            [count(number::TENSOR_DIMS, rows), count(number::TENSOR_TYPE, 3), field(number::TENSOR_NAME, name)];
        field(
            number::GRAPH_INITIALIZER,
            &[tensor.concat(), field(number::TENSOR_RAW, &vec![0; rows as usize])].concat(),
        )
    };
    let inputs: Vec<u8> = ["q", "", "", "k", "v", "s", "t", "cos", "sin"]
        .iter()
        .flat_map(|name| field(number::NODE_INPUT, name.as_bytes()))
        .collect();
    let node = [inputs, field(number::NODE_OPERATOR, b"GroupQueryAttention")].concat();
    let graph =
        [field(number::GRAPH_NODE, &node), table(b"cos", 2048), table(b"sin", 1024), table(b"other", 7)].concat();
    assert_eq!(read(&model(&graph)).unwrap().positions, Some(1024));
}

/// The graph of a tiny model, and its weights' length.
fn tiny() -> (Vec<u8>, u64) {
    let home = tempfile::tempdir().unwrap();
    let gguf = home.path().join("tiny.gguf");
    write_tiny_gguf(&gguf, TinySpec { layers: 1, ..TinySpec::default() }).unwrap();
    let request = ImportRequest::new(gguf, "tiny".parse().unwrap(), home.path().join("models"), Quant::Int4);
    let dir = import(request, &mut |_, _| ControlFlow::Continue(())).unwrap();
    (fs::read(dir.join(GRAPH_FILE)).unwrap(), fs::metadata(dir.join(WEIGHTS_FILE)).unwrap().len())
}

#[test]
fn a_graph_of_finch_tells_its_inputs_and_outputs() {
    let (graph, weights) = tiny();
    let outline = Outline::of_bytes(&graph, &|name| (name == WEIGHTS_FILE).then_some(weights)).unwrap();
    assert_eq!((outline.positions, outline.bits), (Some(2048), Some(4)));
    // Queries, keys and values, then what follows them, the gate, up, down and the head.
    assert_eq!(outline.products, [(128, 64), (64, 64), (96, 64), (96, 64), (64, 96), (512, 64)]);
    assert!(outline.token_bytes > 0 && outline.token_bytes < weights, "{}", outline.token_bytes);
    let port = |name: &str, element, dims: &[Option<u64>]| Port {
        name: name.to_owned(),
        element: Some(element),
        dims: dims.to_vec(),
    };
    assert_eq!(outline.input("input_ids"), Some(&port("input_ids", 7, &[None, None])));
    let key = "past_key_values.0.key";
    assert_eq!(outline.input(key), Some(&port(key, 1, &[None, Some(2), None, Some(16)])));
    assert_eq!(outline.output("logits"), Some(&port("logits", 1, &[None, None, Some(512)])));
    assert_eq!((outline.inputs.len(), outline.outputs.len()), (6, 3));
}

#[test]
fn a_graph_that_is_cut_or_changed_is_read_or_refused() {
    let (graph, weights) = tiny();
    let beside = |name: &str| (name == WEIGHTS_FILE).then_some(weights);
    for percent in [1, 50, 99] {
        assert!(Outline::of_bytes(&graph[..graph.len() * percent / 100], &beside).is_err(), "{percent} %");
    }
    let whole = Outline::of_bytes(&graph, &beside).unwrap();
    let (mut random, mut unlike) = (1u64, 0);
    for _ in 0..10_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let bit = (random >> 24) as usize % (graph.len() * 8);
        let mut changed = graph.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        unlike += usize::from(Outline::of_bytes(&changed, &beside).as_ref() != Ok(&whole));
    }
    assert!(unlike > 1_000, "the look sees {unlike} of 10000 flips");
}
