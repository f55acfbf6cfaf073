//! One question to the local model: streamed, as JSON, of a given form, and stopped with Ctrl-C.

use std::io::Read as _;
use std::process::Stdio;

use serde_json::Value;

use crate::support::finch::{Said, command, finch, home_with_a_model};

fn ask(arguments: &[&str]) -> Said {
    finch(home_with_a_model(), &[&["ask"], arguments].concat())
}

#[test]
fn an_answer_is_printed_and_nothing_else() {
    let said = ask(&["Name the capital of Italy.", "--tokens", "24"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("Rome") && said.out.ends_with('\n'), "{}", said.out);
    assert!(!said.out.contains("<|im_"), "{}", said.out);
}

#[test]
fn json_has_the_promised_fields_with_true_counts() {
    let said = ask(&["What is the capital of France?", "--system", "Be brief.", "--tokens", "20", "--json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&json["provider"], &json["model"]), (&"local".into(), &"smollm2-135m".into()));
    assert!(!json["text"].as_str().unwrap().is_empty());
    let count = |name: &str| json["usage"][name].as_u64().unwrap_or_else(|| panic!("no {name} in {json}"));
    assert!(count("prompt_tokens") > 10 && (1..=20).contains(&count("generated_tokens")), "{json}");
    assert_eq!(count("cached_tokens"), 0, "a new process has nothing cached");
    let ms = |name: &str| json["ms"][name].as_f64().unwrap();
    assert!(ms("total") >= ms("prefill") + ms("decode") && ms("prefill") > 0.0, "{json}");
}

#[test]
fn an_answer_fits_its_schema_or_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("schema.json");
    let text = r#"{"type": "object", "properties": {"city": {"type": "string", "maxLength": 20},
        "people": {"type": "integer", "minimum": 0, "maximum": 99999999}},
        "required": ["city", "people"], "additionalProperties": false}"#;
    std::fs::write(&schema, text).unwrap();
    let path = schema.to_str().unwrap();
    let said = ask(&["Tell me of Paris.", "--schema", path]);
    assert_eq!(said.code, 0, "{}", said.err);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert!(json["city"].is_string() && json["people"].is_u64() && json.as_object().unwrap().len() == 2, "{json}");
    let cut = ask(&["Tell me of Paris.", "--schema", path, "--tokens", "3"]);
    assert_eq!(cut.code, 1, "{}", cut.out);
    assert!(cut.err.contains("cut off") && cut.err.contains("--tokens"), "{}", cut.err);
    std::fs::write(&schema, r#"{"type": "colour"}"#).unwrap();
    let refused = ask(&["Tell me of Paris.", "--schema", path]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{}", refused.err);
}

#[test]
fn a_model_that_is_not_there_is_named() {
    let said = ask(&["Why?", "--model", "no-such-model"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("no-such-model"), "{}", said.err);
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_an_answer_and_keeps_what_was_said() {
    let mut child = command(home_with_a_model())
        .args(["ask", "Count from one to one thousand, in words.", "--tokens", "4000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut first = [0; 1];
    out.read_exact(&mut first).unwrap();
    let interrupted = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(rest.ends_with('\n'), "the line is ended: {rest:?}");
}
