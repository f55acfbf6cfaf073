//! The body of a chat request.

use serde_json::{Map, Value, json};

use super::SHORT_ID_CHARS;
use crate::{
    Answer, GenerateRequest, OutputFormat, Sampling, ToolChoice,
    cloud::{
        schema,
        service::{Quirks, Structured},
        turns::{self, Conversation, Part, Turn},
    },
};

/// The body that asks for a streamed answer.
pub(crate) fn chat(request: &GenerateRequest, model: &str, quirks: &Quirks) -> Value {
    let mut conversation = Conversation::of(&request.messages);
    let mut body = json!({"model": model, "stream": true});
    if let Some(words) = format(&mut body, &request.output, quirks) {
        conversation.instruct(&words);
    }
    body["messages"] = messages(&conversation, quirks);
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            let function = json!({"name": tool.name, "description": tool.description, "parameters": tool.parameters});
            json!({"type": "function", "function": function})
        });
        body["tools"] = tools.collect();
        body["tool_choice"] = match &request.tool_choice {
            ToolChoice::Auto => "auto".into(),
            ToolChoice::None => "none".into(),
            ToolChoice::Required => quirks.required.into(),
            ToolChoice::Tool(name) => json!({"type": "function", "function": {"name": name}}),
        };
    }
    if quirks.stream_options {
        body["stream_options"] = json!({"include_usage": true});
    }
    sampling(&mut body, &request.sampling, quirks);
    body
}

/// What both kinds of requests say of sampling.
pub(super) fn sampling(body: &mut Value, sampling: &Sampling, quirks: &Quirks) {
    body[quirks.tokens_max] = sampling.tokens_max.into();
    if quirks.sampling {
        body["temperature"] = decimal(sampling.temperature);
        if sampling.top_p < 1.0 {
            body["top_p"] = decimal(sampling.top_p);
        }
        if let (true, Some(top_k)) = (quirks.top_k, sampling.top_k) {
            body["top_k"] = top_k.into();
        }
        if let (true, Some(member)) = (sampling.temperature > 0.0, quirks.seed) {
            // Some servers read it as a signed number of 32 bits.
            body[member] = (sampling.seed & 0x7fff_ffff).into();
        }
    }
    let stops: Vec<&String> = sampling.stop.iter().filter(|stop| !stop.is_empty()).take(quirks.stops_max).collect();
    if !stops.is_empty() {
        body["stop"] = json!(stops);
    }
}

/// The number a person would write: 0.7, not 0.699999988079071.
fn decimal(number: f32) -> Value {
    number.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

/// Binds the answer to a form; returns the words that have to help.
fn format(body: &mut Value, output: &OutputFormat, quirks: &Quirks) -> Option<String> {
    match output {
        OutputFormat::Text | OutputFormat::Grammar(_) => None,
        OutputFormat::JsonSchema(schema) if quirks.structured == Structured::Schema && turns::is_object(schema) => {
            let format = json!({"name": "answer", "strict": schema::is_strict(schema), "schema": schema});
            body["response_format"] = json!({"type": "json_schema", "json_schema": format});
            None
        }
        OutputFormat::JsonSchema(schema) if turns::is_object(schema) => {
            body["response_format"] = json!({"type": "json_object"});
            Some(turns::json_words(Some(schema)))
        }
        OutputFormat::JsonSchema(schema) => Some(turns::json_words(Some(schema))),
        // The word JSON has to stand somewhere, or OpenAI refuses.
        OutputFormat::JsonObject => {
            body["response_format"] = json!({"type": "json_object"});
            Some(turns::json_words(None))
        }
    }
}

fn messages(conversation: &Conversation<'_>, quirks: &Quirks) -> Value {
    let mut messages = Vec::new();
    if !conversation.system.is_empty() {
        messages.push(json!({"role": "system", "content": conversation.system}));
    }
    for turn in &conversation.turns {
        match turn {
            Turn::User(parts) => user(parts, quirks, &mut messages),
            Turn::Assistant(answer) => messages.push(assistant(answer, quirks)),
        }
    }
    Value::Array(messages)
}

/// Results stand as messages of their own, before what the user says.
fn user(parts: &[Part<'_>], quirks: &Quirks, messages: &mut Vec<Value>) {
    let mut said = Vec::new();
    for part in parts {
        match part {
            Part::Result(result, _) => messages.push(json!({
                "role": "tool",
                "tool_call_id": id(&result.call_id, quirks),
                "content": turns::result_text(result),
            })),
            Part::Text(text) => said.push(json!({"type": "text", "text": text})),
            Part::Image(image) => {
                let url = format!("data:{};base64,{}", image.media_type, image.base64);
                said.push(json!({"type": "image_url", "image_url": {"url": url}}));
            }
        }
    }
    if said.is_empty() {
        return;
    }
    // Small servers take plain text alone, so text that is alone is plain.
    let texts: Option<Vec<&str>> = said.iter().map(|part| part["text"].as_str()).collect();
    let content = texts.map_or_else(|| Value::Array(said.clone()), |texts| texts.join("\n\n").into());
    messages.push(json!({"role": "user", "content": content}));
}

fn assistant(answer: &Answer, quirks: &Quirks) -> Value {
    let mut message = Map::from_iter([("role".to_owned(), "assistant".into())]);
    if !answer.text.is_empty() || answer.tool_calls.is_empty() {
        message.insert("content".to_owned(), answer.text.as_str().into());
    }
    if !answer.tool_calls.is_empty() {
        let calls = answer.tool_calls.iter().map(|call| {
            let arguments = Value::Object(turns::arguments_back(call)).to_string();
            let function = json!({"name": call.name, "arguments": arguments});
            json!({"id": id(&call.id, quirks), "type": "function", "function": function})
        });
        message.insert("tool_calls".to_owned(), calls.collect());
    }
    Value::Object(message)
}

/// The id as the service takes it: the same for a call and its result.
fn id(id: &str, quirks: &Quirks) -> String {
    let is_short = id.len() == SHORT_ID_CHARS && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !quirks.short_ids || is_short {
        return id.to_owned();
    }
    // FNV-1a: other ids become other ids, and the same one the same.
    let mut hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let digit = || {
        const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let digit = DIGITS[usize::try_from(hash % 62).unwrap_or_default()];
        hash /= 62;
        char::from(digit)
    };
    std::iter::repeat_with(digit).take(SHORT_ID_CHARS).collect()
}
