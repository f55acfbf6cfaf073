//! The answer to `/v1/messages`: as a whole, and as a stream of blocks.

use std::mem;

use finch_llm::{Chunk, Done, LlmError, Progress, Provenance, StopReason, ToolCall, Usage};
use serde_json::{Value, json};

use crate::{
    answer::{
        Calls,
        speak::{Dialect, Event},
        told,
        whole::Heard,
    },
    error::ApiError,
    limits::TOOL_CALLS_MAX,
    messages::request::Thoughts,
};

/// How an answer is told.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    pub(crate) id: String,
    pub(crate) thoughts: Thoughts,
    pub(crate) calls: Calls,
    /// The text that ends the answer, if there is but one.
    pub(crate) stop_text: Option<String>,
}

impl Manner {
    fn message(&self, model: &str, content: Vec<Value>) -> Value {
        json!({
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": content,
            "stop_reason": null,
            "stop_sequence": null,
        })
    }

    fn stopped_by(&self, reason: StopReason) -> Option<&str> {
        self.stop_text.as_deref().filter(|_| reason == StopReason::StopText)
    }
}

fn stop_reason(reason: StopReason) -> &'static str {
    match reason {
        StopReason::EndOfText => "end_turn",
        StopReason::ToolCalls => "tool_use",
        StopReason::StopText => "stop_sequence",
        StopReason::TokensMax => "max_tokens",
        StopReason::ContextFull => "model_context_window_exceeded",
    }
}

/// Anthropic counts apart what was not computed again.
fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens.saturating_sub(usage.cached_tokens),
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "output_tokens": usage.generated_tokens,
    })
}

/// A whole answer.
pub(crate) fn whole(manner: &Manner, heard: &Heard) -> Value {
    let mut content = Vec::new();
    if manner.thoughts == Thoughts::Told && !heard.reasoning.is_empty() {
        content.push(json!({"type": "thinking", "thinking": heard.reasoning, "signature": ""}));
    }
    if !heard.text.is_empty() {
        content.push(json!({"type": "text", "text": heard.text}));
    }
    for call in &heard.calls {
        // What is no object was no call that a client could make.
        let input = call.arguments().map_or_else(|_| json!({}), Value::Object);
        content.push(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input}));
    }
    let mut body = manner.message(&heard.by.model, content);
    body["stop_reason"] = stop_reason(heard.done.reason).into();
    body["stop_sequence"] = manner.stopped_by(heard.done.reason).into();
    body["usage"] = usage(&heard.done.usage);
    body["finch"] = json!(told(&heard.by, &heard.done));
    body
}

/// The block that is being said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Open {
    #[default]
    Nothing,
    Text,
    Thinking,
    Call,
}

/// A stream of one answer.
pub(crate) struct MessageSpeech {
    manner: Manner,
    by: Option<Provenance>,
    open: Open,
    index: usize,
    calls: usize,
}

impl MessageSpeech {
    pub(crate) fn new(manner: Manner) -> Self {
        Self { manner, by: None, open: Open::Nothing, index: 0, calls: 0 }
    }

    fn start(&mut self, open: Open, block: Value) -> Vec<Event> {
        let mut events = self.stop();
        self.open = open;
        let body = json!({"type": "content_block_start", "index": self.index, "content_block": block});
        events.push(Event::Named("content_block_start", body));
        events
    }

    fn delta(&self, delta: Value) -> Event {
        let body = json!({"type": "content_block_delta", "index": self.index, "delta": delta});
        Event::Named("content_block_delta", body)
    }

    fn stop(&mut self) -> Vec<Event> {
        let signature = json!({"type": "signature_delta", "signature": ""});
        let mut events = match mem::take(&mut self.open) {
            Open::Nothing => return Vec::new(),
            Open::Thinking => vec![self.delta(signature)],
            Open::Text | Open::Call => Vec::new(),
        };
        let body = json!({"type": "content_block_stop", "index": self.index});
        events.push(Event::Named("content_block_stop", body));
        self.index += 1;
        events
    }

    fn say_call(&mut self, call: &ToolCall) -> Result<Vec<Event>, LlmError> {
        if self.manner.calls == Calls::One && self.calls > 0 {
            return Ok(Vec::new());
        }
        self.calls += 1;
        if self.calls > TOOL_CALLS_MAX {
            return Err(LlmError::Protocol { reason: "the answer does not end".to_owned() });
        }
        let block = json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}});
        let mut events = self.start(Open::Call, block);
        events.push(self.delta(json!({"type": "input_json_delta", "partial_json": call.arguments_json})));
        events.extend(self.stop());
        Ok(events)
    }
}

impl Dialect for MessageSpeech {
    fn open(&mut self, by: &Provenance, progress: Progress) -> Vec<Event> {
        self.known(by);
        let mut message = self.manner.message(&by.model, Vec::new());
        message["usage"] = usage(&progress.usage);
        vec![Event::Named("message_start", json!({"type": "message_start", "message": message}))]
    }

    fn known(&mut self, by: &Provenance) {
        self.by = Some(by.clone());
    }

    fn say(&mut self, chunk: Chunk) -> Result<Vec<Event>, LlmError> {
        let mut events = Vec::new();
        match chunk {
            Chunk::Text(text) => {
                if self.open != Open::Text {
                    events = self.start(Open::Text, json!({"type": "text", "text": ""}));
                }
                events.push(self.delta(json!({"type": "text_delta", "text": text})));
            }
            Chunk::Reasoning(text) if self.manner.thoughts == Thoughts::Told => {
                if self.open != Open::Thinking {
                    events = self.start(Open::Thinking, json!({"type": "thinking", "thinking": "", "signature": ""}));
                }
                events.push(self.delta(json!({"type": "thinking_delta", "thinking": text})));
            }
            Chunk::ToolCall(call) => return self.say_call(&call),
            Chunk::Reasoning(_) | Chunk::Unsure(_) | Chunk::Scored(_) | Chunk::Done(_) => {}
        }
        Ok(events)
    }

    fn end(&mut self, done: Done) -> Vec<Event> {
        let mut events = self.stop();
        let delta = json!({
            "stop_reason": stop_reason(done.reason),
            "stop_sequence": self.manner.stopped_by(done.reason),
        });
        let mut last = json!({"type": "message_delta", "delta": delta, "usage": usage(&done.usage)});
        if let Some(by) = &self.by {
            last["finch"] = json!(told(by, &done));
        }
        events.push(Event::Named("message_delta", last));
        events.push(Event::Named("message_stop", json!({"type": "message_stop"})));
        events
    }

    fn fail(&mut self, error: &ApiError) -> Vec<Event> {
        vec![Event::Named("error", error.anthropic_body())]
    }
}
