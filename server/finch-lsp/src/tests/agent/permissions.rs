//! Questions of permission: each answer counts for its own question, and everything that is not clearly a yes is a no.

use serde_json::{Value, json};

use super::rig::{CODE, Manner, Rig, Say, edit, say};

/// A client that is asked before anything is written.
async fn asked(says: Vec<Say>) -> (Rig, Value, String) {
    let mut rig = Rig::new(Manner { rules: "", ..Manner::full() }, says).await;
    rig.by_hand.push("finch/approve");
    let uri = rig.uri("a.txt");
    rig.open(&uri).await;
    let turn = begin(&mut rig).await;
    let question = rig.until_call("finch/approve").await;
    (rig, question, turn)
}

async fn begin(rig: &mut Rig) -> String {
    let (uri, place) = (rig.uri("a.txt"), json!({"line": 1, "character": 0}));
    let argument = json!({"uri": uri, "range": {"start": place, "end": place}, "instruction": "shout"});
    rig.command("finch.edit", argument).await
}

fn shouting() -> Vec<Say> {
    vec![edit("a.txt", "two", "TWO"), say("Done.")]
}

#[tokio::test]
async fn the_question_shows_the_whole_effect_and_the_refusal_first() {
    let (mut rig, question, turn) = asked(shouting()).await;
    let params = &question["params"];
    assert_eq!(params["turn"], turn);
    let effect = params["effect"].as_str().unwrap();
    assert!(effect.contains("a.txt") && effect.contains("-two") && effect.contains("+TWO"), "{effect}");
    assert_eq!(params["choices"][0], json!({"id": "no", "label": "Deny"}));
    assert_eq!(params["choices"][1]["id"], "once");
    rig.answer(&question, json!({"id": params["id"], "choice": "once"})).await;
    assert_eq!(rig.ended().await.0, "done");
    assert_eq!(rig.text("a.txt"), CODE.replace("two", "TWO"));
}

/// An answer that is no yes to this question. `ID` is the question's own name.
async fn check_denied(answer: &str, told: &str) {
    let (mut rig, question, _) = asked(shouting()).await;
    let id = question["params"]["id"].as_str().unwrap();
    let answer: Value = serde_json::from_str(&answer.replace("ID", id)).unwrap();
    rig.answer(&question, answer.clone()).await;
    rig.ended().await;
    assert_eq!(rig.text("a.txt"), CODE, "{answer}");
    assert!(rig.script.told().contains(told), "{answer}: {}", rig.script.told());
}

#[tokio::test]
async fn whatever_is_no_yes_to_this_question_is_a_no() {
    check_denied("null", "the user said no").await;
    check_denied(r#"{"id": "ID", "choice": "no"}"#, "the user said no").await;
    check_denied(r#"{"id": "ID", "choice": "no", "reason": "not in this file"}"#, "the user said no: not in this file")
        .await;
    check_denied(r#"{"id": "another", "choice": "always"}"#, "the user said no").await;
    check_denied(r#"{"id": "ID", "choice": "yes"}"#, "no").await;
    check_denied(r#"{"choice": "once"}"#, "no").await;
    check_denied(r#""once""#, "no").await;
    // What was not offered: there is no pattern of edits that is safe.
    check_denied(r#"{"id": "ID", "choice": "like"}"#, "none of those offered").await;
}

#[tokio::test]
async fn a_client_that_does_not_know_the_question_says_no() {
    let (mut rig, question, _) = asked(shouting()).await;
    let error = json!({"code": -32601, "message": "unknown"});
    rig.client.send(json!({"jsonrpc": "2.0", "id": question["id"], "error": error})).await;
    rig.ended().await;
    assert_eq!(rig.text("a.txt"), CODE);
}

#[tokio::test]
async fn a_question_is_taken_back_when_the_turn_stops_and_late_answers_do_nothing() {
    let (mut rig, question, turn) = asked(shouting()).await;
    rig.client.notify("finch/turnCancel", json!({"turn": turn})).await;
    let cancel = rig.until_call("$/cancelRequest").await;
    assert_eq!(cancel["params"], json!({"id": question["id"]}));
    let yes = json!({"id": question["params"]["id"], "choice": "always"});
    rig.answer(&question, yes.clone()).await;
    rig.answer(&question, yes).await;
    assert!(rig.find(|call| call["params"]["kind"] == "ended").await["params"]["outcome"] == "stopped");
    assert_eq!(rig.client.ask("finch/status", Value::Null).await["result"]["state"], "ready");
    assert_eq!(rig.text("a.txt"), CODE);
    let stored = std::fs::read_to_string(rig.home.path().join("permissions.toml")).unwrap();
    assert_eq!(stored, "", "nothing is kept of it");
}

#[tokio::test]
async fn an_answer_counts_once_and_for_one_question() {
    let says = vec![edit("a.txt", "two", "TWO"), edit("a.txt", "four", "FOUR"), say("Done.")];
    let (mut rig, first, _) = asked(says).await;
    let yes = json!({"id": first["params"]["id"], "choice": "once"});
    rig.answer(&first, yes.clone()).await;
    rig.answer(&first, yes.clone()).await;
    let second = rig.until_call("finch/approve").await;
    assert_ne!(first["params"]["id"], second["params"]["id"]);
    // The answer to the first, given to the second.
    rig.answer(&second, yes).await;
    rig.ended().await;
    assert_eq!(rig.text("a.txt"), CODE.replace("two", "TWO"));
}

#[tokio::test]
async fn an_editor_that_goes_while_it_is_asked_ends_everything() {
    let (mut rig, _, _) = asked(shouting()).await;
    rig.client.close_input();
    rig.client.ended().await;
    assert_eq!(rig.text("a.txt"), CODE);
}

#[tokio::test]
async fn shutdown_stops_the_turn_before_it_is_answered() {
    let (mut rig, _, _) = asked(shouting()).await;
    rig.client.request("shutdown", Value::Null).await;
    let cancel = rig.until_call("$/cancelRequest").await;
    assert!(cancel["params"]["id"].is_number(), "{cancel}");
    rig.client.notify("exit", Value::Null).await;
    assert_eq!(rig.client.ended().await, crate::Ended::Clean);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_answers_is_a_no_in_the_end() {
    let (mut rig, question, _) = asked(shouting()).await;
    // Longer than the gate waits.
    tokio::time::sleep(std::time::Duration::from_secs(700)).await;
    let cancel = rig.until_call("$/cancelRequest").await;
    assert_eq!(cancel["params"], json!({"id": question["id"]}));
    rig.ended().await;
    assert_eq!(rig.text("a.txt"), CODE);
}
