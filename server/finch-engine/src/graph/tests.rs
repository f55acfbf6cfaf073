use std::fs;

use finch_model::{
    manifest::{GRAPH_FILE, Manifest, Quant, WEIGHTS_FILE},
    tiny::TinySpec,
};

use super::{Facts, Refusal, check, inspect, number};
use crate::testing::TinyModel;

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

fn entry(key: &str, value: &str) -> Vec<u8> {
    let pair = [field(number::ENTRY_KEY, key.as_bytes()), field(number::ENTRY_VALUE, value.as_bytes())].concat();
    field(number::TENSOR_EXTERNAL, &pair)
}

fn tensor_at(location: &str) -> Vec<u8> {
    [field(number::TENSOR_NAME, b"w"), entry("location", location), entry("offset", "0"), entry("length", "8")].concat()
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

#[track_caller]
fn refused(model: &[u8], sentence: &str) {
    let refusal = inspect(model, 100).unwrap_err().to_string();
    assert!(refusal.contains(sentence), "{refusal}");
}

#[test]
fn weights_beside_the_graph_are_fine() {
    assert_eq!(inspect(&initializer(&tensor_at(WEIGHTS_FILE)), 100), Ok(Facts::default()));
    assert_eq!(inspect(&initializer(&field(number::TENSOR_NAME, b"inline")), 0), Ok(Facts::default()));
}

#[test]
fn no_other_file_is_pointed_at() {
    for location in [
        "../out/s",
        "a/../../out/s",
        "/etc/passwd",
        "./model.onnx.data",
        "model.onnx.data/",
        "sub/model.onnx.data",
        "",
        "model.onnx.data\0",
    ] {
        let refusal = inspect(&initializer(&tensor_at(location)), 100).unwrap_err();
        assert_eq!(refusal, Refusal::Elsewhere { location: location.to_owned() });
    }
}

#[test]
fn tensors_in_attributes_are_looked_at_too() {
    let outside = tensor_at("../out/s");
    refused(&attribute(number::ATTRIBUTE_TENSOR, &outside), "points at the file");
    refused(&attribute(number::ATTRIBUTE_TENSORS, &outside), "points at the file");
}

#[test]
fn what_no_graph_of_finch_holds_is_refused() {
    let outside = tensor_at("../out/s");
    refused(&model(&field(number::GRAPH_SPARSE, &outside)), "a sparse tensor");
    refused(&attribute(number::ATTRIBUTE_SPARSE, &outside), "a sparse tensor");
    refused(&attribute(number::ATTRIBUTE_SPARSES, &outside), "a sparse tensor");
    refused(&attribute(number::ATTRIBUTE_GRAPH, b""), "a subgraph");
    refused(&attribute(number::ATTRIBUTE_GRAPHS, b""), "a subgraph");
    refused(&field(number::MODEL_FUNCTIONS, b""), "functions");
    refused(&field(number::MODEL_TRAINING, b""), "a training graph");
}

#[test]
fn bytes_behind_the_end_of_the_weights_are_refused() {
    let at = |offset: &str, length: &str| {
        initializer(&[entry("location", WEIGHTS_FILE), entry("offset", offset), entry("length", length)].concat())
    };
    assert!(inspect(&at("92", "8"), 100).is_ok());
    refused(&at("93", "8"), "points at bytes 93 to 101 of model.onnx.data, which has 100");
    refused(&at("18446744073709551615", "18446744073709551615"), "points at bytes");
    refused(&at("-1", "8"), "a number out of range");
    refused(&at("99999999999999999999", "8"), "a number out of range");
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
        let dims = [varint(u64::from(number::TENSOR_DIMS) << 3), varint(rows)].concat();
        field(number::GRAPH_INITIALIZER, &[dims, field(number::TENSOR_NAME, name)].concat())
    };
    let inputs: Vec<u8> = ["q", "", "", "k", "v", "s", "t", "cos", "sin"]
        .iter()
        .flat_map(|name| field(number::NODE_INPUT, name.as_bytes()))
        .collect();
    let node = [inputs, field(number::NODE_OPERATOR, b"GroupQueryAttention")].concat();
    let graph =
        [field(number::GRAPH_NODE, &node), table(b"cos", 2048), table(b"sin", 1024), table(b"other", 7)].concat();
    assert_eq!(inspect(&model(&graph), 0), Ok(Facts { positions: Some(1024) }));
}

fn tiny() -> (TinyModel, Manifest) {
    let model = TinyModel::new(TinySpec { layers: 1, ..TinySpec::default() }, Quant::Int8);
    let manifest = Manifest::read(&model.dir).unwrap();
    (model, manifest)
}

#[test]
fn a_graph_of_finch_passes_and_tells_its_positions() {
    let (model, manifest) = tiny();
    let facts = check(&model.dir, &manifest).unwrap();
    assert_eq!(facts.positions, Some(manifest.shape.context_tokens_max));
}

#[cfg(unix)]
#[test]
fn links_to_other_files_are_refused() {
    for file in [GRAPH_FILE, WEIGHTS_FILE] {
        let (model, manifest) = tiny();
        let (path, outside) = (model.dir.join(file), model.dir.parent().unwrap().join("outside"));
        fs::rename(&path, &outside).unwrap();
        std::os::unix::fs::symlink(&outside, &path).unwrap();
        let error = check(&model.dir, &manifest).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains("is a link; import the model again"), "{error}");
        fs::remove_file(&path).unwrap();
        fs::hard_link(&outside, &path).unwrap();
        let error = check(&model.dir, &manifest).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains("hard link"), "{error}");
    }
}

#[test]
fn a_file_of_another_size_is_refused() {
    let (model, manifest) = tiny();
    let path = model.dir.join(WEIGHTS_FILE);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let error = check(&model.dir, &manifest).unwrap_err().to_string();
    assert!(error.contains("is not the file of"), "{error}");
}
