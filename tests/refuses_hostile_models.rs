//! A model from anywhere is loaded where it can do no harm first: what is wrong with it is told by name, and the editor's
//! server lives.

use std::fs;
use std::path::{Path, PathBuf};

use finch_model::tiny::{TinySpec, write_tiny_gguf};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::finch::{Said, finch, fixture, home_with_a_model};

/// A home whose one model was put there by hand.
struct Found {
    home: TempDir,
    folder: PathBuf,
}

impl Found {
    /// A tiny model that was never loaded here.
    fn new() -> Self {
        let elsewhere = tempfile::tempdir().unwrap();
        let file = elsewhere.path().join("m.gguf");
        write_tiny_gguf(&file, TinySpec { layers: 1, ..TinySpec::default() }).unwrap();
        let said = finch(elsewhere.path(), &["model", "import", file.to_str().unwrap(), "--quant", "fp32"]);
        assert_eq!(said.code, 0, "{}", said.err);
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("models/m");
        copy(&elsewhere.path().join("models/m"), &folder);
        Self { home, folder }
    }

    fn graph(&self) -> PathBuf {
        self.folder.join("model.onnx")
    }

    /// Puts a file in place of one of the model's, and says so in its manifest.
    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.folder.join(name);
        let entry = |bytes: u64| format!("name = \"{name}\"\nbytes = {bytes}\n");
        let stated = entry(fs::metadata(&path).unwrap().len());
        fs::write(&path, bytes).unwrap();
        let manifest = self.folder.join("model.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        fs::write(manifest, text.replace(&stated, &entry(bytes.len() as u64))).unwrap();
    }

    fn complete(&self) -> Said {
        finch(self.home.path(), &["complete", &format!("{}:17:5", fixture("demo.py").display()), "--json"])
    }

    /// The model is refused, and each of these texts is in what is said about it.
    #[track_caller]
    fn refused(&self, says: &[&str]) {
        let said = self.complete();
        assert_eq!(said.code, 1, "{}{}", said.out, said.err);
        for text in says {
            assert!(said.err.contains(text), "does not say {text:?}:\n{}", said.err);
        }
        assert!(!self.home.path().join("tried/m.json").exists(), "it is remembered as one that loads");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A field of a message, by its number in the public schema of ONNX.
fn field(number: u64, content: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn number(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[u8]) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|name| field(1, name.as_bytes())).collect();
    let node = [inputs, field(2, output.as_bytes()), field(4, operator.as_bytes()), attributes.to_vec()];
    field(1, &node.concat())
}

/// The graph with more in it: a message's fields may come in pieces, so what is appended is merged.
fn with(graph: &[u8], more: &[u8]) -> Vec<u8> {
    [graph.to_vec(), field(7, more)].concat()
}

/// A whole number as an initialiser.
fn constant(name: &str, value: u64) -> Vec<u8> {
    let tensor = [number(1, 1), number(2, 7), field(8, name.as_bytes()), field(9, &value.to_le_bytes())];
    field(5, &tensor.concat())
}

/// Zeros, so many.
fn zeros(count: u64) -> Vec<u8> {
    [constant("count", count), node("ConstantOfShape", &["count"], "zeros", &[])].concat()
}

/// A sum that is doubled over and over: a small graph whose constants are large.
fn doublings(times: usize) -> Vec<u8> {
    let axis = field(5, &[field(1, b"axis"), number(3, 0), number(20, 2)].concat());
    let mut nodes = [constant("n0", 1), node("Identity", &["n0"], "d0", &[])].concat();
    for time in 0..times {
        let (from, to) = (format!("d{time}"), format!("d{}", time + 1));
        nodes.extend(node("Concat", &[&from, &from], &to, &axis));
    }
    nodes
}

/// `If` in `If`, as deep as this.
fn nested(depth: usize) -> Vec<u8> {
    (0..depth).fold(Vec::new(), |inner, _| {
        let branch = |name: &[u8]| field(5, &[field(1, name), field(6, &inner), number(20, 5)].concat());
        node("If", &["always"], "out", &[branch(b"then_branch"), branch(b"else_branch")].concat())
    })
}

#[test]
fn graphs_that_are_bombs_are_refused() {
    let found = Found::new();
    let graph = fs::read(found.graph()).unwrap();
    let cyclic = [node("Identity", &["a"], "b", &[]), node("Identity", &["b"], "a", &[])].concat();
    let claims = field(5, &[number(1, 1_000_000_000), number(2, 1), field(8, b"huge")].concat());
    let table: [(Vec<u8>, &str); 6] = [
        (nested(20), "a subgraph"),
        (claims, "claims more than it has"),
        (cyclic, "model.onnx"),
        (zeros(1 << 40), "model.onnx"),
        (zeros(1_000_000_000), "model.onnx"),
        (doublings(50), "model.onnx"),
    ];
    for (more, says) in table {
        found.put("model.onnx", &with(&graph, &more));
        found.refused(&["model.onnx", says]);
    }
}

#[test]
fn tensors_in_other_files_are_refused() {
    let found = Found::new();
    let graph = fs::read(found.graph()).unwrap();
    let secret = found.home.path().join("secret");
    fs::write(&secret, [7; 64]).unwrap();
    let secret = secret.to_str().unwrap();
    for location in ["../../secret", "a/../../../secret", secret, "config.toml", "model.toml", "tokenizer.json"] {
        let entry =
            |key: &str, value: &str| field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat());
        let tensor =
            [number(1, 16), number(2, 1), field(8, b"taken"), entry("location", location), number(14, 1)].concat();
        found.put("model.onnx", &with(&graph, &field(5, &tensor)));
        found.refused(&["model.onnx", location]);
        let constant = |at: u64, content: &[u8]| {
            let value = field(5, &[field(1, b"sparse_value"), field(at, content), number(20, 11)].concat());
            node("Constant", &[], "taken", &value)
        };
        for more in [field(15, &field(1, &tensor)), constant(22, &field(1, &tensor)), constant(5, &tensor)] {
            found.put("model.onnx", &with(&graph, &more));
            found.refused(&["model.onnx"]);
        }
    }
}

#[cfg(unix)]
#[test]
fn files_that_are_other_files_are_refused() {
    use std::os::unix::fs::symlink;
    for name in ["model.onnx", "model.onnx.data", "tokenizer.json"] {
        let found = Found::new();
        let (path, outside) = (found.folder.join(name), found.home.path().join("outside"));
        fs::rename(&path, &outside).unwrap();
        symlink(&outside, &path).unwrap();
        found.refused(&[name, "is a link"]);
        fs::remove_file(&path).unwrap();
        fs::hard_link(&outside, &path).unwrap();
        found.refused(&[name, "hard link"]);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        found.refused(&[name, "not a file"]);
    }
}

#[test]
fn files_cut_short_or_of_impossible_sizes_are_refused_by_name() {
    let found = Found::new();
    for name in ["model.onnx", "model.onnx.data", "tokenizer.json"] {
        let whole = fs::read(found.folder.join(name)).unwrap();
        for percent in [0, 1, 50, 99] {
            let cut = &whole[..whole.len() * percent / 100];
            found.put(name, cut);
            found.refused(&["m"]);
            // And where the manifest knows better.
            found.put(name, &whole);
            fs::write(found.folder.join(name), cut).unwrap();
            found.refused(&[name]);
            found.put(name, &whole);
        }
        found.put(name, &whole);
    }
    let manifest = found.folder.join("model.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    for (from, to) in [("layers = 1", "layers = 9223372036854775807"), ("vocab = 512", "vocab = 16777216")] {
        fs::write(&manifest, text.replace(from, to)).unwrap();
        found.refused(&["model"]);
    }
    fs::write(&manifest, &text).unwrap();
    let said = found.complete();
    assert_ne!(said.code, 1, "whole again, it loads: {}", said.err);
    assert!(found.home.path().join("tried/m.json").exists());
}

#[test]
fn weights_with_a_header_of_two_to_the_63_are_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("m.gguf");
    write_tiny_gguf(&file, TinySpec { layers: 1, ..TinySpec::default() }).unwrap();
    let hub = home.path().join("hub");
    finch_model::tiny::write_hub(&file, &hub, finch_model::tiny::HubSpec::default()).unwrap();
    let weights = hub.join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    bytes[..8].copy_from_slice(&(1u64 << 63).to_le_bytes());
    fs::write(&weights, bytes).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    bytes[8..16].copy_from_slice(&(1u64 << 63).to_le_bytes());
    fs::write(&file, bytes).unwrap();
    for (path, name) in [(&hub, "model.safetensors"), (&file, "m.gguf")] {
        let said = finch(home.path(), &["model", "import", path.to_str().unwrap(), "--id", "m"]);
        assert!(said.code == 1 && said.err.contains(name), "{}", said.err);
    }
}

#[test]
fn code_and_pickled_weights_are_never_loaded() {
    let home = tempfile::tempdir().unwrap();
    for name in ["model.pt", "pytorch_model.bin", "libcustom.so", "adapter.pkl"] {
        let file = home.path().join(name);
        fs::write(&file, b"\x80\x04cos\nsystem\n").unwrap();
        let said = finch(home.path(), &["model", "import", file.to_str().unwrap(), "--id", "m"]);
        assert!(said.code == 1 && said.err.contains(name), "{}", said.err);
    }
    let found = Found::new();
    let graph = fs::read(found.graph()).unwrap();
    fs::write(found.folder.join("libcustom_ops.so"), b"\x7fELF").unwrap();
    let custom = field(1, &[field(2, b"out"), field(4, b"Anything"), field(7, b"custom.ops")].concat());
    found.put("model.onnx", &with(&graph, &custom));
    found.refused(&["model.onnx"]);
}

#[test]
fn a_model_is_tried_once_and_a_build_of_finch_never() {
    let found = Found::new();
    let mark = found.home.path().join("tried/m.json");
    assert_ne!(found.complete().code, 1);
    let first = fs::read(&mark).unwrap();
    let written = fs::metadata(&mark).unwrap().modified().unwrap();
    assert_ne!(found.complete().code, 1);
    assert_eq!(fs::metadata(&mark).unwrap().modified().unwrap(), written, "it was tried again");
    // Somewhere else it is the same model with other times: its bytes are known, so only the stamp is new.
    let graph = fs::read(found.graph()).unwrap();
    fs::remove_file(found.graph()).unwrap();
    fs::write(found.graph(), graph).unwrap();
    assert_ne!(found.complete().code, 1);
    let second = fs::read(&mark).unwrap();
    let part = |mark: &[u8], name: &str| serde_json::from_slice::<Value>(mark).unwrap()[name].clone();
    assert_eq!(part(&first, "digest"), part(&second, "digest"));
    assert_ne!(part(&first, "stamp"), part(&second, "stamp"));
    // What finch fetched and built itself is vouched for as it is installed, before anybody loads it.
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("own.gguf");
    write_tiny_gguf(&file, TinySpec::default()).unwrap();
    assert_eq!(finch(home.path(), &["model", "import", file.to_str().unwrap()]).code, 0);
    assert!(home.path().join("tried/own.json").is_file());
}

/// The server says what is wrong and goes on answering, whatever became of the model.
#[test]
fn a_corrupt_model_leaves_the_editor_a_server_and_a_message() {
    let found = Found::new();
    let graph = fs::read(found.graph()).unwrap();
    for (name, bytes) in [
        ("model.onnx", with(&graph, &nested(20))),
        ("model.onnx", with(&graph, &zeros(1 << 40))),
        ("model.onnx", graph[..graph.len() / 2].to_vec()),
        ("tokenizer.json", b"{}".to_vec()),
    ] {
        let whole = fs::read(found.folder.join(name)).unwrap();
        found.put(name, &bytes);
        let mut client = Client::start(found.home.path());
        client.initialize();
        client.open("file:///project/demo.py", "def double(x):\n    return \n");
        // Asked while the model is tried or when it has failed: the answer is there at once, and empty.
        let items = client.inline_completion("file:///project/demo.py", (1, 11));
        assert!(items.is_null() || items["items"] == serde_json::json!([]), "{items}");
        let failed =
            client.wait_for(|message| message["method"] == "finch/status" && message["params"]["state"] == "failed");
        assert!(failed.to_string().contains(name), "{failed}");
        client.inline_completion("file:///project/demo.py", (1, 11));
        assert_eq!(client.explain_last()["reason"], "no-model");
        client.request("shutdown", Value::Null);
        client.notify("exit", Value::Null);
        assert_eq!(client.close_input().0.code(), Some(0));
        found.put(name, &whole);
    }
}

#[test]
fn a_model_that_was_installed_by_finch_and_changed_since_is_tried_again() {
    let whole = home_with_a_model();
    let home = tempfile::tempdir().unwrap();
    copy(&whole.join("models/smollm2-135m"), &home.path().join("models/smollm2-135m"));
    if whole.join("tried").is_dir() {
        copy(&whole.join("tried"), &home.path().join("tried"));
    }
    let graph = home.path().join("models/smollm2-135m/model.onnx");
    let mut bytes = fs::read(&graph).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0xff);
    fs::write(&graph, bytes).unwrap();
    let place = format!("{}:1:1", fixture("demo.py").display());
    let said = finch(home.path(), &["complete", &place]);
    assert!(said.code == 1 && said.err.contains("model.onnx"), "{}", said.err);
}
