//! Why the door does not let a request in, in the shape that clients of OpenAI's and Anthropic's API read.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::error;

/// Anthropic's clients look for an error one level further out.
const ANTHROPIC: &str = "/v1/messages";

/// A request that is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// Stable, for programs and for `/metrics`.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
    /// The rest of the request cannot be told from the next one.
    pub(crate) ends_the_connection: bool,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None, ends_the_connection: false }
    }

    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    pub(crate) fn and_ends_the_connection(self) -> Self {
        Self { ends_the_connection: true, ..self }
    }

    /// The answer to a request for that path.
    pub(crate) fn answer(&self, path: &str) -> Response {
        let of = |kind: &str| json!({"message": self.message, "type": kind, "param": null, "code": self.code});
        let body = if path.starts_with(ANTHROPIC) {
            json!({"type": "error", "error": of(error::anthropic_type(self.status))})
        } else {
            json!({"error": of(error::openai_type(self.status))})
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        if self.ends_the_connection {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
