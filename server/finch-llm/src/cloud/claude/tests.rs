use serde_json::{Value, json};

use super::*;
use crate::{
    Answer, GenerateRequest, Image, Kept, Message, OutputFormat, Sampling, ToolCall, ToolChoice, ToolResult, ToolSpec,
    cloud::{
        Thinking,
        service::Dialect,
        testing::{self, request},
    },
};

const TEXT: &str = include_str!("fixtures/text.sse");
const TOOLS: &str = include_str!("fixtures/tools.sse");
const ANSWER: &str = include_str!("fixtures/answer.sse");

fn asked() -> GenerateRequest {
    request(vec![Message::User("Hi".to_owned())])
}

#[track_caller]
fn check(stream: &str, outcome: &str) {
    testing::check(Dialect::Claude, &asked(), stream, outcome);
}

#[test]
fn text_comes_as_it_is_written() {
    check(TEXT, "text \"Grüße, 世界!\"\nEndOfText (115, 100, 9)");
    testing::check_truncated(Dialect::Claude, &asked(), TEXT, "{\"type\":\"message_stop\"}");
}

#[test]
fn calls_and_signed_thoughts_come_whole() {
    check(
        TOOLS,
        "thought \"I should look.\"\ntext \"I look.\"\ncall toolu_A read {\"path\": \"a.rs\"}\ncall toolu_B list {}\n\
         ToolCalls (115, 100, 30)\n\
         kept 0 {\"type\":\"thinking\",\"thinking\":\"I should look.\",\"signature\":\"c2ln\"}\n\
         kept 1 {\"type\":\"redacted_thinking\",\"data\":\"ZW5j\"}",
    );
    testing::check_truncated(Dialect::Claude, &asked(), TOOLS, "{\"type\":\"message_stop\"}");
}

#[test]
fn an_error_within_the_stream_is_no_end() {
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let cut = TEXT.find("event: message_delta").unwrap();
    let stream = format!("{}event: error\ndata: {error}\n\n", &TEXT[..cut]);
    check(&stream, "unavailable: Overloaded (overloaded_error)");
}

#[test]
fn a_call_that_was_cut_off_is_left_out_and_a_broken_one_is_told() {
    let broken =
        TOOLS.replace(".rs\\\"}", "").replace("\"stop_reason\":\"tool_use\"", "\"stop_reason\":\"max_tokens\"");
    assert!(testing::told(&testing::replay(Dialect::Claude, &asked(), &[broken.as_bytes()])).contains("\nTokensMax"));
    assert!(!testing::told(&testing::replay(Dialect::Claude, &asked(), &[broken.as_bytes()])).contains("\ncall"));
    let broken = TOOLS.replace(".rs\\\"}", "");
    let (chunks, _) = testing::replay(Dialect::Claude, &asked(), &[broken.as_bytes()]).unwrap();
    let bad = chunks.iter().any(|chunk| matches!(chunk, crate::Chunk::ToolCall(call) if call.arguments().is_err()));
    assert!(bad, "{chunks:?}");
}

#[test]
fn every_way_to_stop_has_its_name() {
    let stopped = |reason: &str| {
        let stream = TEXT.replace("end_turn", reason);
        let told = testing::told(&testing::replay(Dialect::Claude, &asked(), &[stream.as_bytes()]));
        told.lines().last().unwrap().split(' ').next().unwrap().to_owned()
    };
    for (reason, name) in [
        ("max_tokens", "TokensMax"),
        ("stop_sequence", "StopText"),
        ("model_context_window_exceeded", "ContextFull"),
        ("refusal", "refused:"),
        ("tool_use", "protocol:"),
        ("something_else", "EndOfText"),
    ] {
        assert_eq!(stopped(reason), name, "{reason}");
    }
}

#[test]
fn the_answer_of_a_schema_is_text() {
    let mut request = asked();
    let schema = json!({"type": "object", "properties": {"result": {"type": "array"}}});
    request.output = OutputFormat::JsonSchema(schema.clone());
    testing::check(Dialect::Claude, &request, ANSWER, "text \"{\\\"result\\\": [1, 2]}\"\nEndOfText (115, 100, 30)");
    let body = messages(&request, "claude", Thinking::Off);
    assert_eq!(body["tools"][0]["input_schema"], schema);
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "answer"}));
    request.output = OutputFormat::JsonSchema(json!({"type": "array"}));
    testing::check(Dialect::Claude, &request, ANSWER, "text \"[1,2]\"\nEndOfText (115, 100, 30)");
    let wrapped = &messages(&request, "claude", Thinking::Off)["tools"][0]["input_schema"];
    assert_eq!(wrapped["properties"], json!({"result": {"type": "array"}}));
}

fn conversation() -> GenerateRequest {
    let call = |id: &str, arguments: &str| ToolCall {
        id: id.to_owned(),
        name: "read".to_owned(),
        arguments_json: arguments.to_owned(),
    };
    let kept = |dialect, before_call, json: &str| Kept { dialect, before_call, json: json.to_owned() };
    let answer = Answer {
        text: "I look.".to_owned(),
        reasoning: "I should look.".to_owned(),
        tool_calls: vec![call("toolu_A", "{\"path\": \"a\"}"), call("call:B", "{\"path\": ")],
        kept: vec![
            kept(NAME, 0, r#"{"type":"thinking","thinking":"I should look.","signature":"c2ln"}"#),
            kept(NAME, 1, r#"{"type":"redacted_thinking","data":"ZW5j"}"#),
            kept("gemini", 0, r#"{"on":"call","thoughtSignature":"x"}"#),
        ],
    };
    let result = |id: &str, text: &str, is_error| {
        Message::ToolResult(ToolResult { call_id: id.to_owned(), text: text.to_owned(), is_error })
    };
    let mut request = request(vec![
        Message::System("Be brief.".to_owned()),
        Message::User("What is in it?".to_owned()),
        Message::Image(Image { media_type: "image/png".to_owned(), base64: "AAAA".into() }),
        Message::Assistant(answer),
        result("toolu_A", "", false),
        result("call:B", "no JSON", true),
        Message::User("Well?".to_owned()),
    ]);
    let parameters = json!({"type": "object", "properties": {"path": {"type": "string"}}});
    request.tools = vec![ToolSpec { name: "read".to_owned(), description: "Reads.".to_owned(), parameters }];
    request.tool_choice = ToolChoice::Tool("read".to_owned());
    request.sampling = Sampling {
        temperature: 0.7,
        top_k: Some(5),
        tokens_max: 100,
        stop: vec!["\n".to_owned(), "END".to_owned()],
        ..Sampling::default()
    };
    request
}

#[test]
fn a_body_says_all_there_is_to_say() {
    let body = messages(&conversation(), "claude-sonnet-4-5", Thinking::Off);
    assert_eq!(serde_json::to_string_pretty(&body).unwrap() + "\n", include_str!("fixtures/body.json"));
}

#[test]
fn thinking_has_its_own_budget_and_takes_no_temperature() {
    let body = messages(&conversation(), "claude-sonnet-4-5", Thinking::Tokens(2000));
    assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": 2000}));
    assert_eq!((&body["max_tokens"], &body["temperature"]), (&json!(2100), &Value::Null));
    assert_eq!(body["tool_choice"], json!({"type": "auto"}));
}
