//! What the tests of this crate share: ONNX Runtime, found as it is in production, and tiny models built as real
//! ones are.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use finch_llm::{Chunk, Done, GenerateStream, LlmError};
use finch_model::{
    import::{ImportRequest, import},
    manifest::Quant,
    tiny::{TinySpec, write_tiny_gguf},
};
use tempfile::TempDir;

use crate::{Engine, EngineOptions, Runtime, RuntimeLibrary, runtime};

/// The library of this machine. Without one these tests mean nothing, so they fail.
#[track_caller]
pub(crate) fn library() -> RuntimeLibrary {
    match runtime::find(Path::new("")) {
        Ok(library) => library,
        Err(error) => {
            panic!("these tests need ONNX Runtime: name it in ORT_DYLIB_PATH or install Python's onnxruntime: {error}")
        }
    }
}

#[track_caller]
pub(crate) fn runtime() -> Runtime {
    Runtime::load(&library()).unwrap()
}

/// A tiny model: its source and what was built from it.
pub(crate) struct TinyModel {
    root: TempDir,
    pub(crate) gguf: PathBuf,
    pub(crate) dir: PathBuf,
}

impl TinyModel {
    pub(crate) fn new(spec: TinySpec, quant: Quant) -> Self {
        let root = tempfile::tempdir().unwrap();
        let gguf = root.path().join("tiny.gguf");
        write_tiny_gguf(&gguf, spec).unwrap();
        let mut model = Self { root, gguf, dir: PathBuf::new() };
        model.dir = model.build("tiny", quant);
        model
    }

    /// A build of floats for contexts of this length.
    pub(crate) fn for_context(spec: TinySpec, context_tokens_max: usize) -> Self {
        let mut model = Self::new(spec, Quant::Fp32);
        let request = ImportRequest { context_tokens_max, ..model.request("sized", Quant::Fp32) };
        model.dir = import(request, &mut |_, _| ControlFlow::Continue(())).unwrap();
        model
    }

    /// Another build of the same source.
    pub(crate) fn build(&self, id: &str, quant: Quant) -> PathBuf {
        import(self.request(id, quant), &mut |_, _| ControlFlow::Continue(())).unwrap()
    }

    pub(crate) fn request(&self, id: &str, quant: Quant) -> ImportRequest {
        ImportRequest::new(self.gguf.clone(), id.parse().unwrap(), self.root.path().join("models"), quant)
    }

    pub(crate) fn engine(&self, options: EngineOptions) -> Engine {
        Engine::load(&runtime(), &self.dir, options).unwrap()
    }
}

/// Reads a stream to its end.
pub(crate) fn read(mut stream: GenerateStream) -> Result<(String, Done), LlmError> {
    wait_for(async move {
        let mut text = String::new();
        while let Some(chunk) = stream.next().await {
            match chunk? {
                Chunk::Text(piece) => text.push_str(&piece),
                chunk @ (Chunk::Reasoning(_) | Chunk::ToolCall(_)) => panic!("{chunk:?} where text was asked for"),
                Chunk::Done(done) => return Ok((text, done)),
            }
        }
        panic!("the stream ended without an end")
    })
}

/// Runs a future on this thread.
pub(crate) fn wait_for<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
