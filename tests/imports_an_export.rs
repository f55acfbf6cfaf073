//! A ready-made ONNX export becomes a model: installed as it is, and used.

use finch_model::Manifest;
use finch_model::manifest::Layout;
use finch_model::ports::Floats;
use finch_model::tiny::{ExportSpec, TinySpec, write_export, write_tiny_gguf};
use serde_json::Value;

use crate::support::finch::{finch, fixture};

#[test]
fn each_layout_is_imported_and_completes_a_place_as_our_own_build_does() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("own.gguf");
    write_tiny_gguf(&file, TinySpec::default()).unwrap();
    assert_eq!(finch(home.path(), &["model", "import", file.to_str().unwrap(), "--quant", "fp32"]).code, 0);
    let complete = |model: &str| {
        std::fs::write(home.path().join("config.toml"), format!("[engine]\nmodel = \"{model}\"\n")).unwrap();
        let said = finch(home.path(), &["complete", &format!("{}:17:5", fixture("demo.py").display()), "--json"]);
        let json: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}{}", said.out, said.err));
        assert_eq!(json["model"], model);
        assert!(json["generated_tokens"].as_u64().unwrap() > 0, "{json}");
        json["text"].clone()
    };
    let own = complete("own");
    for (id, layout) in [("from-optimum", Layout::Optimum), ("from-genai", Layout::Genai)] {
        let source = home.path().join(id);
        write_export(&file, &source, ExportSpec { layout, floats: Floats::F32 }).unwrap();
        let said = finch(home.path(), &["model", "import", source.to_str().unwrap()]);
        assert_eq!(said.code, 0, "{}", said.err);
        assert_eq!(Manifest::read(&home.path().join("models").join(id)).unwrap().layout, layout);
        assert!(home.path().join("tried").join(format!("{id}.json")).is_file(), "it was tried before it was installed");
        assert_eq!(complete(id), own, "the same weights say the same");
        let probe = finch(home.path(), &["model", "probe", id, "--json"]);
        assert_eq!(probe.code, 0, "{}", probe.err);
    }
}

#[test]
fn an_export_that_does_not_run_is_not_installed() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("own.gguf");
    write_tiny_gguf(&file, TinySpec::default()).unwrap();
    let source = home.path().join("export");
    write_export(&file, &source, ExportSpec { layout: Layout::Optimum, floats: Floats::F32 }).unwrap();
    let graph = source.join("model.onnx");
    let mut bytes = std::fs::read(&graph).unwrap();
    // An operator that there is not.
    while let Some(at) = bytes.windows(7).position(|name| name == b"Softmax") {
        bytes[at..at + 7].copy_from_slice(b"Hardmux");
    }
    std::fs::write(&graph, bytes).unwrap();
    let said = finch(home.path(), &["model", "import", source.to_str().unwrap()]);
    assert!(said.code == 1 && said.err.contains("model.onnx"), "{}", said.err);
    assert!(!home.path().join("models/export").exists());
}
