//! Why a request is not answered: one error, and how it looks in OpenAI's and in Anthropic's API.
//!
//! Statuses are chosen by what official clients do with them: they try 408, 409, 429 and all from 500 on again, so what
//! cannot be mended by a second try has another one.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use finch_llm::LlmError;
use serde_json::{Value, json};

use crate::{
    limits::{LOADING_RETRY_AFTER_MS, OVERLOADED_RETRY_AFTER_MS},
    wire::ErrorExtension,
};

/// The client went away or asked for something newer. No official code says so, and no client tries it again.
const CLIENT_CLOSED_REQUEST: u16 = 499;
/// The code that OpenAI's clients know a prompt by that is too long.
const CONTEXT_LENGTH_EXCEEDED: &str = "context_length_exceeded";

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    /// What went wrong, for programs.
    pub(crate) code: &'static str,
    /// The member of the request that is wrong, such as `messages[2].content`.
    pub(crate) param: Option<String>,
    pub(crate) message: String,
    pub(crate) finch: ErrorExtension,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, param: None, message: message.into(), finch: ErrorExtension::default() }
    }

    /// A member of the request has a value that it cannot have.
    pub(crate) fn invalid(param: impl Into<String>, problem: &str) -> Self {
        Self::about(param, "invalid_value", problem)
    }

    /// A member of the request asks for what nobody here does. To ignore it would change what the answer means.
    pub(crate) fn unsupported(param: impl Into<String>, problem: &str) -> Self {
        Self::about(param, "unsupported_parameter", problem)
    }

    fn about(param: impl Into<String>, code: &'static str, problem: &str) -> Self {
        let param = param.into();
        let message = format!("{param}: {problem}");
        Self { param: Some(param), ..Self::new(StatusCode::BAD_REQUEST, code, message) }
    }

    /// The body is no request at all.
    pub(crate) fn unreadable(problem: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_json", problem)
    }

    pub(crate) fn model_not_found(model: &str) -> Self {
        let message = format!("there is no model `{model}`; GET /v1/models says which there are");
        Self { param: Some("model".to_owned()), ..Self::new(StatusCode::NOT_FOUND, "model_not_found", message) }
    }

    /// Something of our own failed.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
    }

    /// When a second try is worth it.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.finch.retry_after_ms.map(Duration::from_millis)
    }

    /// The error in OpenAI's shape: a whole body, and the data of an event in the middle of a stream.
    pub(crate) fn openai_body(&self) -> Value {
        let mut error = json!({
            "message": self.message,
            "type": openai_type(self.status),
            "param": self.param,
            "code": self.code,
        });
        if self.finch != ErrorExtension::default() {
            error["finch"] = json!(self.finch);
        }
        json!({ "error": error })
    }

    /// The same in Anthropic's.
    pub(crate) fn anthropic_body(&self) -> Value {
        json!({"type": "error", "error": {"type": anthropic_type(self.status), "message": self.message}})
    }

    /// The same as an answer of Anthropic's API.
    pub(crate) fn into_anthropic(self) -> Response {
        let body = self.anthropic_body();
        self.with_headers((self.status, Json(body)).into_response())
    }

    fn with_headers(&self, mut response: Response) -> Response {
        if let Some(pause) = self.retry_after() {
            let seconds = pause.as_millis().div_ceil(1000).max(1);
            if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
                response.headers_mut().insert(RETRY_AFTER, value);
            }
        }
        response
    }
}

/// OpenAI's `type` of an error.
pub(crate) fn openai_type(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

/// Anthropic's `type` of an error.
pub(crate) fn anthropic_type(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = self.openai_body();
        self.with_headers((self.status, Json(body)).into_response())
    }
}

impl From<LlmError> for ApiError {
    fn from(error: LlmError) -> Self {
        let status = match &error {
            LlmError::Cancelled => StatusCode::from_u16(CLIENT_CLOSED_REQUEST).unwrap_or(StatusCode::BAD_REQUEST),
            LlmError::Overloaded | LlmError::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            LlmError::Loading | LlmError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            // The key of a cloud is wrong, not that of the client.
            LlmError::Unauthorized { .. } | LlmError::Protocol { .. } => StatusCode::BAD_GATEWAY,
            LlmError::ContextTooLong { .. } | LlmError::Refused { .. } => StatusCode::BAD_REQUEST,
        };
        let code = match &error {
            LlmError::ContextTooLong { .. } => CONTEXT_LENGTH_EXCEEDED,
            other => other.kind(),
        };
        let mut finch = ErrorExtension::of(&error);
        finch.retry_after_ms = match &error {
            LlmError::Overloaded => Some(OVERLOADED_RETRY_AFTER_MS),
            LlmError::Loading => Some(LOADING_RETRY_AFTER_MS),
            _ => finch.retry_after_ms,
        };
        // The code says what kind of failure it is; a client that knows it puts the same words around the reason.
        let message = match error {
            LlmError::Unauthorized { reason }
            | LlmError::Unavailable { reason }
            | LlmError::Refused { reason }
            | LlmError::Protocol { reason } => reason,
            other => other.to_string(),
        };
        Self { finch, ..Self::new(status, code, message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: LlmError, status: u16, code: &str, openai: &str, anthropic: &str, retry: Option<&str>) {
        let error = ApiError::from(error);
        let body = error.openai_body();
        assert_eq!((error.status.as_u16(), &body["error"]["code"]), (status, &json!(code)));
        assert_eq!(body["error"]["type"], openai);
        assert_eq!(error.anthropic_body()["error"]["type"], anthropic);
        let response = error.into_response();
        assert_eq!(response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap()), retry);
    }

    #[test]
    fn what_a_provider_says_becomes_a_status_that_clients_act_on() {
        let (request, server, limit) = ("invalid_request_error", "server_error", "rate_limit_error");
        let reason = || "why".to_owned();
        check(LlmError::Cancelled, 499, "cancelled", request, request, None);
        check(LlmError::Overloaded, 429, "overloaded", limit, limit, Some("1"));
        let limited = LlmError::RateLimited { retry_after: Duration::from_millis(2100) };
        check(limited, 429, "rate-limited", limit, limit, Some("3"));
        check(LlmError::Loading, 503, "loading", server, "overloaded_error", Some("2"));
        let unavailable = LlmError::Unavailable { reason: reason() };
        check(unavailable, 503, "unavailable", server, "overloaded_error", None);
        let unauthorized = LlmError::Unauthorized { reason: reason() };
        check(unauthorized, 502, "unauthorized", server, "api_error", None);
        check(LlmError::Protocol { reason: reason() }, 502, "protocol", server, "api_error", None);
        check(LlmError::Refused { reason: reason() }, 400, "refused", request, request, None);
        let long = LlmError::ContextTooLong { tokens: 9, tokens_max: 8 };
        check(long, 400, "context_length_exceeded", request, request, None);
    }

    #[test]
    fn a_prompt_that_is_too_long_says_by_how_much() {
        let body = ApiError::from(LlmError::ContextTooLong { tokens: 9, tokens_max: 8 }).openai_body();
        let finch = json!({"tokens": 9, "tokens_max": 8});
        assert_eq!(body["error"]["finch"], finch);
    }
}
