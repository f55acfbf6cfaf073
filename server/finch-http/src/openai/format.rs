//! What the answer has to look like, in the words of both of OpenAI's APIs.

use finch_llm::OutputFormat;
use serde_json::Value;

use crate::{error::ApiError, request::Fields};

/// `response_format` of a chat, or `text.format` of a response: the schema is in `json_schema` or beside the type.
pub(crate) fn read(fields: Option<Fields>) -> Result<OutputFormat, ApiError> {
    let Some(mut fields) = fields else { return Ok(OutputFormat::Text) };
    match fields.required_text("type")?.as_str() {
        "text" => Ok(OutputFormat::Text),
        "json_object" => schema_beside(&mut fields),
        "json_schema" => {
            let mut within = match fields.object("json_schema")? {
                Some(within) => within,
                None => fields,
            };
            let path = within.path("schema");
            match within.require("schema")? {
                schema @ Value::Object(_) => Ok(OutputFormat::JsonSchema(schema)),
                _ => Err(ApiError::invalid(path, "has to be a JSON Schema, an object")),
            }
        }
        _ => Err(ApiError::unsupported(fields.path("type"), "has to be text, json_object or json_schema")),
    }
}

/// Some clients put a schema beside `json_object`.
fn schema_beside(fields: &mut Fields) -> Result<OutputFormat, ApiError> {
    let path = fields.path("schema");
    match fields.take("schema") {
        None => Ok(OutputFormat::JsonObject),
        Some(schema @ Value::Object(_)) => Ok(OutputFormat::JsonSchema(schema)),
        Some(_) => Err(ApiError::invalid(path, "has to be a JSON Schema, an object")),
    }
}
