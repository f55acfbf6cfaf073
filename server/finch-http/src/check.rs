//! Whether bytes are a request, without anybody being asked: for what looks for bytes that break the reading of them.

use crate::{answer, messages, openai};

/// The paths whose bodies are read.
pub const PATHS: &[&str] = &["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"];

/// Whether that is a body for one of [`PATHS`].
///
/// # Errors
/// Why it is not, as a client is told.
pub fn check_request(path: &str, body: &[u8]) -> Result<(), String> {
    let body = answer::json(body).map_err(|error| error.message)?;
    let checked = match path {
        "/v1/messages" => Some(messages::check(body)),
        _ => openai::check(path, body),
    };
    checked.unwrap_or(Ok(())).map_err(|error| error.message)
}
