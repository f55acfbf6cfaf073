//! The events of a streamed answer.

use serde_json::Value;

use crate::{
    LlmError, StopReason,
    cloud::{
        assembly::{Assembly, broken},
        status,
    },
    sse::SseEvent,
};

/// Takes one event in.
pub(crate) fn read(event: &SseEvent, answer: &mut Assembly, tokens_max: usize) -> Result<(), LlmError> {
    let data = event.data.trim();
    if data.is_empty() {
        return Ok(());
    }
    if data == "[DONE]" {
        answer.has_ended = true;
        return Ok(());
    }
    let value: Value = serde_json::from_str(data).map_err(|error| broken(format!("an event is no JSON: {error}")))?;
    if let Some(error) = status::in_stream(&value, &[], tokens_max) {
        return Err(error);
    }
    usage(&value, answer);
    // The event that carries the usage has no choices; with several, the first is the one that was asked for.
    let Some(choice) = value["choices"].get(0) else { return Ok(()) };
    let delta = &choice["delta"];
    for thought in [&delta["reasoning_content"], &delta["reasoning"]] {
        answer.reasoning(thought.as_str().unwrap_or_default());
    }
    content(&delta["content"], answer);
    // `/completions` says it so.
    answer.text(choice["text"].as_str().unwrap_or_default());
    for call in delta["tool_calls"].as_array().into_iter().flatten() {
        tool_call(call, answer)?;
    }
    if let Some(refusal) = delta["refusal"].as_str().filter(|text| !text.is_empty()) {
        return Err(LlmError::Refused { reason: status::shown(refusal, &[]) });
    }
    if let Some(reason) = choice["finish_reason"].as_str().filter(|reason| !reason.is_empty()) {
        answer.reason = Some(stop_reason(reason)?);
    }
    Ok(())
}

/// Text, or Mistral's parts of text and thought.
fn content(content: &Value, answer: &mut Assembly) {
    match content {
        Value::String(text) => answer.text(text),
        Value::Array(parts) => {
            for part in parts {
                answer.text(part["text"].as_str().unwrap_or_default());
                for thought in part["thinking"].as_array().into_iter().flatten() {
                    answer.reasoning(thought["text"].as_str().unwrap_or_default());
                }
            }
        }
        _ => {}
    }
}

/// A piece of a call. Servers that send calls whole often leave the index out, so a new id is a new call then.
fn tool_call(piece: &Value, answer: &mut Assembly) -> Result<(), LlmError> {
    let id = piece["id"].as_str().unwrap_or_default();
    let index = match piece["index"].as_u64() {
        Some(index) => index,
        None => match answer.last_index() {
            Some(last) if id.is_empty() || answer.call(last)?.id == id => last,
            last => last.map_or(0, |last| last + 1),
        },
    };
    let function = &piece["function"];
    let call = answer.call(index)?;
    if call.id.is_empty() {
        id.clone_into(&mut call.id);
    }
    if let Some(name) = function["name"].as_str() {
        // Some repeat the whole name, some send it in parts.
        if call.name != name {
            call.name.push_str(name);
        }
    }
    match &function["arguments"] {
        Value::String(piece) => answer.arguments(index, piece),
        // Some send the object itself.
        Value::Object(arguments) => answer.arguments(index, &Value::Object(arguments.clone()).to_string()),
        _ => Ok(()),
    }
}

fn usage(value: &Value, answer: &mut Assembly) {
    // Groq keeps it in a drawer of its own.
    let usage = [&value["usage"], &value["x_groq"]["usage"]].into_iter().find(|usage| usage.is_object());
    let Some(usage) = usage else { return };
    let count = |value: &Value| usize::try_from(value.as_u64().unwrap_or_default()).unwrap_or_default();
    answer.usage.prompt_tokens = count(&usage["prompt_tokens"]);
    answer.usage.generated_tokens = count(&usage["completion_tokens"]);
    answer.usage.cached_tokens = count(&usage["prompt_tokens_details"]["cached_tokens"]);
}

fn stop_reason(reason: &str) -> Result<StopReason, LlmError> {
    match reason {
        "length" | "max_tokens" => Ok(StopReason::TokensMax),
        "model_length" => Ok(StopReason::ContextFull),
        "tool_calls" | "function_call" => Ok(StopReason::ToolCalls),
        "content_filter" => Err(LlmError::Refused { reason: "its filter stopped the answer".to_owned() }),
        "error" | "abort" => Err(LlmError::Unavailable { reason: "the server broke the answer off".to_owned() }),
        // `stop` of a stop text and `stop` of the model's own are one word here.
        _ => Ok(StopReason::EndOfText),
    }
}
