//! The events of a streamed answer.

use serde_json::{Value, json};

use super::NAME;
use crate::{
    Kept, LlmError, StopReason,
    cloud::{
        assembly::{Assembly, broken},
        status,
    },
    sse::SseEvent,
};

/// Takes one event in.
pub(crate) fn read(event: &SseEvent, answer: &mut Assembly, tokens_max: usize) -> Result<(), LlmError> {
    if event.data.trim().is_empty() {
        return Ok(());
    }
    let value: Value =
        serde_json::from_str(&event.data).map_err(|error| broken(format!("an event is no JSON: {error}")))?;
    if let Some(error) = status::in_stream(&value, &[], tokens_max) {
        return Err(error);
    }
    if let Some(reason) = value["promptFeedback"]["blockReason"].as_str() {
        return Err(LlmError::Refused { reason: format!("the prompt was blocked: {}", status::shown(reason, &[])) });
    }
    usage(&value["usageMetadata"], answer);
    let candidate = &value["candidates"][0];
    for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
        read_part(part, answer)?;
    }
    if let Some(reason) = candidate["finishReason"].as_str() {
        answer.reason = Some(stop_reason(reason, candidate)?);
    }
    Ok(())
}

fn read_part(part: &Value, answer: &mut Assembly) -> Result<(), LlmError> {
    let at = answer.calls();
    if let Some(text) = part["text"].as_str() {
        if part["thought"] == true {
            answer.reasoning(text);
        } else {
            answer.text(text);
        }
        // A signature may come with the last text, which may be empty.
        return keep(part, "text", 0, answer);
    }
    let function = &part["functionCall"];
    if function.is_object() {
        let index = at as u64;
        let call = answer.call(index)?;
        function["id"].as_str().unwrap_or_default().clone_into(&mut call.id);
        function["name"].as_str().unwrap_or_default().clone_into(&mut call.name);
        // A call without arguments has no `args`.
        let arguments = if function["args"].is_null() { "{}".to_owned() } else { function["args"].to_string() };
        answer.arguments(index, &arguments)?;
        return keep(part, "call", at, answer);
    }
    Ok(())
}

fn keep(part: &Value, on: &str, before_call: usize, answer: &mut Assembly) -> Result<(), LlmError> {
    match &part["thoughtSignature"] {
        Value::String(signature) => {
            let json = json!({"on": on, "thoughtSignature": signature}).to_string();
            answer.keep(Kept { dialect: NAME, before_call, json })
        }
        _ => Ok(()),
    }
}

fn usage(usage: &Value, answer: &mut Assembly) {
    let count = |name: &str| usage[name].as_u64().and_then(|count| usize::try_from(count).ok());
    if let Some(prompt) = count("promptTokenCount") {
        answer.usage.prompt_tokens = prompt;
        answer.usage.cached_tokens = count("cachedContentTokenCount").unwrap_or_default();
    }
    if let Some(generated) = count("candidatesTokenCount") {
        answer.usage.generated_tokens = generated + count("thoughtsTokenCount").unwrap_or_default();
    }
}

fn stop_reason(reason: &str, candidate: &Value) -> Result<StopReason, LlmError> {
    let said = |default: String| match candidate["finishMessage"].as_str() {
        Some(said) => format!("{default}: {}", status::shown(said, &[])),
        None => default,
    };
    match reason {
        "STOP" | "FINISH_REASON_UNSPECIFIED" => Ok(StopReason::EndOfText),
        "MAX_TOKENS" => Ok(StopReason::TokensMax),
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "MISSING_THOUGHT_SIGNATURE" => {
            Err(broken(said(format!("the model's tool call came to nothing ({reason})"))))
        }
        _ => {
            Err(LlmError::Refused { reason: said(format!("the answer was stopped ({})", status::shown(reason, &[]))) })
        }
    }
}
