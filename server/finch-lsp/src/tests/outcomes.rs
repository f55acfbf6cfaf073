//! What becomes of suggestions, from the wire to the journal.

use std::path::Path;

use finch_learn::record::Record;
use finch_learn::{Collect, Journal, read};
use finch_llm::ModelState;
use serde_json::{Value, json};

use super::support::{Client, URI};

const CODE: &str = "fn main() {\n    let total = ";

/// A running session that records, with one document.
async fn recording(folder: &Path, collect: Collect) -> (Client, Journal) {
    let journal = Journal::open(folder.to_owned(), collect, 1);
    let ready = ModelState::Ready { model: "parrot".to_owned() };
    let mut client = Client::connect_recording(ready, 64 * 1024, Some(journal.clone()));
    client.initialize(json!({})).await;
    client.did_open(CODE).await;
    (client, journal)
}

/// Asks at the end of the text and has the model say `text`; the item.
async fn suggest(client: &mut Client, text: &str) -> Value {
    let id = client.complete(1, 16).await;
    client.asked().await.say(text).await;
    client.answer_to(id).await["result"]["items"][0].clone()
}

/// What is in the journal, with what differs from run to run left out.
fn written(folder: &Path, journal: &Journal) -> Vec<Value> {
    journal.close();
    let mut records: Vec<Record> = Vec::new();
    read::records(folder, |record| records.push(record)).unwrap();
    let plain = |record: &Record| {
        let mut value = json!(record);
        for name in ["schema", "at_ms", "session"] {
            assert!(value.as_object_mut().unwrap().remove(name).is_some(), "{name}");
        }
        value
    };
    records.iter().map(plain).collect()
}

fn about(suggestion: u64, event: Value) -> Value {
    let mut value = json!({
        "suggestion": suggestion, "language": "rust", "provider": "scripted", "model": "parrot", "source": "model",
    });
    value.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
    value
}

#[tokio::test(start_paused = true)]
async fn an_acceptance_is_inferred_and_what_is_kept_is_measured() {
    let home = tempfile::tempdir().unwrap();
    let (mut client, journal) = recording(home.path(), Collect::Counts).await;
    suggest(&mut client, "price * count;").await;
    client.type_at(1, 16, "price * count;").await;
    client.explain().await;
    tokio::time::sleep(std::time::Duration::from_secs(31)).await;
    let cut = json!({"start": {"line": 1, "character": 16}, "end": {"line": 1, "character": 23}});
    let document = json!({"uri": URI, "version": 99});
    let change = json!({"textDocument": document, "contentChanges": [{"range": cut, "text": ""}]});
    client.notify("textDocument/didChange", change).await;
    client.explain().await;
    tokio::time::sleep(std::time::Duration::from_secs(300)).await;
    client.explain().await;
    let expected = [
        about(1, json!({"event": "shown"})),
        about(1, json!({"event": "accepted", "kind": "full", "length": 14})),
        about(1, json!({"event": "kept", "after_s": 30, "share": 1.0})),
        about(1, json!({"event": "kept", "after_s": 300, "share": 0.5})),
    ];
    assert_eq!(written(home.path(), &journal), expected);
}

#[tokio::test]
async fn an_editor_converts_line_ends_and_is_understood() {
    let home = tempfile::tempdir().unwrap();
    let (mut client, journal) = recording(home.path(), Collect::Counts).await;
    let uri = "file:///project/crlf.rs";
    let document = json!({"uri": uri, "languageId": "rust", "version": 1, "text": "fn main() {\r\n    if total {"});
    client.notify("textDocument/didOpen", json!({"textDocument": document})).await;
    let id = client.request("textDocument/inlineCompletion", super::support::inline_params(uri, 1, 14)).await;
    client.asked().await.say("\n        count();\n    }\n").await;
    let item = client.answer_to(id).await["result"]["items"][0].clone();
    let text = item["insertText"].as_str().unwrap();
    assert!(text.contains('\n'), "{text:?}");
    let at = json!({"line": 1, "character": 14});
    let change = json!({"range": {"start": at, "end": at}, "text": text.replace('\n', "\r\n")});
    let document = json!({"uri": uri, "version": 2});
    client.notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": [change]})).await;
    client.explain().await;
    let accepted = about(1, json!({"event": "accepted", "kind": "full", "length": text.len()}));
    assert_eq!(written(home.path(), &journal), [about(1, json!({"event": "shown"})), accepted]);
}

#[tokio::test]
async fn what_the_client_reports_is_recorded_once() {
    let home = tempfile::tempdir().unwrap();
    let (mut client, journal) = recording(home.path(), Collect::Counts).await;
    let item = suggest(&mut client, "price;").await;
    client.notify("finch/didShow", json!({"id": 1})).await;
    client.type_at(1, 16, "price;").await;
    client.notify("finch/didAccept", json!({"id": 1, "length": 6, "kind": "full"})).await;
    let accept = json!({"command": "finch.accept", "arguments": item["command"]["arguments"]});
    assert_eq!(client.ask("workspace/executeCommand", accept).await["result"], Value::Null);
    let expected =
        [about(1, json!({"event": "shown"})), about(1, json!({"event": "accepted", "kind": "full", "length": 6}))];
    assert_eq!(written(home.path(), &journal), expected);
}

#[tokio::test]
async fn texts_are_recorded_only_if_they_are_collected() {
    for (collect, has_text) in [(Collect::Counts, false), (Collect::Text, true)] {
        let home = tempfile::tempdir().unwrap();
        let (mut client, journal) = recording(home.path(), collect).await;
        suggest(&mut client, "price;").await;
        client.notify("finch/didShow", json!({"id": 1})).await;
        client.type_at(1, 16, "counts").await;
        let said = client.ask("finch/feedback", json!({"verdict": "bad", "note": "no"})).await;
        assert_eq!(said["result"], json!({"id": 1, "recorded": true}));
        let mut records = written(home.path(), &journal);
        assert!(records[2]["feedback"].take().is_u64(), "{records:?}");
        let mut shown = json!({"event": "shown"});
        let mut feedback = json!({"event": "feedback", "feedback": null, "weight": -10, "note": "no"});
        if has_text {
            shown["text"] = json!({"path": "/project/a.rs", "prefix": CODE, "suffix": "", "offered": "price;"});
            feedback["correction"] = json!("counts");
        }
        let rejected = json!({"event": "rejected", "reason": "typed-over"});
        assert_eq!(records, [about(1, shown), about(1, rejected), about(1, feedback)]);
    }
}

#[tokio::test]
async fn the_command_and_the_request_weigh_alike_and_take_any_suggestion() {
    let home = tempfile::tempdir().unwrap();
    let (mut client, journal) = recording(home.path(), Collect::Counts).await;
    suggest(&mut client, "price;").await;
    client.notify("finch/didShow", json!({"id": 1})).await;
    let command = |said: Value| json!({"command": "finch.feedback", "arguments": [said]});
    let mut asked = Vec::new();
    for (said, id) in [
        (json!({"verdict": "good"}), 1),
        (json!({"verdict": "bad", "minor": true, "id": 1}), 1),
        (json!({"verdict": "bad", "minor": false, "note": "  "}), 1),
    ] {
        let expected = json!({"id": id, "recorded": true});
        let answer = client.ask("workspace/executeCommand", command(said.clone())).await;
        assert_eq!(answer["result"], expected, "{answer}");
        asked.push(client.ask("finch/feedback", said).await["result"] == expected);
    }
    assert_eq!(asked, [true; 3]);
    let weights: Vec<Value> = written(home.path(), &journal).iter().map(|record| record["weight"].clone()).collect();
    assert_eq!(weights, [json!(null), json!(1), json!(1), json!(-3), json!(-3), json!(-10), json!(-10)]);
}

#[tokio::test]
async fn feedback_about_nothing_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let (mut client, _journal) = recording(home.path(), Collect::Counts).await;
    let mut refused = async |said: Value| client.ask("finch/feedback", said).await["error"].clone();
    let error = refused(json!({"verdict": "good"})).await;
    assert_eq!((&error["code"], &error["message"]), (&json!(-32602), &json!("no suggestion was shown yet")));
    let error = refused(json!({"verdict": "good", "id": 7})).await;
    assert_eq!(error["message"], "there is no suggestion 7, or it was too long ago");
    assert_eq!(refused(json!({"verdict": "great"})).await["code"], -32602);
    let bare = json!({"command": "finch.feedback", "arguments": []});
    assert_eq!(client.ask("workspace/executeCommand", bare).await["error"]["code"], -32602);
}

#[tokio::test]
async fn feedback_that_does_not_reach_the_disk_is_an_error_and_all_else_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("journal");
    std::fs::write(&folder, "in the way").unwrap();
    let (mut client, _journal) = recording(&folder, Collect::Counts).await;
    suggest(&mut client, "price;").await;
    client.notify("finch/didShow", json!({"id": 1})).await;
    let error = client.ask("finch/feedback", json!({"verdict": "good"})).await["error"].clone();
    assert_eq!(error["code"], -32803, "{error}");
    assert!(error["message"].as_str().is_some_and(|message| message.contains("cannot be used")), "{error}");
    std::fs::remove_file(&folder).unwrap();
    let said = client.ask("finch/feedback", json!({"verdict": "good"})).await;
    assert_eq!(said["result"], json!({"id": 1, "recorded": true}));
}

#[tokio::test]
async fn without_a_journal_feedback_says_that_nothing_is_recorded() {
    let mut client = Client::open(CODE).await;
    suggest(&mut client, "price;").await;
    let error = client.ask("finch/feedback", json!({"verdict": "good"})).await["error"].clone();
    assert_eq!(error["message"], "nothing is recorded: learning.enabled is false in config.toml");
}

#[tokio::test]
async fn an_excluded_file_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let (mut client, journal) = recording(home.path(), Collect::Text).await;
    let uri = "file:///project/.env";
    let document = json!({"uri": uri, "languageId": "sh", "version": 1, "text": "SECRET="});
    client.notify("textDocument/didOpen", json!({"textDocument": document})).await;
    let params = super::support::inline_params(uri, 0, 7);
    assert_eq!(client.ask("textDocument/inlineCompletion", params).await["result"], Value::Null);
    client.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}})).await;
    client.explain().await;
    assert_eq!(written(home.path(), &journal), Vec::<Value>::new());
}
