use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use prost::Message;
use tempfile::TempDir;

use super::Export;
use crate::import::{ImportRequest, import};
use crate::manifest::{GRAPH_FILE, Layout, Manifest, Quant};
use crate::onnx::proto::{GraphProto, ModelProto, TypeValue};
use crate::onnx::{self, Dim, Element};
use crate::ports::Floats;
use crate::tiny::{ExportSpec, TinySpec, write_export, write_hub, write_tiny_gguf};

/// What is done to a graph.
type Change = dyn Fn(&mut GraphProto);

struct Source {
    root: TempDir,
    dir: PathBuf,
}

impl Source {
    fn new(layout: Layout, floats: Floats) -> Self {
        let root = tempfile::tempdir().unwrap();
        let gguf = root.path().join("tiny.gguf");
        write_tiny_gguf(&gguf, TinySpec::default()).unwrap();
        let dir = root.path().join("Some Export");
        write_export(&gguf, &dir, ExportSpec { layout, floats }).unwrap();
        Self { root, dir }
    }

    fn optimum() -> Self {
        Self::new(Layout::Optimum, Floats::F32)
    }

    fn import(&self) -> Result<Manifest, String> {
        let models = self.root.path().join("models");
        let request = ImportRequest::new(self.dir.clone(), "export".parse().unwrap(), models, Quant::Int8);
        let dir = import(request, &mut |_, _| ControlFlow::Continue(())).map_err(|error| error.to_string())?;
        Ok(Manifest::read(&dir).unwrap())
    }

    fn edit(&self, change: &Change) {
        let path = self.dir.join(GRAPH_FILE);
        let mut model = ModelProto::decode(&*fs::read(&path).unwrap()).unwrap();
        change(model.graph.as_mut().unwrap());
        fs::write(&path, model.encode_to_vec()).unwrap();
    }

    /// Refused by a sentence that names the graph and this.
    #[track_caller]
    fn refused(&self, says: &str) {
        let error = self.import().unwrap_err();
        assert!(error.contains(GRAPH_FILE) && error.contains(says), "{error}");
        let left = fs::read_dir(self.root.path().join("models"));
        assert!(left.map_or(0, |left| left.filter(|it| it.as_ref().unwrap().path().is_dir()).count()) == 0);
    }
}

#[test]
fn each_layout_is_installed_with_what_its_files_say() {
    for (layout, floats, weights) in [
        (Layout::Optimum, Floats::F32, "model.onnx_data"),
        (Layout::Optimum, Floats::F16, "model.onnx_data"),
        (Layout::Genai, Floats::F16, "model.onnx.data"),
    ] {
        let source = Source::new(layout, floats);
        let manifest = source.import().unwrap();
        let gguf = source.root.path().join("tiny.gguf");
        let request = ImportRequest::new(gguf, "own".parse().unwrap(), source.root.path().join("own"), Quant::Fp32);
        let own = import(request, &mut |_, _| ControlFlow::Continue(())).unwrap();
        let own = Manifest::read(&own).unwrap();
        assert_eq!((manifest.layout, manifest.quant), (layout, Quant::Fp32));
        assert_eq!(manifest.shape, own.shape);
        assert_eq!(manifest.architecture, "llama");
        assert_eq!(manifest.tokens.stop, own.tokens.stop);
        assert!(manifest.files.iter().any(|file| file.name == weights), "{:?}", manifest.files);
        assert_eq!(manifest.source.file, "Some Export");
    }
}

#[test]
fn a_directory_is_known_by_its_files() {
    let check = |dir: &Path, layout: Option<Layout>| assert_eq!(Export::find(dir).map(|it| it.layout), layout);
    let optimum = Source::optimum();
    check(&optimum.dir, Some(Layout::Optimum));
    check(&Source::new(Layout::Genai, Floats::F32).dir, Some(Layout::Genai));
    check(optimum.root.path(), None);
    check(&optimum.root.path().join("tiny.gguf"), None);
    // As hubs of browsers have it: the graph one folder down.
    fs::create_dir(optimum.dir.join("onnx")).unwrap();
    for name in [GRAPH_FILE, "model.onnx_data"] {
        fs::rename(optimum.dir.join(name), optimum.dir.join("onnx").join(name)).unwrap();
    }
    check(&optimum.dir, Some(Layout::Optimum));
    optimum.import().unwrap();
    // Beside weights, our own graph is the better one.
    write_hub(&optimum.root.path().join("tiny.gguf"), &optimum.dir, crate::tiny::HubSpec::default()).unwrap();
    check(&optimum.dir, None);
}

#[test]
fn a_graph_that_finch_cannot_bind_is_refused_by_the_name_of_the_input() {
    let remove = |name: &'static str| {
        move |graph: &mut GraphProto| graph.input.retain(|input| input.name.as_deref() != Some(name))
    };
    let retype = |name: &'static str, element: i32, dims: usize| {
        move |graph: &mut GraphProto| {
            let input = graph.input.iter_mut().find(|input| input.name.as_deref() == Some(name)).unwrap();
            let Some(TypeValue::Tensor(tensor)) = input.r#type.as_mut().unwrap().value.as_mut() else { panic!() };
            tensor.elem_type = Some(element);
            tensor.shape.as_mut().unwrap().dim.truncate(dims);
        }
    };
    let add = |graph: &mut GraphProto| graph.input.push(onnx::value("pixel_values", Element::F32, &[Dim::Fixed(3)]));
    let table: [(&Change, &str); 5] = [
        (&add, "has the input pixel_values, which finch does not know"),
        (&remove("past_key_values.1.value"), "has no input past_key_values.1.value"),
        (&remove("input_ids"), "has no input input_ids"),
        (&retype("past_key_values.1.key", 1, 3), "has past_key_values.1.key of 3 dimensions"),
        (&retype("past_key_values.0.key", 16, 4), "has past_key_values.0.key of elements of type bfloat16"),
    ];
    for (change, says) in table {
        let source = Source::optimum();
        source.edit(change);
        source.refused(says);
    }
}

#[test]
fn weights_are_plain_files_beside_the_graph() {
    let relocate = |to: &'static str| {
        move |graph: &mut GraphProto| {
            for entry in graph.initializer.iter_mut().flat_map(|tensor| &mut tensor.external_data) {
                if entry.key.as_deref() == Some("location") {
                    entry.value = Some(to.to_owned());
                }
            }
        }
    };
    for location in ["../Some Export/model.onnx_data", "/etc/passwd", "tokenizer.json", "missing", "model.toml"] {
        let source = Source::optimum();
        source.edit(&relocate(location));
        source.refused(location);
    }
    let source = Source::optimum();
    let (data, elsewhere) = (source.dir.join("model.onnx_data"), source.root.path().join("elsewhere"));
    let whole = fs::read(&data).unwrap();
    for percent in [0, 1, 50, 99] {
        fs::write(&data, &whole[..whole.len() * percent / 100]).unwrap();
        source.refused("points at bytes");
    }
    fs::remove_file(&data).unwrap();
    fs::write(&elsewhere, whole).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&elsewhere, &data).unwrap();
        source.refused("links are not followed");
        fs::remove_file(&data).unwrap();
        fs::hard_link(&elsewhere, &data).unwrap();
        source.refused("links are not followed");
    }
}

#[test]
fn what_is_missing_beside_the_graph_is_named() {
    for (layout, file) in
        [(Layout::Optimum, "config.json"), (Layout::Optimum, "tokenizer.json"), (Layout::Genai, "tokenizer.json")]
    {
        let source = Source::new(layout, Floats::F32);
        fs::remove_file(source.dir.join(file)).unwrap();
        let error = source.import().unwrap_err();
        assert!(error.contains(&format!("it has no {file}")), "{error}");
    }
    let source = Source::new(Layout::Genai, Floats::F32);
    let path = source.dir.join("genai_config.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.replace("\"filename\":\"model.onnx\"", "\"filename\":\"../model.onnx\"")).unwrap();
    let error = source.import().unwrap_err();
    assert!(error.contains("which is no file beside it"), "{error}");
}
