//! The body of a request.

use serde_json::{Value, json};

use super::{ANSWER_TOOL, NAME};
use crate::{
    Answer, GenerateRequest, OutputFormat, ToolChoice,
    cloud::{
        Thinking,
        turns::{self, Conversation, Part, Turn},
    },
};

/// The body that asks for a streamed answer, and whether the answer is the argument of a tool.
pub(crate) fn messages(request: &GenerateRequest, model: &str, thinking: Thinking) -> Value {
    let mut conversation = Conversation::of(&request.messages);
    let answer_tool = answer_tool(request);
    if request.output == OutputFormat::JsonObject {
        conversation.instruct(&turns::json_words(None));
    } else if let (OutputFormat::JsonSchema(schema), None) = (&request.output, &answer_tool) {
        conversation.instruct(&turns::json_words(Some(schema)));
    }
    let mut body = json!({"model": model, "max_tokens": request.sampling.tokens_max, "stream": true});
    tools(&mut body, request, answer_tool, thinking);
    if !conversation.system.is_empty() {
        body["system"] = json!([marked(json!({"type": "text", "text": conversation.system}))]);
    }
    let mut turns: Vec<Value> = conversation.turns.iter().map(turn).collect();
    mark_last(&mut turns);
    body["messages"] = turns.into();
    sampling(&mut body, request, thinking);
    body
}

/// The tool that carries the answer. A call that has to be made comes first, and thoughts forbid to force one.
pub(super) fn answer_tool(request: &GenerateRequest) -> Option<Value> {
    let OutputFormat::JsonSchema(schema) = &request.output else { return None };
    let is_free = match request.tool_choice {
        ToolChoice::Auto | ToolChoice::None => true,
        ToolChoice::Required | ToolChoice::Tool(_) => request.tools.is_empty(),
    };
    let wanted = if turns::is_object(schema) { schema.clone() } else { turns::wrapped(schema) };
    is_free.then(|| json!({"name": ANSWER_TOOL, "description": "Gives the answer.", "input_schema": wanted}))
}

fn tools(body: &mut Value, request: &GenerateRequest, answer_tool: Option<Value>, thinking: Thinking) {
    let own = request
        .tools
        .iter()
        .map(|tool| json!({"name": tool.name, "description": tool.description, "input_schema": tool.parameters}));
    let own: Vec<Value> = own.collect();
    let has_own = !own.is_empty();
    let has_answer = answer_tool.is_some();
    let mut tools: Vec<Value> = own.into_iter().chain(answer_tool).collect();
    let Some(last) = tools.pop() else { return };
    tools.push(marked(last));
    body["tools"] = tools.into();
    body["tool_choice"] = match &request.tool_choice {
        _ if thinking != Thinking::Off => json!({"type": "auto"}),
        ToolChoice::Auto if has_answer && has_own => json!({"type": "any"}),
        ToolChoice::Auto | ToolChoice::None if has_answer => json!({"type": "tool", "name": ANSWER_TOOL}),
        ToolChoice::Auto => json!({"type": "auto"}),
        ToolChoice::None => json!({"type": "none"}),
        ToolChoice::Required => json!({"type": "any"}),
        ToolChoice::Tool(name) => json!({"type": "tool", "name": name}),
    };
}

/// Everything up to here may be read from the provider's cache next time.
fn marked(mut block: Value) -> Value {
    block["cache_control"] = json!({"type": "ephemeral"});
    block
}

fn mark_last(turns: &mut [Value]) {
    let blocks = turns.last_mut().and_then(|turn| turn["content"].as_array_mut());
    if let Some(last) = blocks
        .and_then(|blocks| blocks.last_mut())
        .filter(|block| !matches!(block["type"].as_str(), Some("thinking" | "redacted_thinking")))
    {
        *last = marked(last.take());
    }
}

fn turn(turn: &Turn<'_>) -> Value {
    match turn {
        Turn::User(parts) => json!({"role": "user", "content": parts.iter().map(part).collect::<Vec<_>>()}),
        Turn::Assistant(answer) => json!({"role": "assistant", "content": assistant(answer)}),
    }
}

fn part(part: &Part<'_>) -> Value {
    match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Image(image) => {
            let source = json!({"type": "base64", "media_type": image.media_type, "data": &*image.base64});
            json!({"type": "image", "source": source})
        }
        Part::Result(result, _) => {
            let mut block = json!({
                "type": "tool_result",
                "tool_use_id": id(&result.call_id),
                "content": turns::result_text(result),
            });
            if result.is_error {
                block["is_error"] = true.into();
            }
            block
        }
    }
}

/// Thoughts stand where they stood; text before the calls.
fn assistant(answer: &Answer) -> Vec<Value> {
    let mut blocks: Vec<Value> = turns::kept(answer, NAME, 0).collect();
    // An empty block of text is refused.
    if !answer.text.trim().is_empty() {
        blocks.push(json!({"type": "text", "text": answer.text}));
    }
    for (at, call) in answer.tool_calls.iter().enumerate() {
        if at > 0 {
            blocks.extend(turns::kept(answer, NAME, at));
        }
        let input = turns::arguments_back(call);
        blocks.push(json!({"type": "tool_use", "id": id(&call.id), "name": call.name, "input": input}));
    }
    blocks
}

/// Ids of other providers may have characters that this one refuses.
fn id(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect()
}

fn sampling(body: &mut Value, request: &GenerateRequest, thinking: Thinking) {
    let sampling = &request.sampling;
    match thinking {
        Thinking::Off => {
            body["temperature"] = sampling.temperature.min(1.0).to_string().parse::<f64>().unwrap_or_default().into();
            if let (Some(top_k), true) = (sampling.top_k, sampling.temperature > 0.0) {
                body["top_k"] = top_k.into();
            }
        }
        // The bound holds for thoughts and answer together, and thinking takes no temperature.
        Thinking::Tokens(budget) => {
            body["max_tokens"] = (sampling.tokens_max + budget).into();
            body["thinking"] = json!({"type": "enabled", "budget_tokens": budget});
        }
    }
    // A stop text of space alone is refused.
    let stops: Vec<&String> = sampling.stop.iter().filter(|stop| !stop.trim().is_empty()).collect();
    if !stops.is_empty() {
        body["stop_sequences"] = json!(stops);
    }
}
