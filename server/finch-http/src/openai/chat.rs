//! `/v1/chat/completions`: from JSON to a conversation that a provider takes. Pure.

use std::sync::Arc;

use finch_llm::{
    Answer, ClientId, GenerateRequest, Message, Origin, OutputFormat, ToolCall, ToolChoice, ToolResult, ToolSpec,
};
use serde_json::Value;

use crate::{
    answer::Calls,
    error::ApiError,
    limits::{CHAT_TOKENS_DEFAULT, CHOICES_MAX},
    openai::{content, format, scores},
    request::{Extension, Fields, Wishes, model, sampling, tools},
};

/// Members that change nothing here: who asks, how it is billed and cached, how much to think.
pub(crate) const HARMLESS: &[&str] = &[
    "user",
    "metadata",
    "store",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "cache_prompt",
    "keep_alive",
    "reasoning",
    "reasoning_effort",
    "reasoning_format",
    "verbosity",
    "thinking",
    "enable_thinking",
    "chat_template_kwargs",
    "intent",
    "snippy",
];

/// How an answer is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Delivery {
    #[default]
    Whole,
    Stream,
    /// With one more event that tells what it cost.
    StreamWithUsage,
}

impl Delivery {
    /// Takes `stream` and `stream_options` out of a request.
    pub(crate) fn read(fields: &mut Fields) -> Result<Self, ApiError> {
        let usage = fields.object("stream_options")?.map(|mut options| options.flag("include_usage")).transpose()?;
        Ok(match (fields.flag("stream")?, usage.flatten()) {
            (Some(true), Some(true)) => Self::StreamWithUsage,
            (Some(true), _) => Self::Stream,
            _ => Self::Whole,
        })
    }
}

/// A conversation to be answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChatRequest {
    pub(crate) model: String,
    pub(crate) extension: Extension,
    pub(crate) wishes: Wishes,
    pub(crate) messages: Vec<Message>,
    pub(crate) tools: Vec<ToolSpec>,
    pub(crate) tool_choice: ToolChoice,
    pub(crate) calls: Calls,
    pub(crate) output: OutputFormat,
    /// A text that the answer will resemble.
    pub(crate) prediction: Option<Arc<str>>,
    pub(crate) choices: usize,
    pub(crate) delivery: Delivery,
}

impl ChatRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with which member.
    pub(crate) fn read(body: Value) -> Result<Self, ApiError> {
        let mut fields = Fields::of(body, "")?;
        let model = model::read(&mut fields)?;
        let extension = Extension::take(&mut fields)?;
        if extension.context.is_some() || extension.prompt_tokens_max.is_some() {
            return Err(ApiError::invalid("finch", "context and prompt_tokens_max are for /v1/completions alone"));
        }
        let mut wishes = Wishes::read(&mut fields, &["max_completion_tokens", "max_tokens"])?;
        wishes.alternatives = scores::of_a_chat(&mut fields)?;
        let messages = messages(&mut fields, &extension)?;
        let tools = tool_specs(&mut fields)?;
        let tool_choice = tool_choice(fields.take("tool_choice"), &fields.path("tool_choice"))?;
        tools::check(&tools, &tool_choice)?;
        let output = match (format::read(fields.object("response_format")?)?, &extension.grammar) {
            (OutputFormat::Text, Some(grammar)) => OutputFormat::Grammar(grammar.clone()),
            (_, Some(_)) => return Err(ApiError::invalid("finch.grammar", "cannot go with a response_format")),
            (output, None) => output,
        };
        let request = Self {
            model,
            wishes,
            messages,
            tools,
            tool_choice,
            calls: one_call(&mut fields)?,
            output,
            prediction: prediction(&mut fields)?,
            choices: fields.whole("n", 1..=CHOICES_MAX)?.unwrap_or(1),
            delivery: Delivery::read(&mut fields)?,
            extension,
        };
        if request.choices > 1 && request.delivery != Delivery::Whole {
            return Err(ApiError::unsupported("n", "has to be 1 where the answer is streamed"));
        }
        refuse(&mut fields)?;
        fields.ignore(HARMLESS);
        fields.end()?;
        Ok(request)
    }

    /// As a provider takes it.
    pub(crate) fn generate(&self, client: ClientId, origin: Origin, seed: u64) -> GenerateRequest {
        GenerateRequest {
            client,
            origin,
            lane: self.extension.lane,
            messages: self.messages.clone(),
            tools: self.tools.clone(),
            tool_choice: self.tool_choice.clone(),
            output: self.output.clone(),
            references: self.prediction.iter().chain(&self.extension.references).cloned().collect(),
            sampling: self.wishes.sampling(&self.extension, CHAT_TOKENS_DEFAULT, seed),
        }
    }
}

/// Takes out, by name, what would make another answer.
fn refuse(fields: &mut Fields) -> Result<(), ApiError> {
    sampling::refuse_others(fields)?;
    let is_text = |value: &Value| value.as_array().is_some_and(|kinds| kinds.iter().all(|kind| kind == "text"));
    fields.refuse("modalities", is_text, "can be text alone")?;
    fields.refuse("audio", |_| false, "is not made here")?;
    fields.refuse("web_search_options", |_| false, "nothing is fetched for a request")?;
    let is_nothing = crate::request::fields::is_nothing;
    fields.refuse("functions", is_nothing, "are called tools today; send tools")?;
    fields.refuse("function_call", is_nothing, "is called tool_choice today; send that")
}

/// Takes `parallel_tool_calls` out of a request.
pub(crate) fn one_call(fields: &mut Fields) -> Result<Calls, ApiError> {
    Ok(if fields.flag("parallel_tool_calls")? == Some(false) { Calls::One } else { Calls::Several })
}

/// A text that the answer will resemble makes it faster, and changes nothing in it.
fn prediction(fields: &mut Fields) -> Result<Option<Arc<str>>, ApiError> {
    let Some(mut prediction) = fields.object("prediction")? else { return Ok(None) };
    let text = content::text(prediction.require("content")?, &prediction.path("content"))?;
    Ok((text.len() <= crate::limits::REFERENCE_BYTES_MAX).then(|| text.into()))
}

fn messages(fields: &mut Fields, extension: &Extension) -> Result<Vec<Message>, ApiError> {
    let mut messages = Vec::new();
    for (path, item) in fields.items("messages")? {
        message(Fields::of(item, path)?, extension, &mut messages)?;
    }
    if messages.is_empty() {
        return Err(ApiError::invalid("messages", "has to hold one message at least"));
    }
    Ok(messages)
}

fn message(mut fields: Fields, extension: &Extension, messages: &mut Vec<Message>) -> Result<(), ApiError> {
    let path = fields.path("content");
    match fields.required_text("role")?.as_str() {
        "system" | "developer" => messages.push(Message::System(content::text(fields.require("content")?, &path)?)),
        "user" => messages.extend(content::of_user(fields.require("content")?, &path)?),
        "assistant" => {
            fields.refuse("prefix", crate::request::fields::is_nothing, "is not gone on with here; leave it out")?;
            messages.push(Message::Assistant(assistant(&mut fields)?));
        }
        "tool" => {
            let call_id = fields.required_text("tool_call_id")?;
            let text = fields.take("content").map_or(Ok(String::new()), |content| content::text(content, &path))?;
            let is_error = extension.failed_calls.contains(&call_id);
            messages.push(Message::ToolResult(ToolResult { call_id, text, is_error }));
        }
        _ => {
            let problem = "has to be system, developer, user, assistant or tool";
            return Err(ApiError::invalid(fields.path("role"), problem));
        }
    }
    Ok(())
}

fn assistant(fields: &mut Fields) -> Result<Answer, ApiError> {
    let path = fields.path("content");
    let text = fields.take("content").map_or(Ok(String::new()), |content| content::text(content, &path))?;
    let reasoning = fields.text("reasoning_content")?.unwrap_or_default();
    let mut tool_calls = Vec::new();
    for (path, item) in fields.items("tool_calls")? {
        let mut call = Fields::of(item, path)?;
        if call.text("type")?.is_some_and(|kind| kind != "function") {
            return Err(ApiError::unsupported(call.path("type"), "has to be function"));
        }
        let id = call.required_text("id")?;
        if id.is_empty() {
            return Err(ApiError::invalid(call.path("id"), "is empty"));
        }
        let Some(mut function) = call.object("function")? else {
            return Err(ApiError::invalid(call.path("function"), "is missing"));
        };
        let name = function.required_text("name")?;
        let arguments_json = function.text("arguments")?.unwrap_or_default();
        tool_calls.push(ToolCall { id, name, arguments_json });
    }
    Ok(Answer { text, reasoning, tool_calls, kept: Vec::new() })
}

fn tool_specs(fields: &mut Fields) -> Result<Vec<ToolSpec>, ApiError> {
    let mut specs = Vec::new();
    for (path, item) in fields.items("tools")? {
        let mut tool = Fields::of(item, path)?;
        if tool.required_text("type")? != "function" {
            return Err(ApiError::unsupported(tool.path("type"), "has to be function"));
        }
        let Some(mut function) = tool.object("function")? else {
            return Err(ApiError::invalid(tool.path("function"), "is missing"));
        };
        specs.push(tools::spec(&mut function, "parameters")?);
    }
    Ok(specs)
}

/// `auto`, `none`, `required`, or the one by its name, which stands in `function` or, in a response, beside the type.
pub(crate) fn tool_choice(value: Option<Value>, path: &str) -> Result<ToolChoice, ApiError> {
    let value = match value {
        None => return Ok(ToolChoice::Auto),
        Some(Value::String(word)) => {
            return match word.as_str() {
                "auto" => Ok(ToolChoice::Auto),
                "none" => Ok(ToolChoice::None),
                "required" => Ok(ToolChoice::Required),
                _ => Err(ApiError::invalid(path, "has to be auto, none, required, or a function")),
            };
        }
        Some(value) => value,
    };
    let mut choice = Fields::of(value, path)?;
    if choice.required_text("type")? != "function" {
        return Err(ApiError::unsupported(choice.path("type"), "has to be function"));
    }
    match choice.object("function")? {
        Some(mut function) => Ok(ToolChoice::Tool(function.required_text("name")?)),
        None => Ok(ToolChoice::Tool(choice.required_text("name")?)),
    }
}

#[cfg(test)]
mod tests;
