//! `finch lsp` behind pipes with a real model: ghost text, reuse of what is computed, and a quick end.

use std::time::Duration;

use serde_json::Value;

use crate::support::client::Client;
use crate::support::finch::{fixture, home_with_a_model};

const URI: &str = "file:///project/demo.py";

fn ready() -> Client {
    let mut client = Client::start(home_with_a_model());
    client.initialize();
    client.wait_until_ready();
    client
}

fn demo() -> String {
    std::fs::read_to_string(fixture("demo.py")).unwrap()
}

#[test]
fn initialize_announces_inline_completion_and_exact_positions() {
    let home = tempfile::tempdir().unwrap();
    let capabilities = Client::start(home.path()).initialize()["capabilities"].clone();
    assert_eq!(capabilities["inlineCompletionProvider"], serde_json::json!({}));
    assert_eq!(capabilities["positionEncoding"], "utf-8");
    assert_eq!(
        capabilities["textDocumentSync"]["change"].as_i64().or(capabilities["textDocumentSync"].as_i64()),
        Some(2)
    );
}

#[test]
fn without_a_model_silence_has_a_reason_and_the_server_lives() {
    let home = tempfile::tempdir().unwrap();
    let mut client = Client::start(home.path());
    client.initialize();
    client.wait_for(|message| message["method"] == "finch/status" && message["params"]["state"] == "absent");
    client.open(URI, &demo());
    let items = client.inline_completion(URI, (16, 4));
    assert!(items.is_null() || items["items"] == serde_json::json!([]), "{items}");
    let why = client.explain_last();
    assert_eq!(why["reason"], "no-model");
    assert!(why.to_string().contains("finch setup"), "{why}");
}

#[test]
fn a_second_request_one_character_later_computes_only_the_tail() {
    let mut client = ready();
    client.open(URI, &demo());
    let first = client.inline_completion(URI, (16, 4));
    assert!(first["items"][0]["insertText"].is_string(), "{first}");
    let cold = client.explain_last();
    // A character that no suggestion begins with, so that the model is asked again.
    client.insert(URI, 2, (16, 4), "ü");
    client.inline_completion(URI, (16, 6));
    let warm = client.explain_last();
    let count = |value: &Value, name: &str| value[name].as_u64().unwrap_or_else(|| panic!("no {name} in {value}"));
    assert!(count(&cold, "prompt_tokens") > 50, "{cold}");
    assert!(
        count(&warm, "cached_tokens") + 16 >= count(&warm, "prompt_tokens") - count(&warm, "suffix_tokens"),
        "{warm}"
    );
}

#[test]
fn a_thousand_changes_then_a_request_is_answered_for_the_last_one() {
    let mut client = ready();
    client.open(URI, "def double(x):\n    return x * 2\n\n\ndef triple(x):\n    return \n");
    for version in 2..1_002 {
        client.insert(URI, version, (0, 0), "#");
    }
    let items = client.inline_completion(URI, (5, 11));
    let why = client.explain_last();
    assert_eq!(why["version"], 1_001, "{items} {why}");
}

#[test]
fn the_server_ends_within_two_seconds_of_its_input() {
    let mut client = ready();
    client.open(URI, &demo());
    client.send(
        "textDocument/inlineCompletion",
        serde_json::json!({
            "textDocument": {"uri": URI}, "position": {"line": 16, "character": 4}, "context": {"triggerKind": 2},
        }),
    );
    let (_, lived_on) = client.close_input();
    assert!(lived_on < Duration::from_secs(2), "{lived_on:?}");
}

#[test]
fn shutdown_and_exit_end_with_code_0_and_exit_alone_with_1() {
    let home = tempfile::tempdir().unwrap();
    let mut client = Client::start(home.path());
    client.initialize();
    client.request("shutdown", Value::Null);
    client.notify("exit", Value::Null);
    assert_eq!(client.close_input().0.code(), Some(0));
    let mut client = Client::start(home.path());
    client.initialize();
    client.notify("exit", Value::Null);
    assert_eq!(client.close_input().0.code(), Some(1));
}
