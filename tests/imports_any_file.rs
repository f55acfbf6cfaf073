//! A GGUF file of the user's own becomes a model: built, measured against its source, used and removed.

use finch_model::tiny::{TinyArchitecture, TinySpec, write_tiny_gguf};
use serde_json::Value;

use crate::support::finch::{finch, fixture};

/// Imports a small random model with so many bits and uses it.
#[track_caller]
fn check(architecture: TinyArchitecture, quant: &str) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("Some Model.gguf");
    write_tiny_gguf(&file, TinySpec { architecture, ..TinySpec::default() }).unwrap();
    let said = finch(home.path(), &["model", "import", file.to_str().unwrap(), "--quant", quant]);
    assert_eq!(said.code, 0, "{}", said.err);
    let list = finch(home.path(), &["model", "list", "--json"]);
    let rows: Value = serde_json::from_str(&list.out).unwrap();
    let row = rows.as_array().unwrap().iter().find(|row| row["id"] == "some-model").unwrap();
    assert_eq!((&row["installed"], &row["quant"]), (&Value::Bool(true), &Value::from(quant)));
    if quant == "int8" {
        let kl = row["kl"].as_f64().unwrap();
        assert!(kl > 0.0 && kl <= 0.02, "{kl}");
    }
    let place = format!("{}:17:5", fixture("demo.py").display());
    let said = finch(home.path(), &["complete", &place, "--json"]);
    let json: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}{}", said.out, said.err));
    assert_eq!(json["model"], "some-model");
    assert_eq!(said.code, if json["reason"].is_null() { 0 } else { 3 });
    assert!(json["generated_tokens"].as_u64().unwrap() > 0, "{json}");
    assert_eq!(finch(home.path(), &["model", "remove", "some-model"]).code, 0);
    let left = std::fs::read_dir(home.path().join("models")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).filter(|name| name != ".import.lock").collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn every_family_in_8_bits() {
    for architecture in TinyArchitecture::ALL {
        check(architecture, "int8");
    }
}

#[test]
fn a_qwen2_in_full_precision() {
    check(TinyArchitecture::Qwen2, "fp32");
}
