//! The events of a streamed answer.

use serde_json::{Map, Value};

use super::{ANSWER_TOOL, NAME, body};
use crate::{
    GenerateRequest, Kept, LlmError, OutputFormat, StopReason,
    cloud::{
        assembly::{Assembly, broken},
        status, turns,
    },
    sse::SseEvent,
};

/// What is open in the answer.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    block: Block,
    /// The answer is the argument of a tool.
    answer_tool: AnswerTool,
    /// Arguments of that tool which have to be unwrapped when all are there.
    wrapped: String,
    has_answered: bool,
}

#[derive(Debug, Default)]
enum Block {
    #[default]
    None,
    Text,
    /// The answer's tool: its arguments are text.
    Answer,
    Call(u64),
    /// A thought with its signature, as it has to go back.
    Thought(Map<String, Value>),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum AnswerTool {
    #[default]
    None,
    Plain,
    Wrapped,
}

impl Reader {
    pub(crate) fn new(request: &GenerateRequest) -> Self {
        let answer_tool =
            match &request.output {
                OutputFormat::JsonSchema(schema) if body::answer_tool(request).is_some() => {
                    if turns::is_object(schema) { AnswerTool::Plain } else { AnswerTool::Wrapped }
                }
                _ => AnswerTool::None,
            };
        Self { answer_tool, ..Self::default() }
    }

    /// Takes one event in.
    pub(crate) fn read(&mut self, event: &SseEvent, answer: &mut Assembly, tokens_max: usize) -> Result<(), LlmError> {
        let value: Value =
            serde_json::from_str(&event.data).map_err(|error| broken(format!("an event is no JSON: {error}")))?;
        match value["type"].as_str().unwrap_or_default() {
            "message_start" => usage(&value["message"]["usage"], answer),
            "content_block_start" => self.start(&value, answer)?,
            "content_block_delta" => self.delta(&value["delta"], answer)?,
            "content_block_stop" => self.stop(answer)?,
            "message_delta" => {
                usage(&value["usage"], answer);
                if let Some(reason) = value["delta"]["stop_reason"].as_str() {
                    answer.reason = Some(self.stop_reason(reason, &value["delta"], answer)?);
                }
            }
            "message_stop" => self.end(answer)?,
            // New kinds of events may come at any time; an error is none of them.
            _ => {
                if let Some(error) = status::in_stream(&value, &[], tokens_max) {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, value: &Value, answer: &mut Assembly) -> Result<(), LlmError> {
        let (block, index) = (&value["content_block"], value["index"].as_u64().unwrap_or_default());
        self.block = match block["type"].as_str().unwrap_or_default() {
            "text" => {
                answer.text(block["text"].as_str().unwrap_or_default());
                Block::Text
            }
            "tool_use" if self.answer_tool != AnswerTool::None && block["name"] == ANSWER_TOOL => {
                self.has_answered = true;
                Block::Answer
            }
            "tool_use" => {
                let call = answer.call(index)?;
                block["id"].as_str().unwrap_or_default().clone_into(&mut call.id);
                block["name"].as_str().unwrap_or_default().clone_into(&mut call.name);
                // What the block begins with holds if no pieces follow: `{}` for a tool without arguments.
                if block["input"].is_object() {
                    call.arguments = block["input"].to_string();
                }
                Block::Call(index)
            }
            "thinking" | "redacted_thinking" => {
                answer.reasoning(block["thinking"].as_str().unwrap_or_default());
                Block::Thought(block.as_object().cloned().unwrap_or_default())
            }
            _ => Block::None,
        };
        Ok(())
    }

    fn delta(&mut self, delta: &Value, answer: &mut Assembly) -> Result<(), LlmError> {
        let text = |name: &str| delta[name].as_str().unwrap_or_default();
        match (&mut self.block, delta["type"].as_str().unwrap_or_default()) {
            (Block::Text, "text_delta") => answer.text(text("text")),
            (Block::Answer, "input_json_delta") if self.answer_tool == AnswerTool::Plain => {
                answer.text(text("partial_json"));
            }
            (Block::Answer, "input_json_delta") => self.wrapped.push_str(text("partial_json")),
            (Block::Call(index), "input_json_delta") => {
                let piece = text("partial_json");
                let call = answer.call(*index)?;
                if call.arguments == "{}" && !piece.is_empty() {
                    call.arguments.clear();
                }
                answer.arguments(*index, piece)?;
            }
            (Block::Thought(thought), "thinking_delta") => {
                answer.reasoning(text("thinking"));
                append(thought, "thinking", text("thinking"));
            }
            (Block::Thought(thought), "signature_delta") => append(thought, "signature", text("signature")),
            _ => {}
        }
        Ok(())
    }

    fn stop(&mut self, answer: &mut Assembly) -> Result<(), LlmError> {
        match std::mem::take(&mut self.block) {
            Block::Thought(thought) => {
                let json = Value::Object(thought).to_string();
                answer.keep(Kept { dialect: NAME, before_call: answer.calls(), json })
            }
            Block::None | Block::Text | Block::Answer | Block::Call(_) => Ok(()),
        }
    }

    fn stop_reason(&self, reason: &str, delta: &Value, answer: &Assembly) -> Result<StopReason, LlmError> {
        Ok(match reason {
            "tool_use" if self.has_answered && answer.calls() == 0 => StopReason::EndOfText,
            "tool_use" => StopReason::ToolCalls,
            "max_tokens" => StopReason::TokensMax,
            "stop_sequence" => StopReason::StopText,
            "model_context_window_exceeded" => StopReason::ContextFull,
            "refusal" => {
                let said = delta["stop_details"]["explanation"].as_str().unwrap_or("the model declined");
                return Err(LlmError::Refused { reason: status::shown(said, &[]) });
            }
            _ => StopReason::EndOfText,
        })
    }

    fn end(&mut self, answer: &mut Assembly) -> Result<(), LlmError> {
        answer.has_ended = true;
        let wrapped = std::mem::take(&mut self.wrapped);
        if wrapped.is_empty() {
            return Ok(());
        }
        match serde_json::from_str::<Value>(&wrapped).map(|mut value| value[turns::WRAPPED].take()) {
            Ok(value) => answer.text(&value.to_string()),
            // It was cut off: what is there goes out, and the reason says that it is not whole.
            Err(_) if answer.reason == Some(StopReason::TokensMax) => answer.text(&wrapped),
            Err(error) => return Err(broken(format!("the answer is no JSON: {error}"))),
        }
        Ok(())
    }
}

fn append(thought: &mut Map<String, Value>, name: &str, piece: &str) {
    match thought.get_mut(name) {
        Some(Value::String(text)) => text.push_str(piece),
        _ => drop(thought.insert(name.to_owned(), piece.into())),
    }
}

/// The prompt's parts are counted apart here, and every later count replaces an earlier one.
fn usage(usage: &Value, answer: &mut Assembly) {
    let count = |name: &str| usage[name].as_u64().and_then(|count| usize::try_from(count).ok());
    if let Some(fresh) = count("input_tokens") {
        let cached = count("cache_read_input_tokens").unwrap_or_default();
        answer.usage.cached_tokens = cached;
        answer.usage.prompt_tokens = fresh + cached + count("cache_creation_input_tokens").unwrap_or_default();
    }
    if let Some(generated) = count("output_tokens") {
        answer.usage.generated_tokens = generated;
    }
}
