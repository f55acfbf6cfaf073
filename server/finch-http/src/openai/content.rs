//! The content of messages in OpenAI's APIs: a string, or parts of text and pictures.

use finch_llm::{Image, Message, ToolResult};
use serde_json::Value;

use crate::{
    error::ApiError,
    request::{Fields, fields::numbered, picture},
};

/// A part that is understood.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Picture(Image),
}

/// What a person says and shows. Texts that stand side by side are one.
pub(crate) fn of_user(value: Value, path: &str) -> Result<Vec<Message>, ApiError> {
    let mut messages = Vec::new();
    for part in parts(value, path)? {
        match (part, messages.last_mut()) {
            (Part::Text(more), Some(Message::User(text))) => text.push_str(&more),
            (Part::Text(text), _) => messages.push(Message::User(text)),
            (Part::Picture(image), _) => messages.push(Message::Image(image)),
        }
    }
    if messages.is_empty() {
        return Err(ApiError::invalid(path, "is empty"));
    }
    Ok(messages)
}

/// What a tool came to: its text, and behind it the pictures in it.
pub(crate) fn of_result(value: Value, path: &str, call_id: String) -> Result<Vec<Message>, ApiError> {
    let (mut text, mut messages) = (String::new(), Vec::new());
    for part in parts(value, path)? {
        match part {
            Part::Text(more) => text.push_str(&more),
            Part::Picture(image) => messages.push(Message::Image(image)),
        }
    }
    messages.insert(0, Message::ToolResult(ToolResult { call_id, text, is_error: false }));
    Ok(messages)
}

/// What may hold no pictures.
pub(crate) fn text(value: Value, path: &str) -> Result<String, ApiError> {
    let mut text = String::new();
    for part in parts(value, path)? {
        match part {
            Part::Text(more) => text.push_str(&more),
            Part::Picture(_) => return Err(ApiError::unsupported(path, "can hold text alone here")),
        }
    }
    Ok(text)
}

fn parts(value: Value, path: &str) -> Result<Vec<Part>, ApiError> {
    match value {
        Value::String(text) => Ok(vec![Part::Text(text)]),
        Value::Array(parts) => numbered(path, parts).into_iter().map(|(path, part)| read(part, path)).collect(),
        _ => Err(ApiError::invalid(path, "has to be a string or an array of parts")),
    }
}

fn read(part: Value, path: String) -> Result<Part, ApiError> {
    let mut fields = Fields::of(part, path)?;
    let kind = fields.required_text("type")?;
    match kind.as_str() {
        "text" | "input_text" | "output_text" => Ok(Part::Text(fields.required_text("text")?)),
        "refusal" => Ok(Part::Text(fields.required_text("refusal")?)),
        "image_url" | "input_image" => {
            let path = fields.path("image_url");
            let (url, path) = match fields.require("image_url")? {
                Value::String(url) => (url, path),
                nested => {
                    let mut nested = Fields::of(nested, path)?;
                    (nested.required_text("url")?, nested.path("url"))
                }
            };
            Ok(Part::Picture(picture::from_url(&url, &path)?))
        }
        other => {
            let other: String = other.chars().take(32).collect();
            let problem = format!("is of the type {other}; text and image_url are understood");
            Err(ApiError::unsupported(fields.path("type"), &problem))
        }
    }
}
