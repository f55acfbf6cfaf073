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

fn asked() -> GenerateRequest {
    request(vec![Message::User("Hi".to_owned())])
}

#[track_caller]
fn check(stream: &str, outcome: &str) {
    testing::check(Dialect::Gemini, &asked(), stream, outcome);
}

#[test]
fn text_comes_as_it_is_written() {
    check(
        TEXT,
        "thought \"I think.\"\ntext \"Grüße, 世界!\"\nEndOfText (12, 4, 9)\nkept 0 {\"on\":\"text\",\"thoughtSignature\":\"c2ln\"}",
    );
    testing::check_truncated(Dialect::Gemini, &asked(), TEXT, "\"finishReason\"");
}

#[test]
fn calls_come_whole_and_get_ids() {
    check(
        TOOLS,
        "text \"I look.\"\ncall call_1_0 read {\"path\":\"a.rs\"}\ncall call_1_1 list {}\nToolCalls (12, 4, 9)\n\
         kept 0 {\"on\":\"call\",\"thoughtSignature\":\"c2ln\"}",
    );
    testing::check_truncated(Dialect::Gemini, &asked(), TOOLS, "\"finishReason\"");
}

#[test]
fn what_is_blocked_is_refused_and_what_broke_is_an_error() {
    let stopped = |reason: &str| TEXT.replace("\"STOP\"", &format!("{reason:?}"));
    check(&stopped("SAFETY"), "refused: the provider refused: the answer was stopped (SAFETY)");
    check(
        &stopped("MALFORMED_FUNCTION_CALL"),
        "protocol: protocol error: the model's tool call came to nothing (MALFORMED_FUNCTION_CALL)",
    );
    check(
        "data: {\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n\n",
        "refused: the provider refused: the prompt was blocked: SAFETY",
    );
    check(
        "data: {\"error\":{\"code\":503,\"message\":\"overloaded\",\"status\":\"UNAVAILABLE\"}}\n\n",
        "unavailable: overloaded",
    );
    check("data: {\"usageMetadata\":{}}\n\n", "unavailable: the stream ended before the answer did");
}

fn conversation() -> GenerateRequest {
    let call =
        ToolCall { id: "call_1_0".to_owned(), name: "read".to_owned(), arguments_json: "{\"path\": \"a\"}".to_owned() };
    let kept = Kept { dialect: NAME, before_call: 0, json: r#"{"on":"call","thoughtSignature":"c2ln"}"#.to_owned() };
    let result = ToolResult { call_id: "call_1_0".to_owned(), text: "no such file".to_owned(), is_error: true };
    let mut request = request(vec![
        Message::System("Be brief.".to_owned()),
        Message::User("What is in it?".to_owned()),
        Message::Image(Image { media_type: "image/png".to_owned(), base64: "AAAA".into() }),
        Message::Assistant(Answer {
            text: "I look.".to_owned(),
            tool_calls: vec![call],
            kept: vec![kept],
            ..Answer::default()
        }),
        Message::ToolResult(result),
    ]);
    let parameters = json!({"type": "object", "properties": {"path": {"type": "string", "format": "uri"}}, "additionalProperties": false});
    let tool =
        |name: &str, parameters| ToolSpec { name: name.to_owned(), description: "Reads.".to_owned(), parameters };
    request.tools = vec![tool("read", parameters), tool("list", json!({"type": "object", "properties": {}}))];
    request.tool_choice = ToolChoice::Tool("read".to_owned());
    request.sampling = Sampling {
        temperature: 0.7,
        top_p: 0.9,
        top_k: Some(5),
        seed: 3,
        tokens_max: 100,
        stop: vec!["END".to_owned()],
        ..Sampling::default()
    };
    request
}

#[test]
fn a_body_says_all_there_is_to_say() {
    let body = contents(&conversation(), Thinking::Off);
    assert_eq!(serde_json::to_string_pretty(&body).unwrap() + "\n", include_str!("fixtures/body.json"));
}

#[test]
fn a_schema_binds_the_answer_unless_tools_stand_beside_it() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let mut request = asked();
    request.output = OutputFormat::JsonSchema(schema);
    let body = contents(&request, Thinking::Tokens(50));
    let config = json!({
        "temperature": 0.0, "maxOutputTokens": 114, "thinkingConfig": {"includeThoughts": true, "thinkingBudget": 50},
        "responseMimeType": "application/json", "responseSchema": {"type": "object", "properties": {"a": {"type": "string"}}},
    });
    assert_eq!(body["generationConfig"], config);
    request.tools = conversation().tools;
    let body = contents(&request, Thinking::Off);
    assert_eq!(body["generationConfig"]["responseSchema"], Value::Null);
    assert!(body["systemInstruction"]["parts"][0]["text"].as_str().unwrap().contains("JSON Schema"));
}
