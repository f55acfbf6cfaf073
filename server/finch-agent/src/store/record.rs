//! A message as it is written down: JSON with a version.
//!
//! Parts that only one provider understands are kept with the name of its dialect; if no provider of this finch speaks
//! that any more they are left out, as another provider would leave them out.

use finch_llm::{Answer, Image, Kept, Message, ToolCall, ToolResult};
use serde::{Deserialize, Serialize};

/// The version of what is written here.
const VERSION: u32 = 1;

/// Why a record is no message.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadRecord {
    #[error("a message is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("a message is of version {0}, and this finch knows version {VERSION}")]
    Version(u32),
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u32,
    message: T,
}

/// Looks at nothing but the version.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case", deny_unknown_fields)]
enum Record {
    System { text: String },
    User { text: String },
    Image { media_type: String, base64: String },
    Assistant(AnswerRecord),
    Tool { call_id: String, text: String, is_error: bool },
}

#[derive(Serialize, Deserialize)]
struct AnswerRecord {
    text: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reasoning: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    kept: Vec<KeptRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallRecord {
    id: String,
    name: String,
    arguments_json: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptRecord {
    dialect: String,
    before_call: usize,
    json: String,
}

pub(super) fn write(message: &Message) -> Result<String, BadRecord> {
    Ok(serde_json::to_string(&Versioned { v: VERSION, message: to_record(message) })?)
}

pub(super) fn read(json: &str) -> Result<Message, BadRecord> {
    let Version { v } = serde_json::from_str(json)?;
    if v != VERSION {
        return Err(BadRecord::Version(v));
    }
    let Versioned { message, .. } = serde_json::from_str(json)?;
    Ok(from_record(message))
}

fn to_record(message: &Message) -> Record {
    match message.clone() {
        Message::System(text) => Record::System { text },
        Message::User(text) => Record::User { text },
        Message::Image(Image { media_type, base64 }) => Record::Image { media_type, base64: base64.to_string() },
        Message::Assistant(Answer { text, reasoning, tool_calls, kept }) => Record::Assistant(AnswerRecord {
            text,
            reasoning,
            tool_calls: tool_calls
                .into_iter()
                .map(|ToolCall { id, name, arguments_json }| CallRecord { id, name, arguments_json })
                .collect(),
            kept: kept
                .into_iter()
                .map(|Kept { dialect, before_call, json }| KeptRecord {
                    dialect: dialect.to_owned(),
                    before_call,
                    json,
                })
                .collect(),
        }),
        Message::ToolResult(ToolResult { call_id, text, is_error }) => Record::Tool { call_id, text, is_error },
    }
}

fn from_record(record: Record) -> Message {
    match record {
        Record::System { text } => Message::System(text),
        Record::User { text } => Message::User(text),
        Record::Image { media_type, base64 } => Message::Image(Image { media_type, base64: base64.into() }),
        Record::Assistant(AnswerRecord { text, reasoning, tool_calls, kept }) => Message::Assistant(Answer {
            text,
            reasoning,
            tool_calls: tool_calls
                .into_iter()
                .map(|CallRecord { id, name, arguments_json }| ToolCall { id, name, arguments_json })
                .collect(),
            kept: kept
                .into_iter()
                .filter_map(|KeptRecord { dialect, before_call, json }| Kept::restored(&dialect, before_call, json))
                .collect(),
        }),
        Record::Tool { call_id, text, is_error } => Message::ToolResult(ToolResult { call_id, text, is_error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: &str = "größe \u{202e}\u{0}\u{1f626} \"\\\n\r\u{2028}";

    #[track_caller]
    fn check(message: Message) {
        let json = write(&message).unwrap();
        assert_eq!(read(&json).unwrap(), message, "{json}");
    }

    fn call(id: &str) -> ToolCall {
        ToolCall { id: id.into(), name: "Read".into(), arguments_json: "{\"path\": \"a\", ".into() }
    }

    #[test]
    fn every_message_comes_back_as_it_was() {
        for text in ["", "text", ODD] {
            check(Message::System(text.into()));
            check(Message::User(text.into()));
            check(Message::Assistant(Answer::text(text)));
            for is_error in [false, true] {
                check(Message::ToolResult(ToolResult { call_id: "1".into(), text: text.into(), is_error }));
            }
        }
        check(Message::Image(Image { media_type: "image/png".into(), base64: "iVBORw0KGgo=".into() }));
        let kept = |dialect, before_call| Kept { dialect, before_call, json: r#"{"signature":"c2ln"}"#.into() };
        check(Message::Assistant(Answer {
            text: ODD.into(),
            reasoning: "because".into(),
            tool_calls: vec![call("1"), call("2")],
            kept: vec![kept("claude", 0), kept("gemini", 2)],
        }));
    }

    #[test]
    fn what_is_kept_for_a_provider_that_is_not_known_is_left_out() {
        let json = r#"{"v":1,"message":{"role":"assistant","text":"a","kept":[
            {"dialect":"elsewhere","before_call":0,"json":"{}"},{"dialect":"gemini","before_call":0,"json":"{}"}]}}"#;
        let Message::Assistant(answer) = read(json).unwrap() else { panic!("no answer") };
        assert_eq!(answer.kept, [Kept { dialect: "gemini", before_call: 0, json: "{}".into() }]);
    }

    #[track_caller]
    fn check_bad(json: &str, error: &str) {
        let found = read(json).unwrap_err().to_string();
        assert!(found.contains(error), "{found}");
    }

    #[test]
    fn a_record_that_is_no_message_says_why() {
        check_bad("", "no JSON");
        check_bad(r#"{"v":2,"message":{"role":"hologram"}}"#, "version 2");
        check_bad(r#"{"v":1,"message":{"role":"hologram"}}"#, "hologram");
        check_bad(r#"{"v":1,"message":{"role":"tool","text":"a"}}"#, "call_id");
        check_bad(r#"{"message":{"role":"user","text":"a"}}"#, "`v`");
    }
}
