//! Messages and tools as chat templates expect to see them: the field's names for roles and parts.
//!
//! Every text from outside goes through the shield on its way. Called by the parent module alone.

use finch_llm::{Message, ToolCall, ToolSpec};
use serde::Serialize;
use serde_json::{Value, json};

use super::shield::Shield;

/// What a template sees.
#[derive(Debug, Serialize)]
pub(crate) struct Context<'c> {
    pub(crate) messages: Vec<Value>,
    pub(crate) tools: Option<Vec<Value>>,
    pub(crate) add_generation_prompt: bool,
    pub(crate) bos_token: &'c str,
    pub(crate) eos_token: &'c str,
    pub(crate) enable_thinking: bool,
}

/// What stands for a picture: the local models read text alone.
const UNSEEN: &str = "(a picture that you cannot see)";

pub(crate) fn text_of(message: &Message) -> &str {
    match message {
        Message::System(text) | Message::User(text) => text,
        Message::Image(_) => UNSEEN,
        Message::Assistant(answer) => &answer.text,
        Message::ToolResult(result) => &result.text,
    }
}

/// Every text of a conversation that comes from outside.
pub(crate) fn texts<'t>(messages: &'t [Message], tools: &'t [ToolSpec]) -> impl Iterator<Item = &'t str> + Clone {
    let of_messages = messages.iter().flat_map(|message| {
        let calls = match message {
            Message::Assistant(answer) => answer.tool_calls.as_slice(),
            Message::System(_) | Message::User(_) | Message::Image(_) | Message::ToolResult(_) => &[],
        };
        let reasoning = match message {
            Message::Assistant(answer) => answer.reasoning.as_str(),
            Message::System(_) | Message::User(_) | Message::Image(_) | Message::ToolResult(_) => "",
        };
        let of_calls = calls.iter().flat_map(|call| [call.name.as_str(), call.arguments_json.as_str()]);
        [text_of(message), reasoning].into_iter().chain(of_calls)
    });
    let of_tools = tools
        .iter()
        .flat_map(|tool| [tool.name.as_str(), tool.description.as_str()].into_iter().chain(texts_in(&tool.parameters)));
    of_messages.chain(of_tools)
}

fn texts_in(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts_in).collect(),
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, value)| std::iter::once(name.as_str()).chain(texts_in(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// Adds words to what the system says.
pub(crate) fn with_system_words(messages: &[Message], words: &[String]) -> Vec<Message> {
    if words.is_empty() {
        return messages.to_vec();
    }
    let words = words.join("\n\n");
    match messages.split_first() {
        Some((Message::System(text), rest)) => {
            std::iter::once(Message::System(format!("{text}\n\n{words}"))).chain(rest.iter().cloned()).collect()
        }
        _ => std::iter::once(Message::System(words)).chain(messages.iter().cloned()).collect(),
    }
}

/// The same conversation with the system's words before the user's; `None` if the system says nothing.
pub(crate) fn without_system(messages: &[Message]) -> Option<Vec<Message>> {
    let mut said = Vec::new();
    let mut rest = Vec::new();
    for message in messages {
        match message {
            Message::System(text) => said.push(text.as_str()),
            other => rest.push(other.clone()),
        }
    }
    let first_user = rest.iter_mut().find_map(|message| match message {
        Message::User(text) => Some(text),
        Message::System(_) | Message::Image(_) | Message::Assistant(_) | Message::ToolResult(_) => None,
    });
    match (said.is_empty(), first_user) {
        (true, _) => return None,
        (false, Some(text)) => *text = format!("{}\n\n{text}", said.join("\n\n")),
        (false, None) => rest.insert(0, Message::User(said.join("\n\n"))),
    }
    Some(rest)
}

pub(crate) fn shown(messages: &[Message], shield: &Shield<'_>) -> Vec<Value> {
    let name_of = |id: &str| {
        let calls = messages.iter().flat_map(|message| match message {
            Message::Assistant(answer) => answer.tool_calls.as_slice(),
            Message::System(_) | Message::User(_) | Message::Image(_) | Message::ToolResult(_) => &[],
        });
        calls.into_iter().find(|call| call.id == id).map(|call| shield.cover(&call.name))
    };
    let show = |message: &Message| match message {
        Message::System(text) => json!({"role": "system", "content": shield.cover(text)}),
        Message::User(text) => json!({"role": "user", "content": shield.cover(text)}),
        Message::Image(_) => json!({"role": "user", "content": UNSEEN}),
        Message::Assistant(answer) => {
            let mut shown = json!({"role": "assistant", "content": shield.cover(&answer.text)});
            if !answer.reasoning.is_empty() {
                shown["reasoning_content"] = shield.cover(&answer.reasoning).into();
            }
            if !answer.tool_calls.is_empty() {
                shown["tool_calls"] = answer.tool_calls.iter().map(|call| call_shown(call, shield)).collect();
            }
            shown
        }
        Message::ToolResult(result) => json!({
            "role": "tool",
            "content": shield.cover(&result.text),
            "tool_call_id": short_id(&result.call_id),
            "name": name_of(&result.call_id),
        }),
    };
    messages.iter().map(show).collect()
}

fn call_shown(call: &ToolCall, shield: &Shield<'_>) -> Value {
    // What was no JSON object goes back as the model wrote it.
    let arguments = call.arguments().map_or_else(|_| Value::String(call.arguments_json.clone()), Value::Object);
    json!({
        "type": "function",
        "id": short_id(&call.id),
        "function": {"name": shield.cover(&call.name), "arguments": shield.cover_json(&arguments)},
    })
}

pub(crate) fn tools_shown(tools: &[ToolSpec], shield: &Shield<'_>) -> Vec<Value> {
    let show = |tool: &ToolSpec| {
        json!({
            "type": "function",
            "function": {
                "name": shield.cover(&tool.name),
                "description": shield.cover(&tool.description),
                "parameters": shield.cover_json(&tool.parameters),
            },
        })
    };
    tools.iter().map(show).collect()
}

/// Some templates take ids of nine letters and digits alone. Those of other providers are folded into that form.
fn short_id(id: &str) -> String {
    if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return id.to_owned();
    }
    // FNV-1a.
    let hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    base_36(hash)
}

/// Nine letters and digits for a number.
pub(crate) fn base_36(number: u64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut left = number;
    let mut digits = [0; 9];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(left % 36) as usize];
        left /= 36;
    }
    digits.iter().map(|&digit| char::from(digit)).collect()
}
