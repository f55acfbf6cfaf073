//! The daemon's events as chunks. Pure.
//!
//! The daemon is of the same protocol: a tool call comes whole, and an answer ends with an event whose `finch` says why.

use finch_llm::{Chunk, Done, LlmError, Progress, ToolCall};
use serde::Deserialize;
use serde_json::Value;

use crate::wire::{AnswerExtension, ErrorExtension};

/// What an event says.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) chunks: Vec<Chunk>,
    /// What the request has cost so far.
    pub(super) progress: Option<Progress>,
}

#[derive(Deserialize)]
struct EventBody {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    finch: AnswerExtension,
    error: Option<ErrorBody>,
}

#[derive(Deserialize)]
struct Choice {
    /// Of a completion.
    text: Option<String>,
    /// Of a chat.
    delta: Option<Delta>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    reasoning_content: Option<String>,
    #[serde(default)]
    tool_calls: Vec<Call>,
}

#[derive(Deserialize)]
struct Call {
    id: String,
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    arguments: String,
}

/// The body of an error, in OpenAI's shape.
#[derive(Debug, Deserialize)]
struct ErrorBody {
    message: String,
    code: Option<String>,
    #[serde(default)]
    finch: ErrorExtension,
}

impl ErrorBody {
    fn into_error(self) -> LlmError {
        self.finch.error(self.code.as_deref().unwrap_or_default(), self.message)
    }
}

/// Reads one event of an answer.
///
/// # Errors
/// The error that the daemon tells, or [`LlmError::Protocol`] for what no daemon says.
pub(super) fn event(data: &str) -> Result<Heard, LlmError> {
    let body: EventBody = serde_json::from_str(data).map_err(|error| broken(&error.to_string()))?;
    if let Some(error) = body.error {
        return Err(error.into_error());
    }
    let mut heard = Heard::default();
    heard.chunks.extend(body.finch.unsure.map(Chunk::Unsure));
    for choice in body.choices {
        let delta = choice.delta.unwrap_or(Delta { content: None, reasoning_content: None, tool_calls: Vec::new() });
        heard.chunks.extend(delta.reasoning_content.filter(|text| !text.is_empty()).map(Chunk::Reasoning));
        heard.chunks.extend(choice.text.or(delta.content).filter(|text| !text.is_empty()).map(Chunk::Text));
        heard.chunks.extend(delta.tool_calls.into_iter().map(|Call { id, function }| {
            Chunk::ToolCall(ToolCall { id, name: function.name, arguments_json: function.arguments })
        }));
    }
    heard.progress = body
        .finch
        .usage
        .map(|usage| Progress { usage: usage.into(), timings: body.finch.ms.unwrap_or_default().into() });
    if let Some(reason) = body.finch.reason {
        let Progress { usage, timings } = heard.progress.unwrap_or_default();
        heard.chunks.push(Chunk::Done(Done { reason: reason.into(), usage, timings }));
    }
    Ok(heard)
}

/// What an answer with an error's status means.
pub(super) fn refusal(status: u16, body: &[u8]) -> LlmError {
    let body = serde_json::from_slice::<Value>(body).ok().and_then(|mut body| body.get_mut("error").map(Value::take));
    match body.and_then(|error| serde_json::from_value::<ErrorBody>(error).ok()) {
        Some(error) => error.into_error(),
        None => broken(&format!("status {status} without a reason")),
    }
}

pub(super) fn broken(problem: &str) -> LlmError {
    LlmError::Protocol { reason: format!("the daemon answered what no daemon does: {problem}") }
}
