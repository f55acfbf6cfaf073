//! A conversation as every cloud takes it: what the system says, and turns of the user and the model.
//!
//! Pure. The dialects write their bodies from it, so that what one of them knows of tool results all of them know.

use serde_json::{Map, Value, json};

use crate::{Answer, Image, Kept, Message, ToolCall, ToolResult};

/// What stands for a result that says nothing: some servers refuse an empty one.
const NO_OUTPUT: &str = "(no output)";
/// The member that carries arguments which are no JSON object back to the model that wrote them.
const INVALID_ARGUMENTS: &str = "invalid_arguments";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Conversation<'m> {
    pub(crate) system: String,
    pub(crate) turns: Vec<Turn<'m>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn<'m> {
    User(Vec<Part<'m>>),
    Assistant(&'m Answer),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'m> {
    Text(&'m str),
    Image(&'m Image),
    /// The result of a tool, and the tool's name.
    Result(&'m ToolResult, &'m str),
}

impl<'m> Conversation<'m> {
    pub(crate) fn of(messages: &'m [Message]) -> Self {
        let mut system: Vec<&str> = Vec::new();
        let mut turns = Vec::new();
        let mut calls: Vec<&ToolCall> = Vec::new();
        for message in messages {
            match message {
                Message::System(text) => system.push(text),
                Message::User(text) => add(&mut turns, Part::Text(text)),
                Message::Image(image) => add(&mut turns, Part::Image(image)),
                Message::ToolResult(result) => {
                    // The last call of an id is the one that is answered.
                    let call = calls.iter().rev().find(|call| call.id == result.call_id);
                    add(&mut turns, Part::Result(result, call.map_or("unknown", |call| &call.name)));
                }
                Message::Assistant(answer) => {
                    calls.extend(&answer.tool_calls);
                    turns.push(Turn::Assistant(answer));
                }
            }
        }
        Self { system: system.join("\n\n"), turns }
    }

    /// Adds to what the system says.
    pub(crate) fn instruct(&mut self, words: &str) {
        if !self.system.is_empty() {
            self.system.push_str("\n\n");
        }
        self.system.push_str(words);
    }
}

fn add<'m>(turns: &mut Vec<Turn<'m>>, part: Part<'m>) {
    match turns.last_mut() {
        Some(Turn::User(parts)) => parts.push(part),
        _ => turns.push(Turn::User(vec![part])),
    }
}

/// The arguments of a call on their way back. What was no object is shown to the model as what it wrote.
pub(crate) fn arguments_back(call: &ToolCall) -> Map<String, Value> {
    call.arguments().unwrap_or_else(|_| {
        Map::from_iter([(INVALID_ARGUMENTS.to_owned(), Value::String(call.arguments_json.clone()))])
    })
}

/// The text of a result; errors say that they are.
pub(crate) fn result_text(result: &ToolResult) -> String {
    match (result.is_error, result.text.trim().is_empty()) {
        (false, true) => NO_OUTPUT.to_owned(),
        (false, false) => result.text.clone(),
        (true, true) => "Error: the tool failed and said nothing".to_owned(),
        (true, false) => format!("Error: {}", result.text),
    }
}

/// What an answer keeps for this dialect before its call of this number.
pub(crate) fn kept<'m>(answer: &'m Answer, dialect: &'m str, before_call: usize) -> impl Iterator<Item = Value> + 'm {
    let here = move |kept: &&Kept| kept.dialect == dialect && kept.before_call == before_call;
    answer.kept.iter().filter(here).filter_map(|kept| serde_json::from_str(&kept.json).ok())
}

/// Words that ask for JSON, for providers that cannot be bound to it otherwise.
pub(crate) fn json_words(schema: Option<&Value>) -> String {
    let only = "Answer with JSON alone: no text before or behind it and no code fence.";
    match schema {
        Some(schema) => format!("{only} It has to fit this JSON Schema:\n{schema}"),
        None => format!("{only} It has to be one JSON object."),
    }
}

/// A schema that is no object, made a member of one: tools and strict formats take objects alone.
pub(crate) fn wrapped(schema: &Value) -> Value {
    json!({"type": "object", "properties": {WRAPPED: schema}, "required": [WRAPPED], "additionalProperties": false})
}

/// The member of [`wrapped`].
pub(crate) const WRAPPED: &str = "result";

/// Whether the schema asks for an object.
pub(crate) fn is_object(schema: &Value) -> bool {
    schema["type"] == "object"
}

#[cfg(test)]
mod tests;
