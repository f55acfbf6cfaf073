//! What the tests of this crate share: ONNX Runtime, found as it is in production, and tiny models built as real
//! ones are.

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use finch_llm::{Chunk, Done, GenerateStream, LlmError};
use finch_model::{
    chat::TEMPLATE_FILE,
    import::{ImportRequest, import},
    manifest::{MANIFEST_FILE, Quant, TOKENIZER_FILE},
    tiny::{TinySpec, write_tiny_gguf},
};
use serde_json::{Value, json};
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

    /// The same model with more control tokens, the first of them ending an answer, and a chat template.
    pub(crate) fn speaking(controls: &[&str], template: Option<&str>) -> Self {
        let model = Self::new(TinySpec { layers: 1, vocab: 640, ..TinySpec::default() }, Quant::Fp32);
        let path = model.dir.join(TOKENIZER_FILE);
        let mut tokenizer: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let first = 500;
        for (id, name) in (first..).zip(controls) {
            rename(&mut tokenizer, id, name);
        }
        let text = tokenizer.to_string();
        fs::write(&path, &text).unwrap();
        model.amend(&|manifest| {
            let manifest = manifest.replacen("stop = [", &format!("eos = {first}\nstop = [{first}, "), 1);
            let (before, behind) = manifest.split_once("name = \"tokenizer.json\"\nbytes = ").unwrap();
            let (_, behind) = behind.split_once('\n').unwrap_or(("", ""));
            format!("{before}name = \"tokenizer.json\"\nbytes = {}\n{behind}", text.len())
        });
        if let Some(template) = template {
            fs::write(model.dir.join(TEMPLATE_FILE), template).unwrap();
            let entry = format!("\n[[files]]\nname = \"{TEMPLATE_FILE}\"\nbytes = {}\n", template.len());
            model.amend(&|manifest| manifest + &entry);
        }
        model
    }

    fn amend(&self, change: &dyn Fn(String) -> String) {
        let path = self.dir.join(MANIFEST_FILE);
        let without_eos = |text: String| {
            text.lines().filter(|line| !line.starts_with("eos = 6")).collect::<Vec<_>>().join("\n") + "\n"
        };
        let text = without_eos(fs::read_to_string(&path).unwrap());
        fs::write(&path, change(text)).unwrap();
    }

    pub(crate) fn engine(&self, options: EngineOptions) -> Engine {
        Engine::load(&runtime(), &self.dir, options).unwrap()
    }
}

/// Gives the token `id` another name and makes it a control token.
fn rename(tokenizer: &mut Value, id: u64, name: &str) {
    let vocab = tokenizer["model"]["vocab"].as_object_mut().unwrap();
    let old = vocab.iter().find(|(_, at)| at.as_u64() == Some(id)).unwrap().0.clone();
    vocab.remove(&old);
    vocab.insert(name.to_owned(), id.into());
    let merges = tokenizer["model"]["merges"].as_array_mut().unwrap();
    merges.retain(|merge| merge.as_str().unwrap().replacen(' ', "", 1) != old);
    // Some families list the tags of calls and thoughts as text that only happens to be one token.
    let special = !["<think>", "</think>", "<tool_call>", "</tool_call>"].contains(&name);
    let token = json!({
        "id": id, "content": name, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        "special": special,
    });
    tokenizer["added_tokens"].as_array_mut().unwrap().push(token);
}

/// Reads a stream to its end.
pub(crate) fn read(mut stream: GenerateStream) -> Result<(String, Done), LlmError> {
    wait_for(async move {
        let mut text = String::new();
        while let Some(chunk) = stream.next().await {
            match chunk? {
                Chunk::Text(piece) => text.push_str(&piece),
                chunk @ (Chunk::Reasoning(_) | Chunk::ToolCall(_) | Chunk::Unsure(_) | Chunk::Scored(_)) => {
                    panic!("{chunk:?} where text was asked for")
                }
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
