//! What a refusal means: a status and a body in, an error named by what the caller does next out.
//!
//! Pure. A provider's own words are shown without line ends, without control characters, without the key and not in
//! full: they go into logs and to people.

use std::time::Duration;

use serde_json::Value;

use super::Key;
use crate::{LlmError, limits};

/// The head of an answer that is no success.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal<'a> {
    pub(crate) status: u16,
    /// `Retry-After`, as it came.
    pub(crate) retry_after: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

/// What the caller does next.
pub(crate) fn error(refusal: Refusal<'_>, secrets: &[Key], tokens_max: usize) -> LlmError {
    let body: Option<Value> = serde_json::from_slice(refusal.body).ok();
    let said = body.as_ref().and_then(words);
    let reason = match &said {
        Some(said) => format!("HTTP {}: {}", refusal.status, shown(said, secrets)),
        None => format!("HTTP {}", refusal.status),
    };
    let said = said.unwrap_or_default().to_ascii_lowercase();
    match refusal.status {
        400 | 413 | 422 | 500 if is_too_long(&said) || refusal.status == 413 => too_long(&said, tokens_max),
        // Gemini answers so to a key that is none.
        400 if said.contains("api key") || said.contains("api_key") => LlmError::Unauthorized { reason },
        401 | 403 => LlmError::Unauthorized { reason },
        402 => LlmError::Refused { reason },
        // No pause mends an empty account.
        429 if said.contains("insufficient_quota") || said.contains("exceeded your current quota, please check") => {
            LlmError::Refused { reason }
        }
        429 => LlmError::RateLimited { retry_after: pause(&refusal, body.as_ref()) },
        404 | 405 | 410 | 451 => LlmError::Refused { reason },
        408 | 409 | 425 | 500..=599 => LlmError::Unavailable { reason },
        300..=399 => LlmError::Protocol { reason: format!("{reason}: redirects are not followed") },
        _ => LlmError::Protocol { reason },
    }
}

/// An error that came within a stream, or as the body of a success. `None` if the value is none.
pub(crate) fn in_stream(value: &Value, secrets: &[Key], tokens_max: usize) -> Option<LlmError> {
    let error = value.get("error").or_else(|| value.get(0)?.get("error")).filter(|error| !error.is_null())?;
    let said = words(value).unwrap_or_else(|| "an error without words".to_owned());
    let reason = shown(&said, secrets);
    let kinds = ["type", "code", "status"].map(|name| match &error[name] {
        Value::String(text) => text.to_ascii_lowercase(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    });
    let is = |names: &[&str]| kinds.iter().any(|kind| names.iter().any(|name| kind.contains(name)));
    if is_too_long(&said.to_ascii_lowercase()) || is(&["context_length"]) {
        return Some(too_long(&said, tokens_max));
    }
    Some(if is(&["rate_limit", "resource_exhausted", "429"]) {
        LlmError::RateLimited { retry_after: asked_in_body(value).unwrap_or(limits::RETRY_AFTER_DEFAULT) }
    } else if is(&["authentication", "permission", "unauthenticated", "invalid_api_key", "401", "403"]) {
        LlmError::Unauthorized { reason }
    } else if is(&["invalid", "not_found", "404", "400", "422"]) {
        LlmError::Refused { reason }
    } else {
        LlmError::Unavailable { reason }
    })
}

/// The provider's words, wherever it keeps them.
fn words(body: &Value) -> Option<String> {
    let body = body.get(0).unwrap_or(body);
    let error = body.get("error").unwrap_or(body);
    let message = [&error["message"], error, &body["message"], &body["detail"], &body["detail"][0]["msg"]];
    let text = message.into_iter().find_map(Value::as_str).filter(|text| !text.trim().is_empty());
    let code = ["code", "type"].into_iter().find_map(|name| error[name].as_str());
    match (text, code) {
        (Some(text), Some(code)) if !text.contains(code) => Some(format!("{text} ({code})")),
        (Some(text), _) => Some(text.to_owned()),
        (None, code) => code.map(str::to_owned),
    }
}

/// One line that is fit for a log.
pub(crate) fn shown(text: &str, secrets: &[Key]) -> String {
    let text = Key::scrub_all(secrets, text);
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let line: String = printable.take(limits::REASON_CHARS_MAX).collect();
    crate::redact::redact(line.trim()).into_owned()
}

fn is_too_long(said: &str) -> bool {
    const MARKS: &[&str] = &[
        "context length",
        "context_length",
        "context window",
        "context size",
        "prompt is too long",
        "input token count",
        "maximum prompt length",
        "too many tokens",
        "reduce the length",
        "exceeds the available context",
    ];
    MARKS.iter().any(|mark| said.contains(mark))
}

/// The two numbers of such a message: the larger one was sent, the smaller one fits.
fn too_long(said: &str, tokens_max: usize) -> LlmError {
    let digits = said.split(|c: char| !c.is_ascii_digit() && c != ',' && c != '_');
    let mut numbers: Vec<usize> = digits
        .filter_map(|word| word.replace([',', '_'], "").parse().ok())
        .filter(|&number| number >= limits::CONTEXT_TOKENS_MIN)
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    match numbers[..] {
        [fits, .., sent] => LlmError::ContextTooLong { tokens: sent, tokens_max: fits },
        [fits] => LlmError::ContextTooLong { tokens: fits.max(tokens_max), tokens_max: fits.min(tokens_max.max(1)) },
        [] => LlmError::ContextTooLong { tokens: tokens_max, tokens_max },
    }
}

/// The pause in the head of a refusal, whatever its status.
pub(crate) fn asked_pause(refusal: &Refusal<'_>) -> Option<Duration> {
    refusal.retry_after.and_then(|text| seconds(text.trim())).map(|pause| pause.min(limits::RETRY_AFTER_MAX))
}

fn pause(refusal: &Refusal<'_>, body: Option<&Value>) -> Duration {
    let asked = asked_pause(refusal);
    asked.or_else(|| body.and_then(asked_in_body)).unwrap_or(limits::RETRY_AFTER_DEFAULT).min(limits::RETRY_AFTER_MAX)
}

/// Google says it among the details, as `"retryDelay": "34s"`.
fn asked_in_body(body: &Value) -> Option<Duration> {
    let body = body.get(0).unwrap_or(body);
    let details = body["error"]["details"].as_array()?;
    let delay = details.iter().find_map(|detail| detail["retryDelay"].as_str())?;
    seconds(delay.strip_suffix('s')?)
}

fn seconds(text: &str) -> Option<Duration> {
    text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

#[cfg(test)]
mod tests;
