//! Answers that are kept and gone on from, and the events that a stream of one is made of.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use finch_llm::{Answer, Chunk, Image, Message, StopReason, ToolCall, ToolResult};
use serde_json::{Value, json};

use crate::testing::{
    Question, Said, Scripted, Then, done,
    door::{self, Door},
    texts,
};

const PATH: &str = "/v1/responses";

fn door(said: Said) -> Door {
    Door::new(Scripted::new(move |_| said.clone()))
}

/// What the model was asked the last time.
#[track_caller]
fn asked(door: &Door) -> Vec<Message> {
    match door.provider.take_asked().pop() {
        Some(Question::Chat(request)) => request.messages,
        other => panic!("{other:?}"),
    }
}

fn user(text: &str) -> Message {
    Message::User(text.to_owned())
}

#[tokio::test]
async fn a_whole_answer_is_one_object() {
    let door = door(texts(&["Hel", "lo"]));
    let body = json!({"model": "tiny", "input": "Hi", "instructions": "Be brief.", "max_output_tokens": 9});
    let body = door.post(PATH, &body).await.json();
    assert_eq!(asked(&door), [Message::System("Be brief.".to_owned()), user("Hi")]);
    let part = json!({"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []});
    assert_eq!(body["output"][0]["content"], json!([part]));
    assert_eq!((&body["status"], &body["store"], &body["error"]), (&json!("completed"), &json!(false), &Value::Null));
    assert_eq!((&body["instructions"], &body["max_output_tokens"]), (&json!("Be brief."), &json!(9)));
    let usage = json!({
        "input_tokens": 7, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 10,
    });
    assert_eq!(body["usage"], usage);
}

#[tokio::test]
async fn a_stream_builds_the_same_object_event_by_event() {
    let call = ToolCall { id: "c1".to_owned(), name: "read".to_owned(), arguments_json: "{}".to_owned() };
    let chunks = vec![
        Ok(Chunk::Reasoning("hm".to_owned())),
        Ok(Chunk::Text("Hel".to_owned())),
        Ok(Chunk::Text("lo".to_owned())),
        Ok(Chunk::ToolCall(call)),
        done(StopReason::ToolCalls),
    ];
    let door = door(Said { chunks, then: Then::Close });
    let events = door.post(PATH, &json!({"input": "Hi", "stream": true})).await.events();
    let names: Vec<&str> = events.iter().map(|(name, _)| name.strip_prefix("response.").unwrap()).collect();
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(names, expected);
    for (number, (name, data)) in events.iter().enumerate() {
        assert_eq!((&data["sequence_number"], &data["type"]), (&json!(number), &json!(name)));
    }
    let response = &events.last().unwrap().1["response"];
    let done: Vec<&Value> =
        events.iter().filter(|(name, _)| name == "response.output_item.done").map(|(_, data)| &data["item"]).collect();
    assert_eq!(response["output"].as_array().unwrap().iter().collect::<Vec<_>>(), done);
    assert_eq!(response["id"], events[0].1["response"]["id"]);
    let places: Vec<&Value> = events[2..19].iter().map(|(_, data)| &data["output_index"]).collect();
    assert!(places.is_sorted_by_key(|place| place.as_u64()), "{places:?}");
}

#[tokio::test]
async fn an_answer_that_was_cut_off_is_incomplete() {
    let chunks = vec![Ok(Chunk::Text("a".to_owned())), done(StopReason::TokensMax)];
    let door = door(Said { chunks, then: Then::Close });
    let body = door.post(PATH, &json!({"input": "Hi"})).await.json();
    assert_eq!(body["status"], "incomplete");
    assert_eq!(body["incomplete_details"], json!({"reason": "max_output_tokens"}));
    let events = door.post(PATH, &json!({"input": "Hi", "stream": true})).await.events();
    assert_eq!(events.last().unwrap().0, "response.incomplete");
}

#[tokio::test]
async fn what_is_kept_is_gone_on_from_by_the_next_daemon() {
    let door = door(texts(&["four"]));
    let first = door.post(PATH, &json!({"input": "2+2?", "store": true, "instructions": "Be brief."})).await.json();
    assert_eq!(first["store"], true);
    let id = first["id"].as_str().unwrap().to_owned();
    let door = door.reopened();
    door.provider.take_asked();
    let next = json!({"input": "Sure?", "previous_response_id": id, "store": true, "stream": true});
    let events = door.post(PATH, &next).await.events();
    // Instructions are those of one request.
    assert_eq!(asked(&door), [user("2+2?"), Message::Assistant(Answer::text("four")), user("Sure?")]);
    let second = events.last().unwrap().1["response"]["id"].as_str().unwrap().to_owned();
    door.post(PATH, &json!({"input": "Really?", "previous_response_id": second})).await;
    assert_eq!(asked(&door).len(), 5);
    assert_eq!(door.get(&format!("{PATH}/{id}")).await.json(), first);
    let removed = door.respond(Method::DELETE, &format!("{PATH}/{id}"), Body::empty()).await;
    let deleted = json!({"id": id, "object": "response", "deleted": true});
    assert_eq!(door::read(removed).await.json(), deleted);
    let gone = door.get(&format!("{PATH}/{id}")).await;
    assert_eq!((gone.status, &gone.json()["error"]["code"]), (StatusCode::NOT_FOUND, &json!("response_not_found")));
}

#[tokio::test]
async fn nothing_is_kept_that_nobody_asked_for() {
    let door = door(texts(&["four"]));
    for body in [json!({"input": "2+2?"}), json!({"input": "2+2?", "store": false})] {
        let id = door.post(PATH, &body).await.json()["id"].as_str().unwrap().to_owned();
        let next = door.post(PATH, &json!({"input": "Sure?", "previous_response_id": id})).await;
        let error = next.json()["error"].take();
        assert_eq!((next.status, &error["param"]), (StatusCode::NOT_FOUND, &json!("previous_response_id")));
    }
    let next = door.post(PATH, &json!({"input": "a", "previous_response_id": "../../token"})).await;
    assert_eq!(next.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_tool_and_its_result_go_back_and_forth() {
    let call = ToolCall { id: "c1".to_owned(), name: "read".to_owned(), arguments_json: "{}".to_owned() };
    let chunks = vec![Ok(Chunk::ToolCall(call.clone())), done(StopReason::ToolCalls)];
    let door = door(Said { chunks, then: Then::Close });
    let tools = json!([{"type": "function", "name": "read", "parameters": {"type": "object"}, "strict": false}]);
    let body =
        json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "Read."}]}], "tools": tools});
    let first = door.post(PATH, &body).await.json();
    let item = &first["output"][0];
    assert_eq!(
        (&item["type"], &item["call_id"], &item["arguments"]),
        (&json!("function_call"), &json!("c1"), &json!("{}"))
    );
    door.provider.take_asked();
    let output = json!({"type": "function_call_output", "call_id": "c1", "output": [
        {"type": "input_text", "text": "text"}, {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="},
    ]});
    let body = json!({"input": [{"role": "user", "content": "Read."}, item, output], "tools": tools});
    door.post(PATH, &body).await;
    let answer = Answer { tool_calls: vec![call], ..Answer::default() };
    let result = ToolResult { call_id: "c1".to_owned(), text: "text".to_owned(), is_error: false };
    let picture = Message::Image(Image { media_type: "image/png".to_owned(), base64: "iVBORw0KGgo=".into() });
    assert_eq!(asked(&door), [user("Read."), Message::Assistant(answer), Message::ToolResult(result), picture]);
}

#[tokio::test]
async fn what_nobody_does_is_refused_by_name() {
    #[track_caller]
    fn is_refused(answered: &door::Answered, param: &str) {
        let error = answered.json()["error"].take();
        assert_eq!((answered.status, &error["param"]), (StatusCode::BAD_REQUEST, &json!(param)), "{error}");
    }
    let door = door(texts(&["a"]));
    let refused = async |members: Value, param: &str| {
        let mut body = json!({"input": "Hi"});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        is_refused(&door.post(PATH, &body).await, param);
    };
    refused(json!({"input": null}), "input").await;
    refused(json!({"input": []}), "input").await;
    refused(json!({"input": [{"type": "item_reference", "id": "x"}]}), "input[0].type").await;
    refused(json!({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}), "input[0].content[0].type")
        .await;
    let picture = json!([{"type": "input_image", "image_url": "http://127.0.0.1/a.png"}]);
    refused(json!({"input": [{"role": "user", "content": picture}]}), "input[0].content[0].image_url").await;
    refused(json!({"background": true}), "background").await;
    refused(json!({"conversation": "c"}), "conversation").await;
    refused(json!({"prompt": {"id": "p"}}), "prompt").await;
    refused(json!({"include": ["message.output_text.logprobs"]}), "include").await;
    refused(json!({"tools": [{"type": "web_search"}]}), "tools[0].type").await;
    refused(json!({"max_output_tokens": 0}), "max_output_tokens").await;
    refused(json!({"messages": []}), "messages").await;
    refused(json!({"finch": {"references": ["a"]}}), "finch").await;
    let taken = json!({
        "input": "Hi", "include": ["reasoning.encrypted_content"], "truncation": "auto", "reasoning": {"effort": "low"},
        "text": {"format": {"type": "text"}, "verbosity": "low"}, "background": false, "metadata": {}, "user": "ann",
    });
    assert_eq!(door.post(PATH, &taken).await.status, StatusCode::OK);
}
