//! The look into an ONNX file before ONNX Runtime sees it: whatever the bytes are, it ends in an outline or a refusal,
//! and no file is pointed at that the model does not have.

#![no_main]

use std::ops::ControlFlow;
use std::sync::LazyLock;

use finch_model::Quant;
use finch_model::import::{ImportRequest, import};
use finch_model::outline::Outline;
use finch_model::tiny::{TinySpec, write_tiny_gguf};
use libfuzzer_sys::fuzz_target;

const WEIGHTS: &str = "model.onnx.data";
const WEIGHTS_BYTES: u64 = 1 << 40;

/// A small whole graph, so that the fuzzer does not have to find one by itself.
static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("finch-fuzz-outline-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let file = folder.join("tiny.gguf");
    write_tiny_gguf(&file, TinySpec { layers: 1, ..TinySpec::default() }).expect("a temporary file");
    let id = "tiny".parse().expect("an id");
    let request = ImportRequest::new(file, id, folder.join("models"), Quant::Int4);
    let built = import(request, &mut |_, _| ControlFlow::Continue(())).expect("a tiny model is built");
    let graph = std::fs::read(built.join("model.onnx")).expect("the graph that was written");
    std::fs::remove_dir_all(&folder).expect("the folder that was made");
    look(&graph);
    graph
});

fuzz_target!(|bytes: &[u8]| {
    look(bytes);
    let mut graph = WHOLE.clone();
    // Three bytes of input say where a byte is replaced and by what.
    for patch in bytes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([patch[0], patch[1]])) % graph.len();
        graph[at] = patch[2];
    }
    look(&graph);
});

fn look(graph: &[u8]) {
    if let Ok(outline) = Outline::of_bytes(graph, &|name| (name == WEIGHTS).then_some(WEIGHTS_BYTES)) {
        assert!(outline.files.iter().all(|file| file == WEIGHTS), "{:?}", outline.files);
        assert!(outline.inputs.len() + outline.outputs.len() <= graph.len());
    }
}
