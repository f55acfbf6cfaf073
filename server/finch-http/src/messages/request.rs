//! `/v1/messages`: from JSON to a conversation that a provider takes. Pure.

use finch_llm::{
    Answer, ClientId, GenerateRequest, Message, Origin, OutputFormat, ToolCall, ToolChoice, ToolResult, ToolSpec,
};
use serde_json::Value;

use crate::{
    answer::Calls,
    error::ApiError,
    limits::TOKENS_MAX,
    request::{
        Extension, Fields, Wishes,
        fields::{is_nothing, numbered},
        model, picture, sampling, tools,
    },
};

/// Members that change nothing here.
const HARMLESS: &[&str] =
    &["metadata", "service_tier", "context_management", "inference_geo", "cache_control", "speed"];

/// Whether the answer is told as it comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Telling {
    #[default]
    Whole,
    Stream,
}

/// Whether what the model thinks is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Thoughts {
    #[default]
    Hidden,
    Told,
}

/// A conversation to be answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MessagesRequest {
    pub(crate) model: String,
    pub(crate) extension: Extension,
    wishes: Wishes,
    messages: Vec<Message>,
    tools: Vec<ToolSpec>,
    tool_choice: ToolChoice,
    pub(crate) calls: Calls,
    output: OutputFormat,
    pub(crate) thoughts: Thoughts,
    pub(crate) telling: Telling,
}

impl MessagesRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with which member.
    pub(crate) fn read(body: Value) -> Result<Self, ApiError> {
        let mut fields = Fields::of(body, "")?;
        let model = model::read(&mut fields)?;
        let extension = Extension::take(&mut fields)?;
        if extension != (Extension { client: extension.client.clone(), lane: extension.lane, ..Extension::default() }) {
            return Err(ApiError::invalid("finch", "can have client and lane here, and nothing else"));
        }
        let wishes = wishes(&mut fields)?;
        let messages = conversation(&mut fields)?;
        let tools = tool_specs(&mut fields)?;
        let (tool_choice, calls) = tool_choice(&mut fields)?;
        tools::check(&tools, &tool_choice)?;
        let request = Self {
            model,
            extension,
            wishes,
            messages,
            tools,
            tool_choice,
            calls,
            output: output(&mut fields)?,
            thoughts: thoughts(&mut fields)?,
            telling: if fields.flag("stream")? == Some(true) { Telling::Stream } else { Telling::Whole },
        };
        fields.refuse("mcp_servers", is_nothing, "finch calls no server for a client")?;
        fields.refuse("container", is_nothing, "finch runs nothing for a client")?;
        fields.ignore(HARMLESS);
        fields.end()?;
        Ok(request)
    }

    /// The texts that end the answer.
    pub(crate) fn stops(&self) -> &[String] {
        &self.wishes.stop
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
            references: Vec::new(),
            // Every request names its number of tokens.
            sampling: self.wishes.sampling(&self.extension, 1, seed),
        }
    }
}

fn wishes(fields: &mut Fields) -> Result<Wishes, ApiError> {
    let tokens_max = fields.whole("max_tokens", 1..=TOKENS_MAX)?;
    if tokens_max.is_none() {
        return Err(ApiError::invalid("max_tokens", "is missing"));
    }
    Ok(Wishes {
        temperature: fields.number("temperature", 0.0..=1.0)?,
        top_p: sampling::share(fields, "top_p")?,
        top_k: fields.whole("top_k", 1..=TOKENS_MAX)?,
        seed: None,
        tokens_max,
        stop: sampling::stop(fields, "stop_sequences")?,
        alternatives: None,
    })
}

fn conversation(fields: &mut Fields) -> Result<Vec<Message>, ApiError> {
    let path = fields.path("system");
    let system = fields.take("system").map(|value| text(value, &path)).transpose()?;
    let mut messages: Vec<Message> = system.filter(|text| !text.is_empty()).map(Message::System).into_iter().collect();
    let before = messages.len();
    for (path, item) in fields.items("messages")? {
        let mut message = Fields::of(item, path)?;
        let path = message.path("content");
        let content = blocks(message.require("content")?, &path)?;
        match message.required_text("role")?.as_str() {
            "user" => user(content, &mut messages)?,
            "assistant" => messages.push(Message::Assistant(assistant(content)?)),
            // Some clients say here what belongs into `system`.
            "system" => messages.push(Message::System(join(content)?)),
            _ => return Err(ApiError::invalid(message.path("role"), "has to be user or assistant")),
        }
    }
    if let Some(Message::Assistant(_)) = messages.last() {
        let problem = "of the assistant ends the conversation, and an answer that is begun is not gone on with here";
        return Err(ApiError::unsupported("messages", problem));
    }
    if messages.len() == before {
        return Err(ApiError::invalid("messages", "has to hold one message with content at least"));
    }
    Ok(messages)
}

/// Content as blocks: a string is one of text.
fn blocks(value: Value, path: &str) -> Result<Vec<Fields>, ApiError> {
    match value {
        Value::String(text) => {
            let block = serde_json::json!({"type": "text", "text": text});
            Ok(vec![Fields::of(block, path)?])
        }
        Value::Array(blocks) => {
            numbered(path, blocks).into_iter().map(|(path, block)| Fields::of(block, path)).collect()
        }
        _ => Err(ApiError::invalid(path, "has to be a string or an array of blocks")),
    }
}

fn text(value: Value, path: &str) -> Result<String, ApiError> {
    join(blocks(value, path)?)
}

/// Blocks that can be text alone.
fn join(blocks: Vec<Fields>) -> Result<String, ApiError> {
    let mut text = String::new();
    for mut block in blocks {
        match block.required_text("type")?.as_str() {
            "text" => text.push_str(&block.required_text("text")?),
            _ => return Err(ApiError::unsupported(block.path("type"), "has to be text here")),
        }
    }
    Ok(text)
}

fn user(blocks: Vec<Fields>, messages: &mut Vec<Message>) -> Result<(), ApiError> {
    // Blocks of one message that stand side by side are one text; those of two messages are not.
    let mut said: Vec<Message> = Vec::new();
    for mut block in blocks {
        match block.required_text("type")?.as_str() {
            "text" => match (said.last_mut(), block.required_text("text")?) {
                (Some(Message::User(text)), more) => text.push_str(&more),
                (_, text) => said.push(Message::User(text)),
            },
            "image" => said.push(Message::Image(image(&mut block)?)),
            "tool_result" => said.extend(tool_result(&mut block)?),
            other => return Err(unknown(&block, other)),
        }
    }
    messages.append(&mut tools::results_first(said));
    Ok(())
}

fn image(block: &mut Fields) -> Result<finch_llm::Image, ApiError> {
    let Some(mut source) = block.object("source")? else {
        return Err(ApiError::invalid(block.path("source"), "is missing"));
    };
    match source.required_text("type")?.as_str() {
        "base64" => {
            let (media_type, path) = (source.required_text("media_type")?, source.path("data"));
            picture::from_parts(&media_type, &source.required_text("data")?, &path)
        }
        "url" => {
            let path = source.path("url");
            picture::from_url(&source.required_text("url")?, &path)
        }
        _ => Err(ApiError::unsupported(source.path("type"), "has to be base64")),
    }
}

/// A result, and behind it the pictures in it.
fn tool_result(block: &mut Fields) -> Result<Vec<Message>, ApiError> {
    let (path, call_id) = (block.path("content"), block.required_text("tool_use_id")?);
    let is_error = block.flag("is_error")? == Some(true);
    let (mut text, mut said) = (String::new(), Vec::new());
    for mut part in block.take("content").map_or(Ok(Vec::new()), |content| blocks(content, &path))? {
        match part.required_text("type")?.as_str() {
            "text" => text.push_str(&part.required_text("text")?),
            "image" => said.push(Message::Image(image(&mut part)?)),
            _ => return Err(ApiError::unsupported(part.path("type"), "has to be text or image here")),
        }
    }
    said.insert(0, Message::ToolResult(ToolResult { call_id, text, is_error }));
    Ok(said)
}

fn assistant(blocks: Vec<Fields>) -> Result<Answer, ApiError> {
    let mut answer = Answer::default();
    for mut block in blocks {
        match block.required_text("type")?.as_str() {
            "text" => answer.text.push_str(&block.required_text("text")?),
            "tool_use" => {
                let id = block.required_text("id")?;
                let name = block.required_text("name")?;
                let input = block.require("input")?;
                if id.is_empty() || !input.is_object() {
                    return Err(ApiError::invalid(block.path("input"), "has to be an object, of a call with an id"));
                }
                answer.tool_calls.push(ToolCall { id, name, arguments_json: input.to_string() });
            }
            "thinking" => answer.reasoning.push_str(&block.text("thinking")?.unwrap_or_default()),
            "redacted_thinking" => {}
            other => return Err(unknown(&block, other)),
        }
    }
    Ok(answer)
}

fn unknown(block: &Fields, kind: &str) -> ApiError {
    let kind: String = kind.chars().take(32).collect();
    let problem = format!("is {kind}; text, image, tool_use and tool_result are understood");
    ApiError::unsupported(block.path("type"), &problem)
}

fn tool_specs(fields: &mut Fields) -> Result<Vec<ToolSpec>, ApiError> {
    let mut specs = Vec::new();
    for (path, item) in fields.items("tools")? {
        let mut tool = Fields::of(item, path)?;
        if tool.text("type")?.is_some_and(|kind| kind != "custom") {
            let problem = "has to be custom; finch runs no tool of its own for a client";
            return Err(ApiError::unsupported(tool.path("type"), problem));
        }
        specs.push(tools::spec(&mut tool, "input_schema")?);
    }
    Ok(specs)
}

fn tool_choice(fields: &mut Fields) -> Result<(ToolChoice, Calls), ApiError> {
    let Some(mut choice) = fields.object("tool_choice")? else { return Ok((ToolChoice::Auto, Calls::Several)) };
    let one = choice.flag("disable_parallel_tool_use")? == Some(true);
    let calls = if one { Calls::One } else { Calls::Several };
    match choice.required_text("type")?.as_str() {
        "auto" => Ok((ToolChoice::Auto, calls)),
        "any" => Ok((ToolChoice::Required, calls)),
        "none" => Ok((ToolChoice::None, calls)),
        "tool" => Ok((ToolChoice::Tool(choice.required_text("name")?), calls)),
        _ => Err(ApiError::invalid(choice.path("type"), "has to be auto, any, tool or none")),
    }
}

/// `output_config.format`, or `output_format` as it was called before. How much effort to make is for the model.
fn output(fields: &mut Fields) -> Result<OutputFormat, ApiError> {
    let config = fields.object("output_config")?.map(|mut config| config.object("format")).transpose()?.flatten();
    let Some(mut format) = config.or(fields.object("output_format")?) else { return Ok(OutputFormat::Text) };
    if format.required_text("type")? != "json_schema" {
        return Err(ApiError::unsupported(format.path("type"), "has to be json_schema"));
    }
    let path = format.path("schema");
    match format.require("schema")? {
        schema @ Value::Object(_) => Ok(OutputFormat::JsonSchema(schema)),
        _ => Err(ApiError::invalid(path, "has to be a JSON Schema, an object")),
    }
}

/// Whether a model thinks is the model's; its thoughts are told to who asks for them.
fn thoughts(fields: &mut Fields) -> Result<Thoughts, ApiError> {
    let Some(mut thinking) = fields.object("thinking")? else { return Ok(Thoughts::Hidden) };
    match thinking.required_text("type")?.as_str() {
        "disabled" => Ok(Thoughts::Hidden),
        "enabled" | "adaptive" => Ok(Thoughts::Told),
        _ => Err(ApiError::invalid(thinking.path("type"), "has to be enabled, adaptive or disabled")),
    }
}
