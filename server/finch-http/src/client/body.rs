//! A request as the body that goes to the daemon. Pure.

use std::sync::Arc;

use finch_llm::{
    Excerpt, GenerateRequest, Image, InfillContext, InfillRequest, Message, Origin, OutputFormat, Sampling, ToolChoice,
    ToolSpec,
};
use serde_json::{Map, Value, json};

use super::LOCAL;
use crate::limits::REFERENCE_BYTES_MAX;
use crate::wire::{ContextWire, ExcerptWire, RequestExtension};

pub(super) fn chat(request: GenerateRequest) -> Value {
    let mut extension = extension(&request.origin, &request.references, &request.sampling);
    extension.client = Some(request.client.as_str().to_owned());
    extension.lane = request.lane.into();
    extension.failed_calls = request.messages.iter().filter_map(failed).collect();
    let mut body = sampled(request.sampling);
    body.insert("messages".to_owned(), request.messages.into_iter().map(message).collect());
    if !request.tools.is_empty() {
        body.insert("tools".to_owned(), request.tools.into_iter().map(tool).collect());
        body.insert("tool_choice".to_owned(), tool_choice(request.tool_choice));
    }
    match request.output {
        OutputFormat::Text => {}
        OutputFormat::JsonObject => insert(&mut body, "response_format", json!({"type": "json_object"})),
        OutputFormat::JsonSchema(schema) => {
            let format = json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}});
            insert(&mut body, "response_format", format);
        }
        OutputFormat::Grammar(grammar) => extension.grammar = Some(grammar),
    }
    finish(body, extension)
}

pub(super) fn infill(request: InfillRequest) -> Value {
    let mut extension = extension(&request.origin, &request.references, &request.sampling);
    extension.client = Some(request.client.as_str().to_owned());
    extension.lane = request.lane.into();
    extension.context = Some(context(request.context));
    extension.prompt_tokens_max = Some(request.prompt_tokens_max);
    let mut body = sampled(request.sampling);
    insert(&mut body, "prompt", request.prefix.into());
    insert(&mut body, "suffix", request.suffix.into());
    finish(body, extension)
}

fn insert(body: &mut Map<String, Value>, name: &str, value: Value) {
    body.insert(name.to_owned(), value);
}

fn finish(mut body: Map<String, Value>, extension: RequestExtension) -> Value {
    // Members with text keys and numbers always become JSON.
    insert(&mut body, "finch", serde_json::to_value(extension).unwrap_or_default());
    Value::Object(body)
}

/// What all requests have in common. The model is the daemon's own: this client's router has its own clouds.
fn sampled(sampling: Sampling) -> Map<String, Value> {
    let mut body = Map::new();
    insert(&mut body, "model", LOCAL.into());
    insert(&mut body, "stream", true.into());
    insert(&mut body, "max_tokens", sampling.tokens_max.into());
    insert(&mut body, "temperature", sampling.temperature.into());
    insert(&mut body, "top_p", sampling.top_p.into());
    insert(&mut body, "seed", sampling.seed.into());
    if !sampling.stop.is_empty() {
        insert(&mut body, "stop", sampling.stop.into());
    }
    body
}

fn extension(origin: &Origin, references: &[Arc<str>], sampling: &Sampling) -> RequestExtension {
    let mut bytes = 0;
    let fitting = references.iter().take_while(|text| {
        bytes += text.len();
        bytes <= REFERENCE_BYTES_MAX
    });
    RequestExtension {
        task: Some(origin.task.into()),
        workspace: origin.workspace.as_ref().map(|folder| folder.to_string_lossy().into_owned()),
        files: origin.files.clone(),
        is_ahead: origin.is_ahead,
        references: fitting.map(|text| text.to_string()).collect(),
        top_k: sampling.top_k,
        unsure_below: sampling.unsure_below,
        ..RequestExtension::default()
    }
}

fn context(context: InfillContext) -> ContextWire {
    let InfillContext { repository, path, excerpts, tokens_max } = context;
    let excerpt = |Excerpt { name, text, is_foreign }| ExcerptWire { name, text: text.to_string(), is_foreign };
    ContextWire { repository, path, excerpts: excerpts.into_iter().map(excerpt).collect(), tokens_max }
}

fn failed(message: &Message) -> Option<String> {
    match message {
        Message::ToolResult(result) if result.is_error => Some(result.call_id.clone()),
        _ => None,
    }
}

fn message(message: Message) -> Value {
    match message {
        Message::System(text) => json!({"role": "system", "content": text}),
        Message::User(text) => json!({"role": "user", "content": text}),
        Message::Image(Image { media_type, base64 }) => {
            let url = format!("data:{media_type};base64,{base64}");
            json!({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})
        }
        Message::Assistant(answer) => {
            let calls = answer.tool_calls.into_iter().map(|call| {
                let function = json!({"name": call.name, "arguments": call.arguments_json});
                json!({"id": call.id, "type": "function", "function": function})
            });
            let calls: Vec<Value> = calls.collect();
            let mut body = json!({"role": "assistant", "content": answer.text});
            if !calls.is_empty() {
                body["tool_calls"] = calls.into();
            }
            body
        }
        Message::ToolResult(result) => {
            json!({"role": "tool", "tool_call_id": result.call_id, "content": result.text})
        }
    }
}

fn tool(tool: ToolSpec) -> Value {
    let ToolSpec { name, description, parameters } = tool;
    json!({"type": "function", "function": {"name": name, "description": description, "parameters": parameters}})
}

fn tool_choice(choice: ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Tool(name) => json!({"type": "function", "function": {"name": name}}),
    }
}
