//! A new user types one command and sees a completion; typed again, it needs no network.

use serde_json::Value;

use crate::support::finch::{Said, finch, fixture, home_with_a_model};

const VARIANCE: &str = "demo.py:17:5";

fn complete(place: &str, flags: &[&str]) -> Said {
    let place = format!("{}", fixture(place.split(':').next().unwrap()).display()) + &place[place.find(':').unwrap()..];
    finch(home_with_a_model(), &[&["complete", &place], flags].concat())
}

#[test]
fn the_first_command_sets_everything_up_and_prints_a_completion() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config.toml"), "[engine]\nmodel = \"smollm2-135m\"\n").unwrap();
    let place = format!("{}:17:5", fixture("demo.py").display());
    let first = finch(home.path(), &["complete", &place]);
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(!first.out.trim().is_empty());
    for said in ["smollm2-135m", "import"] {
        assert!(first.err.contains(said), "does not say {said:?}:\n{}", first.err);
    }
    let again = crate::support::finch::finch_without_a_network(home.path(), &["complete", &place]);
    assert_eq!((again.code, &again.out), (0, &first.out), "{}", again.err);
    assert_eq!(again.err, "", "a second run has nothing to set up");
}

#[test]
fn json_has_the_promised_fields_with_true_counts() {
    let said = complete(VARIANCE, &["--json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["provider"], "local");
    assert_eq!(json["model"], "smollm2-135m");
    assert_eq!(json["reason"], Value::Null);
    assert_eq!(json["range"]["start"], serde_json::json!({"line": 16, "character": 4}));
    assert!(!json["text"].as_str().unwrap().is_empty());
    let count = |name: &str| json[name].as_u64().unwrap_or_else(|| panic!("no {name} in {json}"));
    assert!(count("prompt_tokens") > 50 && count("prompt_tokens") <= 512, "{json}");
    assert_eq!(count("cached_tokens"), 0, "a new process has nothing cached");
    assert!(count("generated_tokens") > 0);
    let ms = |name: &str| json["ms"][name].as_f64().unwrap();
    assert!(ms("total") >= ms("prefill") && ms("prefill") > 0.0, "{json}");
}

#[test]
fn explain_prints_the_exact_prompt_and_what_each_source_of_context_cost() {
    let said = complete(VARIANCE, &["--explain"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("center = mean(values)"), "{}", said.err);
    for source in ["definitions", "recent", "edits", "diagnostics"] {
        let line = said.err.lines().find(|line| line.starts_with(&format!("context.{source} ")));
        assert!(line.is_some_and(|line| line.ends_with(" ms")), "{source}: {}", said.err);
    }
}

#[test]
fn nothing_to_offer_is_exit_code_3_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join(".env");
    std::fs::write(&secret, "KEY=\n").unwrap();
    let place = format!("{}:1:5", secret.display());
    let said = finch(home_with_a_model(), &["complete", &place, "--json"]);
    assert_eq!(said.code, 3, "{}", said.err);
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((json["reason"].as_str(), json["text"].as_str()), (Some("excluded"), Some("")));
}
