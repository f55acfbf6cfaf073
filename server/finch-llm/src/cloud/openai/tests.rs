use serde_json::{Value, json};

use super::*;
use crate::{
    Answer, ClientId, Excerpt, GenerateRequest, Image, InfillContext, InfillRequest, Lane, Message, OutputFormat,
    Sampling, ToolCall, ToolChoice, ToolResult, ToolSpec,
    cloud::{
        Service,
        service::Dialect,
        testing::{self, request},
    },
};

const TEXT: &str = include_str!("fixtures/text.sse");
const TOOLS: &str = include_str!("fixtures/tools.sse");

fn asked() -> GenerateRequest {
    request(vec![Message::User("Hi".to_owned())])
}

#[track_caller]
fn check(stream: &str, outcome: &str) {
    testing::check(Dialect::OpenAi, &asked(), stream, outcome);
}

/// A stream of these events.
fn events(events: &[&str]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

#[test]
fn text_comes_as_it_is_written() {
    check(TEXT, "text \"Grüße, 世界!\"\nEndOfText (12, 4, 9)");
    testing::check_truncated(Dialect::OpenAi, &asked(), TEXT, "\"finish_reason\":\"stop\"");
}

#[test]
fn tool_calls_are_put_together_from_their_parts() {
    let calls = "text \"I look.\"\ncall call_A read {\"path\": \"a.rs\"}\ncall call_B list {}\nToolCalls (20, 0, 30)";
    check(TOOLS, calls);
    testing::check_truncated(Dialect::OpenAi, &asked(), TOOLS, "\"finish_reason\":\"tool_calls\"");
}

#[test]
fn the_end_is_a_reason_or_done() {
    let text = r#"{"choices":[{"delta":{"content":"a"}}]}"#;
    let stop = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    check(&events(&[text, stop]), "text \"a\"\nEndOfText (0, 0, 0)");
    check(&events(&[text, "[DONE]"]), "text \"a\"\nEndOfText (0, 0, 0)");
    check(&events(&[text]), "unavailable: the stream ended before the answer did");
    check(&events(&[text, stop, "[DONE]", "garbage"]), "text \"a\"\nEndOfText (0, 0, 0)");
    check("", "unavailable: the stream ended before the answer did");
}

#[test]
fn an_answer_ends_at_a_stop_text_that_the_service_does_not_know() {
    let mut asked = asked();
    asked.sampling.stop = vec!["\n\n".to_owned(), "END".to_owned()];
    let check = |pieces: &[&str], outcome: &str| {
        let text = |piece: &&str| json!({"choices": [{"delta": {"content": piece}}]}).to_string();
        let mut stream: Vec<String> = pieces.iter().map(text).collect();
        stream.push(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#.to_owned());
        let stream: Vec<&str> = stream.iter().map(String::as_str).collect();
        testing::check(Dialect::OpenAi, &asked, &events(&stream), outcome);
    };
    check(&["one\n", "\ntwo"], "text \"one\"\nStopText (5, 0, 1)");
    check(&["one two EN", "D three", "END"], "text \"one two \"\nStopText (5, 0, 3)");
    // What only began like one belongs to the answer.
    check(&["one", "\n"], "text \"one\\n\"\nEndOfText (0, 0, 0)");
}

#[test]
fn every_way_to_stop_has_its_name() {
    let stopped = |reason: &str| {
        let end = format!(r#"{{"choices":[{{"delta":{{"content":"a"}},"finish_reason":"{reason}"}}]}}"#);
        testing::told(&testing::replay(Dialect::OpenAi, &asked(), &[events(&[&end]).as_bytes()]))
    };
    assert_eq!(stopped("length"), "text \"a\"\nTokensMax (0, 0, 0)");
    assert_eq!(stopped("model_length"), "text \"a\"\nContextFull (0, 0, 0)");
    assert_eq!(stopped("content_filter"), "refused: the provider refused: its filter stopped the answer");
    assert_eq!(stopped("error"), "unavailable: the server broke the answer off");
}

#[test]
fn a_call_that_was_cut_off_is_left_out() {
    let half = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"1","function":{"name":"f","arguments":"{\"a\": "}}]}}]}"#;
    let cut = r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#;
    let ended = r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#;
    check(&events(&[half, cut]), "TokensMax (0, 0, 0)");
    check(&events(&[half, ended]), "call 1 f {\"a\": \nToolCalls (0, 0, 0)");
    check(&events(&[half, "[DONE]"]), "protocol: protocol error: the stream ended within a tool call");
}

#[test]
fn calls_without_numbers_are_told_apart_by_their_ids() {
    let calls = r#"{"choices":[{"delta":{"tool_calls":[{"id":"x","function":{"name":"f","arguments":"{}"}},{"id":"y","function":{"name":"g","arguments":{"a":1}}}]},"finish_reason":"stop"}]}"#;
    check(&events(&[calls]), "call x f {}\ncall y g {\"a\":1}\nToolCalls (0, 0, 0)");
}

#[test]
fn thoughts_are_no_text() {
    let thought = r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#;
    let mistral = r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"}]}}]}"#;
    check(&events(&[thought, "[DONE]"]), "thought \"hm\"\nEndOfText (0, 0, 0)");
    check(&events(&[mistral, "[DONE]"]), "thought \"hm\"\ntext \"a\"\nEndOfText (0, 0, 0)");
}

#[test]
fn what_breaks_the_rules_is_an_error() {
    let bad = "protocol: protocol error: an event is no JSON: ";
    for event in ["{", "<html>", "{} {}", "{\"choices\": [nul]}"] {
        let found = testing::told(&testing::replay(Dialect::OpenAi, &asked(), &[events(&[event]).as_bytes()]));
        assert!(found.starts_with(bad), "{found}");
    }
    check(
        &events(&[r#"{"error":{"message":"overloaded","type":"server_error"}}"#]),
        "unavailable: overloaded (server_error)",
    );
    check(&events(&[r#"{"choices": {"a": 1}, "usage": []}"#, "[DONE]"]), "EndOfText (0, 0, 0)");
}

fn conversation() -> GenerateRequest {
    let call =
        ToolCall { id: "call_A".to_owned(), name: "read".to_owned(), arguments_json: "{\"path\": \"a\"}".to_owned() };
    let result = ToolResult { call_id: "call_A".to_owned(), text: "no such file".to_owned(), is_error: true };
    let mut request = request(vec![
        Message::System("Be brief.".to_owned()),
        Message::User("What is in it?".to_owned()),
        Message::Image(Image { media_type: "image/png".to_owned(), base64: "AAAA".into() }),
        Message::Assistant(Answer { tool_calls: vec![call], ..Answer::default() }),
        Message::ToolResult(result),
        Message::User("Well?".to_owned()),
    ]);
    let parameters = json!({"type": "object", "properties": {"path": {"type": "string"}}});
    request.tools = vec![ToolSpec { name: "read".to_owned(), description: "Reads.".to_owned(), parameters }];
    request.tool_choice = ToolChoice::Required;
    request.sampling = Sampling { temperature: 0.7, top_k: Some(5), seed: 3, tokens_max: 100, ..Sampling::default() };
    request
}

#[track_caller]
fn check_body(service: Service, model: &str, fixture: &str) {
    let body = chat(&conversation(), model, &service.quirks(model));
    let found = serde_json::to_string_pretty(&body).unwrap() + "\n";
    assert_eq!(found, fixture);
}

#[test]
fn a_body_says_all_there_is_to_say() {
    check_body(Service::OpenAi, "gpt-4o", include_str!("fixtures/openai.json"));
    check_body(Service::Mistral, "mistral-large-latest", include_str!("fixtures/mistral.json"));
}

#[test]
fn models_that_think_take_no_sampling() {
    let body = chat(&conversation(), "o3", &Service::OpenAi.quirks("o3"));
    assert_eq!((&body["temperature"], &body["seed"]), (&Value::Null, &Value::Null));
    assert_eq!(body["max_completion_tokens"], 100);
}

#[test]
fn a_schema_binds_the_answer_as_far_as_the_service_goes() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let body = |service: Service, schema: &Value| {
        let mut request = asked();
        request.output = OutputFormat::JsonSchema(schema.clone());
        chat(&request, "m", &service.quirks("m"))
    };
    let bound = json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": schema}});
    assert_eq!(body(Service::OpenAi, &schema)["response_format"], bound);
    let loose = body(Service::Groq, &schema);
    assert_eq!(loose["response_format"], json!({"type": "json_object"}));
    assert!(loose["messages"][0]["content"].as_str().unwrap().contains("JSON Schema"));
    let list = body(Service::OpenAi, &json!({"type": "array"}));
    assert_eq!(list["response_format"], Value::Null);
    assert!(list["messages"][0]["content"].as_str().unwrap().contains("JSON Schema"));
}

#[test]
fn infill_sends_both_sides() {
    let request = InfillRequest {
        client: ClientId::new("test"),
        origin: crate::Origin::default(),
        lane: Lane::Interactive,
        prefix: "fn add(".to_owned(),
        suffix: ") {}".to_owned(),
        context: InfillContext {
            path: Some("a.rs".to_owned()),
            excerpts: vec![Excerpt { name: "b.rs".to_owned(), text: "fn b() {}".into(), is_foreign: false }],
            tokens_max: 50,
            ..InfillContext::default()
        },
        prompt_tokens_max: 100,
        references: Vec::new(),
        sampling: Sampling { stop: vec!["\n\n".to_owned()], ..Sampling::default() },
    };
    let body = infill(&request, "codestral-latest", &Service::Mistral.quirks("codestral-latest"));
    let wanted = json!({
        "model": "codestral-latest", "stream": true, "prompt": "+++++ b.rs\nfn b() {}\n+++++ a.rs\nfn add(",
        "suffix": ") {}", "max_tokens": 64, "temperature": 0.0, "stop": ["\n\n"],
    });
    assert_eq!(body, wanted);
    let short = InfillRequest { prompt_tokens_max: 2, prefix: "äöü".to_owned(), ..request };
    assert_eq!(infill(&short, "m", &Service::Compatible.quirks("m"))["prompt"], "öü");
}
