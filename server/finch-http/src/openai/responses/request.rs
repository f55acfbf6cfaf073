//! `/v1/responses`: from JSON to a conversation that a provider takes. Pure.
//!
//! The part that clients use: text, pictures, functions, forms of answers, and going on from an answer that was kept.

use finch_llm::{Answer, ClientId, GenerateRequest, Message, Origin, OutputFormat, ToolCall, ToolChoice, ToolSpec};
use serde_json::{Value, json};

use crate::{
    answer::Calls,
    error::ApiError,
    limits::CHAT_TOKENS_DEFAULT,
    openai::{
        chat::{HARMLESS, one_call, tool_choice},
        content, format,
    },
    request::{Extension, Fields, Wishes, fields::is_nothing, model, sampling, tools},
};

/// Whether the answer is kept for a next request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Keeping {
    #[default]
    Forget,
    Keep,
}

/// Whether the answer is told as it comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Telling {
    #[default]
    Whole,
    Stream,
}

/// A request whose conversation may begin with one that was kept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ResponseRequest {
    pub(crate) model: String,
    pub(crate) extension: Extension,
    wishes: Wishes,
    instructions: Option<String>,
    /// What is said now, as it was sent: a text is a message of the user.
    pub(crate) items: Vec<Value>,
    messages: Vec<Message>,
    tools: Vec<ToolSpec>,
    tool_choice: ToolChoice,
    pub(crate) calls: Calls,
    output: OutputFormat,
    pub(crate) keeping: Keeping,
    pub(crate) telling: Telling,
    pub(crate) previous: Option<String>,
    /// What is said back of the request, in the words of the request.
    pub(crate) said_back: Value,
}

impl ResponseRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with which member.
    pub(crate) fn read(body: Value) -> Result<Self, ApiError> {
        let said_back = said_back(&body);
        let mut fields = Fields::of(body, "")?;
        let model = model::read(&mut fields)?;
        let extension = Extension::take(&mut fields)?;
        if extension != (Extension { client: extension.client.clone(), lane: extension.lane, ..Extension::default() }) {
            return Err(ApiError::invalid("finch", "can have client and lane here, and nothing else"));
        }
        let wishes = Wishes::read(&mut fields, &["max_output_tokens"])?;
        let items = input(&mut fields)?;
        let messages = messages(&items, "input")?;
        let tools = tool_specs(&mut fields)?;
        let tool_choice = tool_choice(fields.take("tool_choice"), &fields.path("tool_choice"))?;
        tools::check(&tools, &tool_choice)?;
        let request = Self {
            model,
            extension,
            wishes,
            instructions: instructions(&mut fields)?,
            items,
            messages,
            tools,
            tool_choice,
            calls: one_call(&mut fields)?,
            output: output(&mut fields)?,
            keeping: if fields.flag("store")? == Some(true) { Keeping::Keep } else { Keeping::Forget },
            telling: if fields.flag("stream")? == Some(true) { Telling::Stream } else { Telling::Whole },
            previous: fields.text("previous_response_id")?,
            said_back,
        };
        if request.messages.is_empty() && request.previous.is_none() {
            return Err(ApiError::invalid("input", "is empty"));
        }
        refuse(&mut fields)?;
        fields.ignore(HARMLESS);
        fields.ignore(&["stream_options", "max_tool_calls", "client_metadata"]);
        fields.end()?;
        Ok(request)
    }

    /// As a provider takes it, with what was kept of the conversation before it.
    ///
    /// # Errors
    /// When that cannot be read any more.
    pub(crate) fn generate(
        &self,
        before: &[Value],
        client: ClientId,
        origin: Origin,
        seed: u64,
    ) -> Result<GenerateRequest, ApiError> {
        // Instructions are those of this request alone, and stand in front.
        let mut said: Vec<Message> = self.instructions.iter().cloned().map(Message::System).collect();
        said.extend(messages(before, "previous_response_id")?);
        said.extend(self.messages.iter().cloned());
        Ok(GenerateRequest {
            client,
            origin,
            lane: self.extension.lane,
            messages: said,
            tools: self.tools.clone(),
            tool_choice: self.tool_choice.clone(),
            output: self.output.clone(),
            references: Vec::new(),
            sampling: self.wishes.sampling(&self.extension, CHAT_TOKENS_DEFAULT, seed),
        })
    }

    pub(crate) fn seed(&self) -> Option<u64> {
        self.wishes.seed
    }
}

/// Members that stand in a response as they did in the request, and what they are where it has none.
fn said_back(body: &Value) -> Value {
    let of = |name: &str, default: Value| match &body[name] {
        Value::Null => default,
        value => value.clone(),
    };
    let text = of("text", json!({"format": {"type": "text"}}));
    json!({
        "instructions": of("instructions", Value::Null),
        "max_output_tokens": of("max_output_tokens", Value::Null),
        "metadata": of("metadata", json!({})),
        "parallel_tool_calls": of("parallel_tool_calls", true.into()),
        "previous_response_id": of("previous_response_id", Value::Null),
        "temperature": of("temperature", 0.into()),
        "text": text,
        "tool_choice": of("tool_choice", "auto".into()),
        "tools": of("tools", json!([])),
        "top_p": of("top_p", 1.into()),
        "truncation": "disabled",
        "user": of("user", Value::Null),
    })
}

/// Takes out, by name, what would make another answer.
fn refuse(fields: &mut Fields) -> Result<(), ApiError> {
    sampling::refuse_others(fields)?;
    fields.refuse("background", is_nothing, "nothing is answered behind your back here; ask and wait")?;
    fields.refuse("conversation", is_nothing, "is not kept here; use previous_response_id")?;
    fields.refuse("prompt", is_nothing, "is not kept here; send input")?;
    // What is too long is an error either way; nothing is cut out of a conversation.
    let is_known = |value: &Value| value == "disabled" || value == "auto";
    fields.refuse("truncation", is_known, "has to be disabled or auto")?;
    let is_hidden =
        |value: &Value| value.as_array().is_some_and(|items| items.iter().all(|it| *it == HIDDEN_REASONING));
    fields.refuse("include", is_hidden, "asks for what is not there; leave it out")
}

/// Clients that keep nothing ask for it always; there is none from models that think aloud.
const HIDDEN_REASONING: &str = "reasoning.encrypted_content";

fn instructions(fields: &mut Fields) -> Result<Option<String>, ApiError> {
    let path = fields.path("instructions");
    fields.take("instructions").map(|value| content::text(value, &path)).transpose()
}

fn output(fields: &mut Fields) -> Result<OutputFormat, ApiError> {
    match fields.object("text")? {
        Some(mut text) => format::read(text.object("format")?),
        None => Ok(OutputFormat::Text),
    }
}

fn input(fields: &mut Fields) -> Result<Vec<Value>, ApiError> {
    match fields.take("input") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![json!({"type": "message", "role": "user", "content": text})]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(ApiError::invalid("input", "has to be a string or an array of items")),
    }
}

fn messages(items: &[Value], path: &str) -> Result<Vec<Message>, ApiError> {
    let mut messages = Vec::new();
    for (index, item) in items.iter().enumerate() {
        read_item(Fields::of(item.clone(), format!("{path}[{index}]"))?, &mut messages)?;
    }
    Ok(tools::results_first(messages))
}

fn read_item(mut item: Fields, messages: &mut Vec<Message>) -> Result<(), ApiError> {
    let kind = item.text("type")?.unwrap_or_else(|| "message".to_owned());
    match kind.as_str() {
        "message" => return message(item, messages),
        "function_call" => {
            let call = ToolCall {
                id: item.required_text("call_id")?,
                name: item.required_text("name")?,
                arguments_json: item.text("arguments")?.unwrap_or_default(),
            };
            if call.id.is_empty() {
                return Err(ApiError::invalid(item.path("call_id"), "is empty"));
            }
            answer(messages, |answer| answer.tool_calls.push(call));
        }
        "function_call_output" => {
            let path = item.path("output");
            let call_id = item.required_text("call_id")?;
            messages.extend(content::of_result(item.require("output")?, &path, call_id)?);
        }
        // A client sends back what it was told of a model's thoughts; the model does not need it.
        "reasoning" => {}
        other => {
            let other: String = other.chars().take(32).collect();
            let problem = format!("is {other}; message, function_call and function_call_output are understood");
            return Err(ApiError::unsupported(item.path("type"), &problem));
        }
    }
    Ok(())
}

fn message(mut item: Fields, messages: &mut Vec<Message>) -> Result<(), ApiError> {
    let path = item.path("content");
    match item.required_text("role")?.as_str() {
        "system" | "developer" => messages.push(Message::System(content::text(item.require("content")?, &path)?)),
        "user" => messages.extend(content::of_user(item.require("content")?, &path)?),
        "assistant" => {
            let text = content::text(item.require("content")?, &path)?;
            // Behind a call it is another answer.
            match messages.last_mut() {
                Some(Message::Assistant(answer)) if answer.tool_calls.is_empty() => answer.text.push_str(&text),
                _ => messages.push(Message::Assistant(Answer::text(text))),
            }
        }
        _ => return Err(ApiError::invalid(item.path("role"), "has to be system, developer, user or assistant")),
    }
    Ok(())
}

/// The answer that is being read: text and calls stand in items of their own.
fn answer(messages: &mut Vec<Message>, add: impl FnOnce(&mut Answer)) {
    match messages.last_mut() {
        Some(Message::Assistant(answer)) => add(answer),
        _ => {
            let mut answer = Answer::default();
            add(&mut answer);
            messages.push(Message::Assistant(answer));
        }
    }
}

fn tool_specs(fields: &mut Fields) -> Result<Vec<ToolSpec>, ApiError> {
    let mut specs = Vec::new();
    for (path, item) in fields.items("tools")? {
        let mut tool = Fields::of(item, path)?;
        if tool.required_text("type")? != "function" {
            let problem = "has to be function; finch runs no tool of its own for a client";
            return Err(ApiError::unsupported(tool.path("type"), problem));
        }
        specs.push(tools::spec(&mut tool, "parameters")?);
    }
    Ok(specs)
}
