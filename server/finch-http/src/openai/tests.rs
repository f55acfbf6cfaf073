//! What the routes answer: whole and as streams, and what becomes of failures and of clients that leave.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use finch_llm::{Chunk, LlmError, Provenance, ProviderId, StopReason, ToolCall};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::testing::{
    Question, Said, Scripted, Then, done,
    door::{Answered, Door},
    texts,
};

fn hello() -> Value {
    json!({"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]})
}

fn with(body: Value, members: Value) -> Value {
    let (mut body, members) = (body, members);
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

fn door(said: Said) -> Door {
    Door::new(Scripted::new(move |_| said.clone()))
}

fn call(id: &str) -> Result<Chunk, LlmError> {
    let arguments_json = "{\"city\": \"Rome\"}".to_owned();
    Ok(Chunk::ToolCall(ToolCall { id: id.to_owned(), name: "weather".to_owned(), arguments_json }))
}

fn usage() -> Value {
    let details = json!({"cached_tokens": 4});
    json!({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10, "prompt_tokens_details": details})
}

#[track_caller]
fn refused(answered: &Answered, status: u16, code: &str, param: Option<&str>) {
    let body = answered.json();
    assert_eq!((answered.status.as_u16(), &body["error"]["code"]), (status, &json!(code)), "{body}");
    assert_eq!(body["error"]["param"], json!(param), "{body}");
    assert!(body["error"]["message"].is_string() && body["error"]["type"].is_string(), "{body}");
}

#[tokio::test]
async fn a_whole_answer_says_what_it_cost_and_who_made_it() {
    let answered = door(texts(&["Hel", "lo \n"])).post("/v1/chat/completions", &hello()).await;
    let body = answered.json();
    assert!(body["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert_eq!((&body["object"], &body["model"]), (&json!("chat.completion"), &json!("tiny")));
    let message = json!({"role": "assistant", "content": "Hello \n", "refusal": null});
    let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": "stop"});
    assert_eq!((&body["choices"], &body["usage"]), (&json!([choice]), &usage()));
    assert_eq!((&body["finch"]["provider"], &body["finch"]["reason"]), (&json!("scripted"), &json!("end-of-text")));
    assert_eq!(body["finch"]["usage"]["cached_tokens"], 4);
}

#[tokio::test]
async fn a_stream_has_one_id_a_role_every_blank_and_an_end() {
    let door = door(texts(&["  a", "\n", "\tb "]));
    let answered = door.post("/v1/chat/completions", &with(hello(), json!({"stream": true}))).await;
    let events = answered.data();
    let (end, chunks) = events.split_last().unwrap();
    assert_eq!(end, "[DONE]");
    let deltas: Vec<&Value> = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]).collect();
    let role = json!({"role": "assistant", "content": "", "refusal": null});
    let text = |text: &str| json!({ "content": text });
    assert_eq!(deltas, [&role, &text("  a"), &text("\n"), &text("\tb "), &json!({})]);
    let reasons: Vec<&Value> = chunks.iter().map(|chunk| &chunk["choices"][0]["finish_reason"]).collect();
    assert_eq!(reasons, [&Value::Null, &Value::Null, &Value::Null, &Value::Null, &json!("stop")]);
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"] && chunk["created"] == chunks[0]["created"]));
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk" && chunk.get("usage").is_none()));
    assert_eq!(chunks[0]["finch"]["usage"]["prompt_tokens"], 7);
    assert_eq!((&chunks[4]["finch"]["model"], &chunks[4]["finch"]["reason"]), (&json!("tiny"), &json!("end-of-text")));
    assert!(chunks[4]["finch"]["ms"].is_object());
}

#[tokio::test]
async fn what_a_stream_cost_is_told_behind_it_to_who_asks() {
    let options = json!({"stream": true, "stream_options": {"include_usage": true}});
    let events = door(texts(&["a"])).post("/v1/chat/completions", &with(hello(), options)).await.data();
    let [.., last, cost, end] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((&last["usage"], &last["choices"][0]["finish_reason"]), (&Value::Null, &json!("stop")));
    assert_eq!((&cost["usage"], &cost["choices"]), (&usage(), &json!([])));
    assert_eq!((&cost["finch"]["provider"], end), (&json!("scripted"), &json!("[DONE]")));
}

#[tokio::test]
async fn a_failure_in_the_middle_is_an_event_and_no_end() {
    let failed = LlmError::RateLimited { retry_after: Duration::from_millis(1500) };
    let chunks = vec![Ok(Chunk::Text("a".to_owned())), Err(failed)];
    let door = door(Said { chunks, then: Then::Close });
    for (path, body) in [("/v1/chat/completions", hello()), ("/v1/completions", json!({"prompt": "a"}))] {
        let events = door.post(path, &with(body, json!({"stream": true}))).await.data();
        let error = &events.last().unwrap()["error"];
        assert_eq!((&error["code"], &error["finch"]["retry_after_ms"]), (&json!("rate-limited"), &json!(1500)));
        assert!(events.iter().all(|event| event["choices"][0]["finish_reason"].is_null()), "{events:?}");
    }
    let events = door.post("/v1/responses", &json!({"input": "a", "stream": true})).await.events();
    let (name, data) = events.last().unwrap();
    assert_eq!((name.as_str(), &data["response"]["status"]), ("response.failed", &json!("failed")));
    assert_eq!(data["response"]["error"]["code"], "rate-limited");
}

#[tokio::test]
async fn an_answer_that_just_stops_is_a_failure() {
    let door = door(Said { chunks: vec![Ok(Chunk::Text("a".to_owned()))], then: Then::Close });
    let events = door.post("/v1/chat/completions", &with(hello(), json!({"stream": true}))).await.data();
    assert_eq!(events.last().unwrap()["error"]["code"], "protocol");
    refused(&door.post("/v1/chat/completions", &hello()).await, 502, "protocol", None);
}

#[tokio::test]
async fn a_whole_answer_that_breaks_off_is_asked_for_once_more() {
    let begun = || Ok(Chunk::Text("a".to_owned()));
    let gone = LlmError::Unavailable { reason: "it is gone".to_owned() };
    let cut = [vec![begun(), Err(gone.clone())], vec![begun()]].map(|chunks| Said { chunks, then: Then::Close });
    let requests = [
        ("/v1/chat/completions", hello()),
        ("/v1/completions", json!({"prompt": "a"})),
        ("/v1/responses", json!({"input": "a"})),
        ("/v1/messages", with(hello(), json!({"max_tokens": 9}))),
    ];
    for first in cut {
        for (path, body) in &requests {
            let (first, times) = (first.clone(), AtomicUsize::new(0));
            let script = move |_: &Question| match times.fetch_add(1, Ordering::Relaxed) {
                0 => first.clone(),
                _ => texts(&["whole"]),
            };
            let door = Door::new(Scripted::new(script));
            let answered = door.post(path, body).await;
            assert_eq!(answered.status, StatusCode::OK, "{path}: {}", answered.json());
            let told = answered.json().to_string();
            assert!(told.contains("\"whole\"") && !told.contains("awhole"), "{path}: {told}");
            assert_eq!(door.provider.take_asked().len(), 2, "{path}");
        }
    }
    // Once, and only what broke off: others have been asked already where nobody began, and some errors are an answer.
    for (chunks, times) in [
        (vec![begun(), Err(gone.clone())], 2),
        (vec![Err(gone.clone())], 1),
        (vec![begun(), Err(LlmError::Refused { reason: "no".to_owned() })], 1),
        (vec![begun(), Err(LlmError::Protocol { reason: "odd".to_owned() })], 1),
    ] {
        let door = door(Said { chunks, then: Then::Close });
        for (path, body) in &requests {
            assert_ne!(door.post(path, body).await.status, StatusCode::OK, "{path}");
            assert_eq!(door.provider.take_asked().len(), times, "{path}");
        }
    }
    // Who failed may be left alone for a while; that nobody else is there is not what went wrong.
    for (path, body) in &requests {
        let times = AtomicUsize::new(0);
        let errors = [gone.clone(), LlmError::Refused { reason: "it is left alone".to_owned() }];
        let script = move |_: &Question| {
            let error = errors[times.fetch_add(1, Ordering::Relaxed)].clone();
            let chunks = if error.kind() == "refused" { vec![Err(error)] } else { vec![begun(), Err(error)] };
            Said { chunks, then: Then::Close }
        };
        let answered = Door::new(Scripted::new(script)).post(path, body).await;
        assert_eq!(answered.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {}", answered.json());
    }
}

#[tokio::test]
async fn a_failure_before_anything_was_said_has_a_status() {
    let door = door(Said { chunks: vec![Err(LlmError::Overloaded)], then: Then::Close });
    for stream in [false, true] {
        let answered = door.post("/v1/chat/completions", &with(hello(), json!({"stream": stream}))).await;
        refused(&answered, 429, "overloaded", None);
        assert_eq!(answered.headers["retry-after"], "1");
        let answered = door.post("/v1/completions", &json!({"prompt": "a", "stream": stream})).await;
        refused(&answered, 429, "overloaded", None);
        refused(&door.post("/v1/responses", &json!({"input": "a", "stream": stream})).await, 429, "overloaded", None);
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_work() {
    let door = door(Said { chunks: vec![Ok(Chunk::Text("a".to_owned()))], then: Then::Hang });
    let body = with(hello(), json!({"stream": true})).to_string();
    let response = door.respond(Method::POST, "/v1/chat/completions", body).await;
    let sender = door.provider.take_hanging().remove(0);
    let mut body = response.into_body().into_data_stream();
    body.next().await.unwrap().unwrap();
    assert!(!sender.is_reader_gone());
    drop(body);
    assert!(sender.is_reader_gone());
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_cancels_it_too() {
    let door = door(Said { chunks: Vec::new(), then: Then::Hang });
    for body in [hello(), with(hello(), json!({"stream": true}))] {
        let asked = door.respond(Method::POST, "/v1/chat/completions", body.to_string());
        assert!(tokio::time::timeout(Duration::from_millis(50), asked).await.is_err());
        assert!(door.provider.take_hanging().remove(0).is_reader_gone());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_begins_though_the_model_is_slow() {
    let door = door(Said { chunks: Vec::new(), then: Then::Hang });
    let body = with(hello(), json!({"stream": true})).to_string();
    let response = door.respond(Method::POST, "/v1/chat/completions", body).await;
    assert_eq!(response.status(), StatusCode::OK);
    let sender = door.provider.take_hanging().remove(0);
    let mut body = response.into_body().into_data_stream();
    let first = String::from_utf8(body.next().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(first.contains("\"role\":\"assistant\""), "{first}");
    let sign = body.next().await.unwrap().unwrap();
    assert!(sign.starts_with(b":"), "a sign of life");
    // Who answers is known now, and was not when the stream was opened.
    sender.comes_from(Provenance { provider: ProviderId::new("far"), model: "distant".to_owned() });
    sender.send(Ok(Chunk::Text("hi".to_owned()))).await.unwrap();
    let said = String::from_utf8(body.next().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(said.contains("\"model\":\"distant\""), "{said}");
    sender.send(Err(LlmError::Loading)).await.unwrap();
    let failed = String::from_utf8(body.next().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(failed.contains("\"loading\""), "{failed}");
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn tool_calls_come_whole_and_one_alone_where_that_is_wished() {
    let chunks = vec![call("c1"), call("c2"), done(StopReason::ToolCalls)];
    let door = door(Said { chunks, then: Then::Close });
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let tools = json!({"tools": [{"type": "function", "function": {"name": "weather", "parameters": parameters}}]});
    let body = with(hello(), tools);
    let choice = door.post("/v1/chat/completions", &body).await.json()["choices"][0].take();
    assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &Value::Null));
    let function = json!({"name": "weather", "arguments": "{\"city\": \"Rome\"}"});
    let first = json!({"id": "c1", "type": "function", "function": function});
    let second = json!({"id": "c2", "type": "function", "function": function});
    assert_eq!(choice["message"]["tool_calls"], json!([first, second]));
    let streamed = door.post("/v1/chat/completions", &with(body.clone(), json!({"stream": true}))).await.data();
    let indices: Vec<&Value> =
        streamed.iter().map(|event| &event["choices"][0]["delta"]["tool_calls"][0]["index"]).collect();
    assert_eq!(indices[1..3], [&json!(0), &json!(1)]);
    let one = with(body, json!({"parallel_tool_calls": false}));
    let choice = door.post("/v1/chat/completions", &one).await.json()["choices"][0].take();
    assert_eq!(choice["message"]["tool_calls"], json!([first]));
    let streamed = door.post("/v1/chat/completions", &with(one, json!({"stream": true}))).await;
    assert!(!streamed.text.contains("\"c2\""), "{}", streamed.text);
}

#[tokio::test]
async fn thoughts_and_doubts_are_told_beside_the_text() {
    let chunks = vec![
        Ok(Chunk::Reasoning("hm".to_owned())),
        Ok(Chunk::Unsure(0.25)),
        Ok(Chunk::Text("a".to_owned())),
        done(StopReason::TokensMax),
    ];
    let door = door(Said { chunks, then: Then::Close });
    let body = with(hello(), json!({"stream": true, "finch": {"unsure_below": 0.5}}));
    let events = door.post("/v1/chat/completions", &body).await.data();
    assert_eq!(events[1]["choices"][0]["delta"], json!({"reasoning_content": "hm"}));
    assert_eq!((&events[2]["finch"], &events[2]["choices"][0]["delta"]), (&json!({"unsure": 0.25}), &json!({})));
    assert_eq!(events[4]["choices"][0]["finish_reason"], "length");
    let choice = door.post("/v1/chat/completions", &hello()).await.json()["choices"][0].take();
    assert_eq!(choice["message"]["reasoning_content"], "hm");
    let body = json!({"prompt": "x", "stream": true, "finch": {"unsure_below": 0.5}});
    let events = door.post("/v1/completions", &body).await.data();
    let texts: Vec<&Value> = events.iter().map(|event| &event["choices"][0]["text"]).collect();
    assert_eq!(texts[..4], [&json!(""), &json!(""), &json!("a"), &json!("")]);
    assert_eq!(events[1]["finch"], json!({"unsure": 0.25}));
}

#[tokio::test]
async fn several_answers_take_no_place_of_each_other() {
    let door = door(texts(&["a"]));
    let batch = with(hello(), json!({"n": 2, "seed": 5, "finch": {"client": "me"}}));
    door.post("/v1/chat/completions", &batch).await;
    assert_eq!(told(&door.provider.take_asked()), [("me".to_owned(), 5), ("me".to_owned(), 6)]);
    let body = with(hello(), json!({"n": 3, "seed": 5, "finch": {"client": "me", "lane": "interactive"}}));
    let body = door.post("/v1/chat/completions", &body).await.json();
    assert_eq!(body["choices"].as_array().unwrap().len(), 3);
    assert_eq!((&body["choices"][2]["index"], &body["usage"]["completion_tokens"]), (&json!(2), &json!(9)));
    assert_eq!((&body["usage"]["prompt_tokens"], &body["finch"]["usage"]["prompt_tokens"]), (&json!(7), &json!(21)));
    let expected = [("me", 5), ("me/1", 6), ("me/2", 7)].map(|(client, seed)| (client.to_owned(), seed));
    assert_eq!(told(&door.provider.take_asked()), expected);
}

/// As whom each was asked, and with which seed.
fn told(asked: &[Question]) -> Vec<(String, u64)> {
    let of = |question: &Question| match question {
        Question::Chat(request) => (request.client.as_str().to_owned(), request.sampling.seed),
        Question::Infill(_) => panic!("{question:?}"),
    };
    asked.iter().map(of).collect()
}

#[tokio::test]
async fn a_stranger_takes_nobodys_place() {
    let door = door(texts(&["a"]));
    for _ in 0..2 {
        door.post("/v1/chat/completions", &with(hello(), json!({"finch": {"lane": "interactive"}}))).await;
    }
    let asked = door.provider.take_asked();
    let [Question::Chat(one), Question::Chat(other)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_ne!(one.client, other.client);
}

#[tokio::test]
async fn completions_fill_in_and_repeat_the_prompt_where_they_shall() {
    let door = door(texts(&["1", "2"]));
    let body = json!({"model": "tiny", "prompt": "let a = ", "suffix": ";\n", "max_tokens": 8, "echo": true});
    let answered = door.post("/v1/completions", &body).await.json();
    let choice = json!({"index": 0, "text": "let a = 12", "logprobs": null, "finish_reason": "stop"});
    assert_eq!((&answered["choices"], &answered["usage"]), (&json!([choice]), &usage()));
    assert_eq!(answered["object"], "text_completion");
    let events = door.post("/v1/completions", &with(body, json!({"stream": true}))).await.data();
    let texts: Vec<&Value> = events.iter().map(|event| &event["choices"][0]["text"]).collect();
    assert_eq!(texts[..4], [&json!("let a = "), &json!("1"), &json!("2"), &json!("")]);
    assert_eq!((&events[3]["finch"]["reason"], &events[4]), (&json!("end-of-text"), &json!("[DONE]")));
    let asked = door.provider.take_asked();
    let Question::Infill(infill) = &asked[0] else { panic!("{asked:?}") };
    assert_eq!((infill.prefix.as_str(), infill.suffix.as_str()), ("let a = ", ";\n"));
    assert_eq!((infill.sampling.tokens_max, infill.prompt_tokens_max), (8, 64));
}

#[tokio::test]
async fn a_text_that_is_gone_on_with_is_not_cut() {
    let door = door(texts(&["a"]));
    let long = "word ".repeat(70);
    let answered = door.post("/v1/completions", &json!({"prompt": long})).await;
    refused(&answered, 400, "context_length_exceeded", None);
    assert_eq!(answered.json()["error"]["finch"], json!({"tokens": 70, "tokens_max": 64}));
    assert_eq!(door.post("/v1/completions", &json!({"prompt": long, "suffix": "x"})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn models_are_listed_and_unknown_ones_refused() {
    let door = door(texts(&["a"]));
    let model = json!({"id": "tiny", "object": "model", "created": 1_700_000_000, "owned_by": "local"});
    assert_eq!(door.get("/v1/models").await.json(), json!({"object": "list", "data": [model]}));
    assert_eq!(door.get("/v1/models/tiny").await.json(), model);
    refused(&door.get("/v1/models/owner/other").await, 404, "model_not_found", Some("model"));
    refused(&door.get("/v1/models/..%2F..%2Fetc").await, 400, "invalid_value", Some("model"));
    for path in ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"] {
        let body = json!({"model": "gpt", "messages": [{"role": "user", "content": ""}], "prompt": "", "input": ""});
        let mut body = body;
        let wanted: &[&str] = match path {
            "/v1/chat/completions" => &["model", "messages"],
            "/v1/completions" => &["model", "prompt"],
            _ => &["model", "input"],
        };
        body.as_object_mut().unwrap().retain(|name, _| wanted.contains(&name.as_str()));
        refused(&door.post(path, &body).await, 404, "model_not_found", Some("model"));
    }
    let body = json!({"model": "tiny", "input": "a"});
    refused(&door.post("/v1/embeddings", &body).await, 400, "unsupported_parameter", Some("model"));
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_the_same_shape() {
    let door = door(texts(&["a"]));
    for broken in ["", "{", "[]", "\"a\"", "{\"a\": NaN}", "\u{feff}{}"] {
        for path in ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"] {
            let response = door.respond(Method::POST, path, broken.to_owned()).await;
            refused(&crate::testing::door::read(response).await, 400, "invalid_json", None);
        }
    }
}
