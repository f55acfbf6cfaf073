//! Questions to the client: they hold nothing up, and no answer to them can do harm.

use serde_json::{Value, json};

use super::support::{Client, URI};
use crate::limits::QUESTIONS_MAX;

async fn open_questions(client: &mut Client, count: usize) -> Vec<(i64, Value)> {
    let mut questions = Vec::new();
    for _ in 0..count {
        let id = client.request("test/ask", Value::Null).await;
        let question = client.call("window/showMessageRequest").await["id"].clone();
        questions.push((id, question));
    }
    questions
}

async fn answer(client: &mut Client, question: &Value, title: &str) {
    client.send(json!({"jsonrpc": "2.0", "id": question, "result": {"title": title}})).await;
}

#[tokio::test]
async fn four_open_questions_and_two_hundred_messages_do_not_lock_up() {
    let mut client = Client::open("").await;
    let questions = open_questions(&mut client, 4).await;
    for n in 0..200 {
        client.type_at(0, n, "x").await;
    }
    for (n, (_, question)) in questions.iter().enumerate() {
        answer(&mut client, question, &format!("choice {n}")).await;
    }
    for (n, (id, _)) in questions.iter().enumerate() {
        assert_eq!(client.answer_to(*id).await["result"], format!("choice {n}"));
    }
    let seen = client.ask("test/version", json!({"uri": URI})).await["result"].clone();
    assert_eq!(seen["text"], "x".repeat(200));
}

#[tokio::test]
async fn a_late_answer_to_a_cancelled_question_is_no_event() {
    let mut client = Client::open("").await;
    let questions = open_questions(&mut client, 1).await;
    let (id, question) = &questions[0];
    client.cancel(*id).await;
    assert_eq!(client.answer_to(*id).await["error"]["code"], -32800);
    answer(&mut client, question, "late").await;
    answer(&mut client, question, "twice").await;
    assert_eq!(client.ask("finch/status", Value::Null).await["result"]["state"], "ready");
}

#[tokio::test]
async fn answers_to_what_was_never_asked_are_ignored() {
    let mut client = Client::open("").await;
    for id in [json!(0), json!(999), json!("x"), Value::Null] {
        client.send(json!({"jsonrpc": "2.0", "id": id, "result": null})).await;
        client.send(json!({"jsonrpc": "2.0", "id": id, "error": {"code": 1, "message": "no"}})).await;
    }
    assert_eq!(client.ask("finch/status", Value::Null).await["result"]["state"], "ready");
}

#[tokio::test]
async fn a_refusal_and_an_odd_answer_reach_the_one_who_asked() {
    let mut client = Client::open("").await;
    let questions = open_questions(&mut client, 2).await;
    let error = json!({"code": -32601, "message": "unknown", "extra": true});
    client.send(json!({"jsonrpc": "2.0", "id": questions[0].1, "error": error})).await;
    client.send(json!({"jsonrpc": "2.0", "id": questions[1].1, "result": {"no": "title"}})).await;
    for (id, _) in questions {
        let told = client.answer_to(id).await["result"].as_str().unwrap_or_default().to_owned();
        assert!(told.starts_with("the client refused"), "{told}");
    }
}

#[tokio::test]
async fn only_so_many_questions_are_open_at_once() {
    let mut client = Client::open("").await;
    let questions = open_questions(&mut client, QUESTIONS_MAX).await;
    let refused = client.ask("test/ask", Value::Null).await["result"].clone();
    assert_eq!(refused, "32 questions wait for an answer already");
    answer(&mut client, &questions[0].1, "yes").await;
    assert_eq!(client.answer_to(questions[0].0).await["result"], "yes");
    open_questions(&mut client, 1).await;
}

#[tokio::test]
async fn open_questions_do_not_keep_a_session_from_ending() {
    let mut client = Client::open("").await;
    open_questions(&mut client, 4).await;
    client.close_input();
    client.ended().await;
}
