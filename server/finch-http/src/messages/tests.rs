//! What Anthropic's clients send and hear.

use axum::http::{Method, StatusCode};
use finch_llm::{Answer, Chunk, Image, LlmError, Message, OutputFormat, StopReason, ToolCall, ToolChoice, ToolResult};
use serde_json::{Value, json};

use crate::testing::{
    Question, Said, Scripted, Then, done,
    door::{self, Door},
    texts,
};

const PATH: &str = "/v1/messages";

fn door(said: Said) -> Door {
    Door::new(Scripted::new(move |_| said.clone()))
}

fn with(members: Value) -> Value {
    let mut body = json!({"model": "tiny", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

fn user(text: &str) -> Message {
    Message::User(text.to_owned())
}

fn call() -> ToolCall {
    ToolCall { id: "c1".to_owned(), name: "read".to_owned(), arguments_json: "{\"a\":1}".to_owned() }
}

#[tokio::test]
async fn a_whole_answer_is_a_message_of_blocks() {
    let chunks = vec![
        Ok(Chunk::Reasoning("hm".to_owned())),
        Ok(Chunk::Text(" Hi\n".to_owned())),
        Ok(Chunk::ToolCall(call())),
        done(StopReason::ToolCalls),
    ];
    let door = door(Said { chunks, then: Then::Close });
    let answered = door.post(PATH, &with(json!({}))).await;
    let body = answered.json();
    let text = json!({"type": "text", "text": " Hi\n"});
    let tool_use = json!({"type": "tool_use", "id": "c1", "name": "read", "input": {"a": 1}});
    assert_eq!(body["content"], json!([text, tool_use]));
    assert_eq!(
        (&body["type"], &body["role"], &body["stop_reason"]),
        (&json!("message"), &json!("assistant"), &json!("tool_use"))
    );
    let usage = json!({
        "input_tokens": 3, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 0, "output_tokens": 3,
    });
    assert_eq!(body["usage"], usage);
    let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
    let body = door.post(PATH, &with(thinking)).await.json();
    assert_eq!(body["content"][0], json!({"type": "thinking", "thinking": "hm", "signature": ""}));
}

#[tokio::test]
async fn a_stream_tells_block_after_block() {
    let chunks = vec![
        Ok(Chunk::Reasoning("hm".to_owned())),
        Ok(Chunk::Text(" H".to_owned())),
        Ok(Chunk::Text("i\n".to_owned())),
        Ok(Chunk::ToolCall(call())),
        done(StopReason::ToolCalls),
    ];
    let door = door(Said { chunks, then: Then::Close });
    let events = door.post(PATH, &with(json!({"stream": true}))).await.events();
    let told: Vec<(&str, Value)> = events
        .iter()
        .map(|(name, data)| {
            assert_eq!(data["type"], json!(name));
            (name.as_str(), if data["delta"].is_null() { data["content_block"].clone() } else { data["delta"].clone() })
        })
        .collect();
    let text = |text: &str| json!({"type": "text_delta", "text": text});
    let tool_use = json!({"type": "tool_use", "id": "c1", "name": "read", "input": {}});
    let expected = [
        ("message_start", Value::Null),
        ("content_block_start", json!({"type": "text", "text": ""})),
        ("content_block_delta", text(" H")),
        ("content_block_delta", text("i\n")),
        ("content_block_stop", Value::Null),
        ("content_block_start", tool_use),
        ("content_block_delta", json!({"type": "input_json_delta", "partial_json": "{\"a\":1}"})),
        ("content_block_stop", Value::Null),
        ("message_delta", json!({"stop_reason": "tool_use", "stop_sequence": null})),
        ("message_stop", Value::Null),
    ];
    assert_eq!(told, expected);
    let indices: Vec<u64> = events.iter().filter_map(|(_, data)| data["index"].as_u64()).collect();
    assert_eq!(indices, [0, 0, 0, 0, 1, 1, 1]);
    assert_eq!(events[0].1["message"]["usage"]["input_tokens"], 3);
    assert_eq!(
        (&events[8].1["usage"]["output_tokens"], &events[8].1["finch"]["provider"]),
        (&json!(3), &json!("scripted"))
    );
}

#[tokio::test]
async fn thoughts_are_told_to_who_asks_for_them() {
    let chunks =
        vec![Ok(Chunk::Reasoning("hm".to_owned())), Ok(Chunk::Text("a".to_owned())), done(StopReason::EndOfText)];
    let door = door(Said { chunks, then: Then::Close });
    let thinking = json!({"stream": true, "thinking": {"type": "adaptive"}});
    let events = door.post(PATH, &with(thinking)).await.events();
    let deltas: Vec<&Value> = events
        .iter()
        .filter(|(name, _)| name == "content_block_delta")
        .map(|(_, data)| &data["delta"]["type"])
        .collect();
    assert_eq!(deltas, ["thinking_delta", "signature_delta", "text_delta"]);
}

#[tokio::test]
async fn the_text_that_ended_an_answer_is_told_where_it_is_known() {
    let chunks = vec![Ok(Chunk::Text("a".to_owned())), done(StopReason::StopText)];
    let door = door(Said { chunks, then: Then::Close });
    let body = door.post(PATH, &with(json!({"stop_sequences": ["END"]}))).await.json();
    assert_eq!((&body["stop_reason"], &body["stop_sequence"]), (&json!("stop_sequence"), &json!("END")));
    let body = door.post(PATH, &with(json!({"stop_sequences": ["END", "STOP"]}))).await.json();
    assert_eq!((&body["stop_reason"], &body["stop_sequence"]), (&json!("stop_sequence"), &Value::Null));
}

#[tokio::test]
async fn a_conversation_is_understood() {
    let door = door(texts(&["a"]));
    let source = json!({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="});
    let cached = json!({"type": "ephemeral"});
    let messages = json!([
        {"role": "user", "content": [
            {"type": "text", "text": "a", "cache_control": cached}, {"type": "text", "text": "b"},
            {"type": "image", "source": source},
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Reading."},
            {"type": "tool_use", "id": "c1", "name": "read", "input": {"a": 1}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c1", "is_error": true, "content": [
                {"type": "text", "text": "no"}, {"type": "image", "source": source},
            ]},
            {"type": "tool_result", "tool_use_id": "c2", "content": "yes"},
            {"type": "text", "text": "Go on."},
        ]},
    ]);
    let tools = json!([{"name": "read", "description": "d", "input_schema": {"type": "object"}}]);
    let body = with(json!({
        "system": [{"type": "text", "text": "Be brief.", "cache_control": cached}], "messages": messages, "tools": tools,
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true}, "temperature": 0.5, "top_k": 5,
        "metadata": {"user_id": "ann"},
    }));
    assert_eq!(door.post(PATH, &body).await.status, StatusCode::OK);
    let asked = door.provider.take_asked();
    let [Question::Chat(request)] = asked.as_slice() else { panic!("{asked:?}") };
    let answer = Answer { reasoning: "hm".to_owned(), tool_calls: vec![call()], ..Answer::text("Reading.") };
    let picture = || Message::Image(Image { media_type: "image/png".to_owned(), base64: "iVBORw0KGgo=".into() });
    let expected = [
        Message::System("Be brief.".to_owned()),
        user("ab"),
        picture(),
        Message::Assistant(answer),
        Message::ToolResult(ToolResult { call_id: "c1".to_owned(), text: "no".to_owned(), is_error: true }),
        Message::ToolResult(ToolResult { call_id: "c2".to_owned(), text: "yes".to_owned(), is_error: false }),
        picture(),
        user("Go on."),
    ];
    assert_eq!(request.messages, expected);
    assert_eq!((&request.tool_choice, request.tools[0].name.as_str()), (&ToolChoice::Required, "read"));
    assert_eq!((request.sampling.tokens_max, request.sampling.top_k), (9, Some(5)));
}

#[tokio::test]
async fn an_answer_may_have_to_be_json_of_a_schema() {
    let door = door(texts(&["{}"]));
    let format = json!({"type": "json_schema", "schema": {"type": "object"}});
    for members in [json!({"output_config": {"format": format, "effort": "low"}}), json!({ "output_format": format })] {
        door.post(PATH, &with(members)).await;
        let asked = door.provider.take_asked();
        let [Question::Chat(request)] = asked.as_slice() else { panic!("{asked:?}") };
        assert_eq!(request.output, OutputFormat::JsonSchema(json!({"type": "object"})));
    }
}

#[tokio::test]
async fn failures_have_anthropics_shape() {
    let refusing = door(Said { chunks: vec![Err(LlmError::Overloaded)], then: Then::Close });
    let answered = refusing.post(PATH, &with(json!({"stream": true}))).await;
    let body = answered.json();
    assert_eq!((answered.status, &body["type"]), (StatusCode::TOO_MANY_REQUESTS, &json!("error")));
    assert_eq!(
        (&body["error"]["type"], &answered.headers["retry-after"]),
        (&json!("rate_limit_error"), &"1".parse().unwrap())
    );
    let breaking = door(Said { chunks: vec![Ok(Chunk::Text("a".to_owned()))], then: Then::Close });
    let events = breaking.post(PATH, &with(json!({"stream": true}))).await.events();
    let (name, data) = events.last().unwrap();
    assert_eq!((name.as_str(), &data["error"]["type"]), ("error", &json!("api_error")));
    assert!(events.iter().all(|(name, _)| name != "message_stop"));
    let broken = breaking.respond(Method::POST, PATH, "{".to_owned()).await;
    assert_eq!(door::read(broken).await.json()["error"]["type"], "invalid_request_error");
    let unknown = breaking.post(PATH, &with(json!({"model": "claude"}))).await;
    assert_eq!((unknown.status, &unknown.json()["error"]["type"]), (StatusCode::NOT_FOUND, &json!("not_found_error")));
}

#[tokio::test]
async fn what_nobody_does_is_refused_by_name() {
    #[track_caller]
    fn is_refused(answered: &door::Answered, name: &str) {
        let error = answered.json()["error"].take();
        let message = error["message"].as_str().unwrap();
        assert_eq!(answered.status, StatusCode::BAD_REQUEST);
        assert!(message.starts_with(&format!("{name}: ")), "{message}");
    }
    let door = door(texts(&["a"]));
    let refused = async |members: Value, name: &str| is_refused(&door.post(PATH, &with(members)).await, name);
    let message = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    refused(json!({"max_tokens": null}), "max_tokens").await;
    refused(json!({"max_tokens": 0}), "max_tokens").await;
    refused(json!({"temperature": 1.5}), "temperature").await;
    refused(json!({"top_k": -1}), "top_k").await;
    let begun = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "{"}]);
    refused(json!({ "messages": begun }), "messages").await;
    refused(json!({"messages": []}), "messages").await;
    refused(json!({"messages": [{"role": "model", "content": "a"}]}), "messages[0].role").await;
    refused(message(json!([{"type": "document"}])), "messages[0].content[0].type").await;
    let far = json!([{"type": "image", "source": {"type": "url", "url": "http://127.0.0.1/a.png"}}]);
    refused(message(far), "messages[0].content[0].source.url").await;
    refused(json!({"tools": [{"type": "bash_20250124", "name": "bash"}]}), "tools[0].type").await;
    refused(json!({"tool_choice": {"type": "any"}}), "tool_choice").await;
    refused(json!({"thinking": {"type": "deep"}}), "thinking.type").await;
    refused(json!({"mcp_servers": [{"url": "x"}]}), "mcp_servers").await;
    refused(json!({"something_new": 1}), "something_new").await;
    refused(json!({"finch": {"grammar": "start: A"}}), "finch").await;
}

#[tokio::test]
async fn its_clients_list_models_in_their_shape() {
    let door = door(texts(&["a"]));
    let request = axum::http::Request::builder().uri("/v1/models").header("anthropic-version", "2023-06-01");
    let answered = door.send(request.body(axum::body::Body::empty()).unwrap()).await;
    let model = json!({"type": "model", "id": "tiny", "display_name": "tiny", "created_at": "2023-11-14T22:13:20Z"});
    let list = json!({"data": [model], "has_more": false, "first_id": "tiny", "last_id": "tiny"});
    assert_eq!(door::read(answered).await.json(), list);
}
