//! Tools that a request offers to the model: what every dialect says of them, each in its own words.

use finch_llm::{Message, ToolChoice, ToolSpec};
use serde_json::{Value, json};

use crate::{
    error::ApiError,
    limits::{TOOL_NAME_BYTES_MAX, TOOLS_MAX},
    request::Fields,
};

/// One tool: `name`, `description`, and its parameters by the dialect's word for them.
pub(crate) fn spec(fields: &mut Fields, parameters: &str) -> Result<ToolSpec, ApiError> {
    let name = fields.required_text("name")?;
    check_name(&name, &fields.path("name"))?;
    let description = fields.text("description")?.unwrap_or_default();
    let parameters_path = fields.path(parameters);
    let parameters = match fields.take(parameters) {
        None => json!({"type": "object", "properties": {}}),
        Some(schema @ Value::Object(_)) => schema,
        Some(_) => return Err(ApiError::invalid(parameters_path, "has to be a JSON Schema, an object")),
    };
    Ok(ToolSpec { name, description, parameters })
}

/// The name of a tool, as every provider takes it.
pub(crate) fn check_name(name: &str, path: &str) -> Result<(), ApiError> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if name.is_empty() || name.len() > TOOL_NAME_BYTES_MAX || !is_plain {
        let problem = format!("has to be 1 to {TOOL_NAME_BYTES_MAX} letters, digits, _ and -");
        return Err(ApiError::invalid(path, &problem));
    }
    Ok(())
}

/// Tools and a choice that go together.
pub(crate) fn check(tools: &[ToolSpec], choice: &ToolChoice) -> Result<(), ApiError> {
    if tools.len() > TOOLS_MAX {
        return Err(ApiError::invalid("tools", &format!("has more than {TOOLS_MAX} tools")));
    }
    for (index, tool) in tools.iter().enumerate() {
        if tools[..index].iter().any(|other| other.name == tool.name) {
            return Err(ApiError::invalid("tools", &format!("has two tools of the name {}", tool.name)));
        }
    }
    let is_known = match choice {
        ToolChoice::Auto | ToolChoice::None => true,
        ToolChoice::Required => !tools.is_empty(),
        ToolChoice::Tool(name) => tools.iter().any(|tool| tool.name == *name),
    };
    if is_known { Ok(()) } else { Err(ApiError::invalid("tool_choice", "asks for a tool that is not among the tools")) }
}

/// Puts the results of calls together, and the pictures in them behind the last of them.
pub(crate) fn results_first(messages: Vec<Message>) -> Vec<Message> {
    let (mut ordered, mut pictures) = (Vec::with_capacity(messages.len()), Vec::new());
    for message in messages {
        let is_behind_results = matches!(ordered.last(), Some(Message::ToolResult(_)));
        match message {
            Message::Image(_) if is_behind_results => pictures.push(message),
            Message::ToolResult(_) => ordered.push(message),
            other => {
                ordered.append(&mut pictures);
                ordered.push(other);
            }
        }
    }
    ordered.append(&mut pictures);
    ordered
}
