//! The body of a request for text between two texts.

use serde_json::{Value, json};

use super::body;
use crate::{
    InfillRequest,
    cloud::{excerpts, service::Quirks},
};

/// The body for `/completions` with a suffix and for Mistral's `/fim/completions`: they take the same.
pub(crate) fn infill(request: &InfillRequest, model: &str, quirks: &Quirks) -> Value {
    let text = excerpts::fitted(request);
    let mut body = json!({"model": model, "stream": true, "prompt": text.prompt});
    if !text.suffix.is_empty() {
        body["suffix"] = text.suffix.into();
    }
    if quirks.stream_options {
        body["stream_options"] = json!({"include_usage": true});
    }
    // These operations have only the old name.
    body::sampling(&mut body, &request.sampling, &Quirks { tokens_max: "max_tokens", ..*quirks });
    body
}
