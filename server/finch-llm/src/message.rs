//! What is said in a conversation, and the tools that may be called in it.
//!
//! The shapes are those the field has agreed on: every cloud's dialect and every chat template can be written from
//! them. Knows no dialect itself; providers translate.

use std::sync::Arc;

use serde_json::{Map, Value};

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Instructions from the application.
    System(String),
    /// What the person said.
    User(String),
    /// What the person showed. It belongs to what the person says beside it.
    Image(Image),
    /// What the model answered.
    Assistant(Answer),
    /// What a tool that the model called gave back.
    ToolResult(ToolResult),
}

/// A picture. Models that cannot see are told that there was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Such as `image/png`.
    pub media_type: String,
    /// The file in base64 with padding, as every provider takes it.
    pub base64: Arc<str>,
}

/// An answer of the model, as it goes back into the conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub text: String,
    /// What the model thought before it answered; empty if it did not. A provider may leave it out.
    pub reasoning: String,
    pub tool_calls: Vec<ToolCall>,
    /// What the provider wants back unchanged. Empty from most.
    pub kept: Vec<Kept>,
}

/// A part of an answer that means something only to the provider that made it, such as a signed thought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The dialect it is in. Others leave it out.
    pub dialect: &'static str,
    /// How many tool calls of the answer came before it.
    pub before_call: usize,
    /// The part as it came: JSON text.
    pub json: String,
}

impl Kept {
    /// The part as it was before it was written down. None if no provider speaks its dialect.
    #[must_use]
    pub fn restored(dialect: &str, before_call: usize, json: String) -> Option<Self> {
        let dialect = crate::cloud::KEEPING_DIALECTS.iter().find(|known| **known == dialect)?;
        Some(Self { dialect, before_call, json })
    }
}

impl Answer {
    /// An answer that is text alone.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// A tool that the model wants called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// Names this call; its result carries the same id. Never empty, and unique in its answer.
    pub id: String,
    pub name: String,
    /// The arguments as the model wrote them: JSON text. [`ToolCall::arguments`] reads it.
    pub arguments_json: String,
}

/// The model wrote arguments that are no JSON object. Tell it so in the tool's result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the arguments of {tool} are no JSON object: {problem}")]
pub struct BadArguments {
    pub tool: String,
    pub problem: String,
}

impl ToolCall {
    /// The arguments by name.
    ///
    /// # Errors
    /// [`BadArguments`] if the model wrote anything but one JSON object.
    pub fn arguments(&self) -> Result<Map<String, Value>, BadArguments> {
        serde_json::from_str(&self.arguments_json)
            .map_err(|error| BadArguments { tool: self.name.clone(), problem: error.to_string() })
    }
}

/// What a tool gave back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResult {
    /// The id of the call that this answers.
    pub call_id: String,
    pub text: String,
    /// The tool failed, and `text` says how.
    pub is_error: bool,
}

/// A tool that the model may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolSpec {
    /// Letters, digits, `_` and `-`, as every provider takes them.
    pub name: String,
    /// What it does and when to use it, for the model to read.
    pub description: String,
    /// A JSON Schema of its arguments: an object.
    pub parameters: Value,
}

/// Whether the model calls a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it sees fit.
    #[default]
    Auto,
    /// It must not.
    None,
    /// It must call one of them.
    Required,
    /// It must call the one of this name.
    Tool(String),
}

/// What the answer has to look like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OutputFormat {
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that this JSON Schema accepts.
    JsonSchema(Value),
    /// Text of a context-free grammar in the Lark notation. Local models alone can promise it.
    Grammar(String),
}

#[cfg(test)]
mod tests {
    use super::{Answer, BadArguments, ToolCall};
    use serde_json::json;

    fn call(arguments: &str) -> ToolCall {
        ToolCall { id: "1".to_owned(), name: "read".to_owned(), arguments_json: arguments.to_owned() }
    }

    #[test]
    fn arguments_are_an_object_or_an_error() {
        let read = call(r#"{"path": "a.rs", "line": 3}"#).arguments().unwrap();
        assert_eq!(serde_json::Value::Object(read), json!({"path": "a.rs", "line": 3}));
        for broken in ["", "null", "[1]", "\"text\"", r#"{"path": "#, r#"{"a": 1} and more"#] {
            let BadArguments { tool, problem } = call(broken).arguments().unwrap_err();
            assert_eq!(tool, "read");
            assert!(!problem.is_empty(), "{broken}");
        }
    }

    #[test]
    fn an_answer_of_text_has_nothing_else() {
        assert_eq!(Answer::text("yes"), Answer { text: "yes".to_owned(), ..Answer::default() });
    }
}
