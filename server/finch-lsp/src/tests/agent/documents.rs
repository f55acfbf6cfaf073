//! Edits on their way into documents: races with the user, refusals, files that come and go.

use serde_json::{Value, json};

use super::rig::{CODE, Manner, Rig, Say, edit, say};
use crate::limits::APPLY_TRIES_MAX;

async fn rig(manner: Manner, says: Vec<Say>) -> (Rig, String) {
    let mut rig = Rig::new(manner, says).await;
    let uri = rig.uri("a.txt");
    rig.open(&uri).await;
    (rig, uri)
}

async fn begin(rig: &mut Rig, uri: &str) -> String {
    let place = json!({"line": 1, "character": 0});
    let argument = json!({"uri": uri, "range": {"start": place, "end": place}, "instruction": "shout"});
    rig.command("finch.edit", argument).await
}

fn shouting() -> Vec<Say> {
    vec![edit("a.txt", "two", "TWO"), say("Done.")]
}

#[tokio::test]
async fn an_edit_bears_the_version_and_says_whose_it_is() {
    let (mut rig, uri) = rig(Manner::full(), shouting()).await;
    begin(&mut rig, &uri).await;
    let call = rig.until_call("workspace/applyEdit").await;
    assert_eq!(call["params"]["label"], "finch: Edit");
    let change = &call["params"]["edit"]["documentChanges"][0];
    assert_eq!(change["textDocument"], json!({"uri": uri, "version": 1}));
    let range = json!({"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 3}});
    assert_eq!(change["edits"], json!([{"range": range, "newText": "TWO", "annotationId": "finch"}]));
    assert_eq!(rig.ended().await.0, "done");
}

#[tokio::test]
async fn what_was_typed_while_the_edit_was_on_its_way_is_kept_and_the_edit_comes_again() {
    let (mut rig, uri) = rig(Manner::full(), shouting()).await;
    rig.by_hand.push("workspace/applyEdit");
    begin(&mut rig, &uri).await;
    let first = rig.until_call("workspace/applyEdit").await;
    rig.change(&uri, "zero\none\ntwo\nthree\nfour\nfive\n").await;
    let applied = rig.apply(&first["params"]["edit"]).await;
    assert!(!applied, "the version is another one");
    rig.answer(&first, json!({"applied": applied, "failureReason": "newer"})).await;
    rig.by_hand.clear();
    assert_eq!(rig.ended().await.0, "done");
    assert_eq!(rig.text("a.txt"), format!("zero\n{}", CODE.replace("two", "TWO")));
}

/// An editor that drops the edit of an older version and says that it made it.
#[tokio::test]
async fn an_editor_that_only_says_it_made_the_edit_is_not_believed() {
    let (mut rig, uri) = rig(Manner::full(), shouting()).await;
    rig.by_hand.push("workspace/applyEdit");
    begin(&mut rig, &uri).await;
    let first = rig.until_call("workspace/applyEdit").await;
    rig.change(&uri, "zero\none\ntwo\nthree\nfour\nfive\n").await;
    rig.answer(&first, json!({"applied": true})).await;
    let second = rig.until_call("workspace/applyEdit").await;
    assert_eq!(second["params"]["edit"]["documentChanges"][0]["textDocument"]["version"], 2);
    assert!(rig.apply(&second["params"]["edit"]).await);
    rig.answer(&second, json!({"applied": true})).await;
    assert_eq!(rig.ended().await.0, "done");
    assert_eq!(rig.text("a.txt"), format!("zero\n{}", CODE.replace("two", "TWO")));
}

#[tokio::test(start_paused = true)]
async fn an_editor_that_does_nothing_is_an_error_and_the_edit_does_not_come_twice() {
    let (mut rig, uri) = rig(Manner::full(), shouting()).await;
    rig.by_hand.push("workspace/applyEdit");
    begin(&mut rig, &uri).await;
    let call = rig.until_call("workspace/applyEdit").await;
    rig.answer(&call, json!({"applied": true})).await;
    let (outcome, message) = rig.ended().await;
    assert_eq!(outcome, "failed");
    assert!(message.contains("says that it made the edits") && message.contains("a.txt"), "{message}");
    assert_eq!(rig.text("a.txt"), CODE);
}

#[tokio::test]
async fn what_meets_what_was_typed_is_never_overwritten() {
    let (mut rig, uri) = rig(Manner::full(), shouting()).await;
    rig.by_hand.push("workspace/applyEdit");
    begin(&mut rig, &uri).await;
    let call = rig.until_call("workspace/applyEdit").await;
    let typed = CODE.replace("two", "zwei");
    rig.change(&uri, &typed).await;
    rig.answer(&call, json!({"applied": false})).await;
    let (outcome, message) = rig.ended().await;
    assert_eq!(outcome, "failed");
    assert!(message.contains("a.txt was changed meanwhile where the edits are"), "{message}");
    assert_eq!((rig.documents[&uri].1.as_str(), rig.text("a.txt").as_str()), (typed.as_str(), CODE));
}

#[tokio::test]
async fn a_user_who_never_stops_typing_ends_the_tries() {
    let (mut rig, uri) = rig(Manner::full(), shouting()).await;
    rig.by_hand.push("workspace/applyEdit");
    begin(&mut rig, &uri).await;
    for n in 0..APPLY_TRIES_MAX {
        let call = rig.until_call("workspace/applyEdit").await;
        rig.change(&uri, &format!("{n}\n{CODE}")).await;
        rig.answer(&call, json!({"applied": false, "failureReason": "newer"})).await;
    }
    let (outcome, message) = rig.ended().await;
    assert_eq!(outcome, "failed");
    assert!(message.contains("did not take the edits"), "{message}");
}

#[tokio::test]
async fn a_refusal_has_its_reason_told() {
    let (mut rig, uri) = rig(Manner::full(), shouting()).await;
    rig.by_hand.push("workspace/applyEdit");
    begin(&mut rig, &uri).await;
    let call = rig.until_call("workspace/applyEdit").await;
    tokio::time::pause();
    rig.answer(&call, json!({"applied": false, "failureReason": "the file is read-only"})).await;
    let (outcome, message) = rig.ended().await;
    assert_eq!(outcome, "failed");
    assert!(message.contains("the file is read-only"), "{message}");
}

#[tokio::test]
async fn files_are_made_where_the_editor_can() {
    let says = || vec![Say::Call("Write", json!({"path": "new.txt", "content": "fresh\n"})), say("Done.")];
    let (mut full, uri) = rig(Manner::full(), says()).await;
    begin(&mut full, &uri).await;
    assert_eq!(full.ended().await.0, "done");
    assert_eq!(full.text("new.txt"), "fresh\n");
    let mut manner = Manner::full();
    manner.capabilities["workspace"]["workspaceEdit"] = json!({"documentChanges": true});
    let (mut plain, uri) = rig(manner, says()).await;
    begin(&mut plain, &uri).await;
    let (outcome, message) = plain.ended().await;
    assert_eq!(outcome, "failed");
    assert!(message.contains("this editor cannot make files"), "{message}");
    assert!(!plain.path("new.txt").exists());
}

#[tokio::test]
async fn what_cannot_be_saved_is_told() {
    let (mut rig, uri) = rig(Manner::full(), shouting()).await;
    rig.by_hand.push("finch/save");
    begin(&mut rig, &uri).await;
    let call = rig.until_call("finch/save").await;
    assert_eq!(call["params"], json!({"uris": [uri]}));
    rig.answer(&call, json!({"failed": [{"uri": uri, "reason": "no space left"}]})).await;
    let (outcome, message) = rig.ended().await;
    assert_eq!(outcome, "failed");
    assert!(message.contains("could not save") && message.contains("no space left"), "{message}");
}

#[tokio::test]
async fn a_document_whose_text_is_lost_is_not_edited_behind_the_editor() {
    let (mut rig, uri) = rig(Manner::full(), shouting()).await;
    begin_lost(&mut rig, &uri).await;
    let (outcome, message) = rig.ended().await;
    assert_eq!(outcome, "failed");
    assert!(message.contains("with a text that finch does not know"), "{message}");
    assert_eq!(rig.text("a.txt"), CODE);
}

/// The version goes backwards, and the text is the editor's alone.
async fn begin_lost(rig: &mut Rig, uri: &str) {
    let other = rig.uri("b.txt");
    std::fs::write(rig.path("b.txt"), "b\n").unwrap();
    rig.open(&other).await;
    let change = json!({"textDocument": {"uri": uri, "version": 0}, "contentChanges": [{"text": "secret"}]});
    rig.client.notify("textDocument/didChange", change).await;
    let place = json!({"line": 0, "character": 0});
    let argument = json!({"uri": other, "range": {"start": place, "end": place}, "instruction": "shout"});
    rig.command("finch.edit", argument).await;
}

#[tokio::test]
async fn a_file_that_was_opened_by_a_link_is_edited_where_it_is_open() {
    let mut rig = Rig::new(Manner::full(), shouting()).await;
    std::os::unix::fs::symlink(rig.path("a.txt"), rig.path("link.txt")).unwrap();
    let uri = rig.uri("link.txt");
    rig.open(&uri).await;
    rig.change(&uri, &CODE.replace("one", "eins")).await;
    begin(&mut rig, &uri).await;
    let call = rig.until_call("workspace/applyEdit").await;
    let change: &Value = &call["params"]["edit"]["documentChanges"][0];
    assert_eq!(change["textDocument"], json!({"uri": uri, "version": 2}));
    assert_eq!(rig.ended().await.0, "done");
    assert_eq!(rig.text("a.txt"), CODE.replace("one", "eins").replace("two", "TWO"));
}
