//! The answer to `/v1/responses`: one object, which a stream builds up item by item.
//!
//! The stream and the whole are the same: a whole answer is what the events of a stream would have made.

use std::mem;

use finch_llm::{Chunk, Done, LlmError, Progress, Provenance, StopReason, ToolCall, Usage};
use serde_json::{Value, json};

use crate::{
    Sessions,
    answer::{
        Calls, fresh_id,
        speak::{Dialect, Event},
        told,
    },
    error::ApiError,
    limits::{ANSWER_BYTES_MAX, TOOL_CALLS_MAX},
    sessions::Session,
};

use super::request::Keeping;

/// What a response says of itself, whatever is answered.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) id: String,
    pub(crate) created_s: u64,
    pub(crate) model: String,
    pub(crate) said_back: Value,
    pub(crate) calls: Calls,
    pub(crate) keeping: Keeping,
    /// Where it is kept.
    pub(crate) sessions: Option<Sessions>,
    /// What was said up to the answer.
    pub(crate) items: Vec<Value>,
}

/// The item that is being said.
#[derive(Debug, Default)]
enum Open {
    #[default]
    Nothing,
    Text {
        id: String,
        text: String,
    },
    Reasoning {
        id: String,
        text: String,
    },
}

/// An answer that is being said.
pub(crate) struct ResponseSpeech {
    frame: Frame,
    by: Option<Provenance>,
    number: u64,
    open: Open,
    /// Items that are whole.
    output: Vec<Value>,
    calls: usize,
    bytes: usize,
    is_kept: bool,
    /// Events that are due with the next ones.
    closing: Vec<Event>,
}

impl ResponseSpeech {
    pub(crate) fn new(frame: Frame) -> Self {
        Self {
            frame,
            by: None,
            number: 0,
            open: Open::Nothing,
            output: Vec::new(),
            calls: 0,
            bytes: 0,
            is_kept: false,
            closing: Vec::new(),
        }
    }

    /// An event with its number in the stream.
    fn event(&mut self, kind: &'static str, mut members: Value) -> Event {
        members["type"] = kind.into();
        members["sequence_number"] = self.number.into();
        self.number += 1;
        Event::Named(kind, members)
    }

    fn response(&self, status: &str, done: Option<&Done>, error: Option<&ApiError>) -> Value {
        let incomplete = match done.map(|done| done.reason) {
            Some(StopReason::TokensMax | StopReason::ContextFull) => json!({"reason": "max_output_tokens"}),
            _ => Value::Null,
        };
        let mut body = json!({
            "id": self.frame.id,
            "object": "response",
            "created_at": self.frame.created_s,
            "status": status,
            "background": false,
            "error": error.map(|error| json!({"code": error.code, "message": error.message})),
            "incomplete_details": incomplete,
            "model": self.frame.model,
            "output": self.output,
            "store": self.is_kept,
            "usage": done.map(|done| usage(&done.usage)),
        });
        if let (Some(body), Some(said_back)) = (body.as_object_mut(), self.frame.said_back.as_object()) {
            body.extend(said_back.clone());
        }
        if let (Some(by), Some(done)) = (&self.by, done) {
            body["finch"] = json!(told(by, done));
        }
        body
    }

    fn index(&self) -> usize {
        self.output.len()
    }

    /// Ends the item that is being said.
    fn close(&mut self) -> Vec<Event> {
        let index = self.index();
        let (events, item) = match mem::take(&mut self.open) {
            Open::Nothing => return Vec::new(),
            Open::Text { id, text } => {
                let part = text_part(&text);
                let place = json!({"item_id": id, "output_index": index, "content_index": 0});
                let events = vec![
                    self.event(
                        "response.output_text.done",
                        with(&place, &[("text", json!(text)), ("logprobs", json!([]))]),
                    ),
                    self.event("response.content_part.done", with(&place, &[("part", part.clone())])),
                ];
                (events, message_item(&id, "completed", vec![part]))
            }
            Open::Reasoning { id, text } => {
                let part = json!({"type": "reasoning_text", "text": text});
                let place = json!({"item_id": id, "output_index": index, "content_index": 0});
                let events = vec![
                    self.event("response.reasoning_text.done", with(&place, &[("text", json!(text))])),
                    self.event("response.content_part.done", with(&place, &[("part", part.clone())])),
                ];
                (events, reasoning_item(&id, vec![part]))
            }
        };
        let done = self.event("response.output_item.done", json!({"output_index": index, "item": item}));
        self.output.push(item);
        events.into_iter().chain([done]).collect()
    }

    fn say_text(&mut self, more: &str) -> Result<Vec<Event>, LlmError> {
        let mut events = Vec::new();
        if !matches!(self.open, Open::Text { .. }) {
            events.extend(self.close());
            let id = item_id("msg_")?;
            events.extend(self.begin(&id, message_item(&id, "in_progress", Vec::new()), text_part("")));
            self.open = Open::Text { id, text: String::new() };
        }
        let index = self.index();
        let Open::Text { id, text } = &mut self.open else { return Ok(events) };
        text.push_str(more);
        let place = json!({"item_id": *id, "output_index": index, "content_index": 0, "delta": more, "logprobs": []});
        events.push(self.event("response.output_text.delta", place));
        Ok(events)
    }

    fn say_reasoning(&mut self, more: &str) -> Result<Vec<Event>, LlmError> {
        let mut events = Vec::new();
        if !matches!(self.open, Open::Reasoning { .. }) {
            events.extend(self.close());
            let id = item_id("rs_")?;
            let part = json!({"type": "reasoning_text", "text": ""});
            events.extend(self.begin(&id, reasoning_item(&id, Vec::new()), part));
            self.open = Open::Reasoning { id, text: String::new() };
        }
        let index = self.index();
        let Open::Reasoning { id, text } = &mut self.open else { return Ok(events) };
        text.push_str(more);
        let place = json!({"item_id": *id, "output_index": index, "content_index": 0, "delta": more});
        events.push(self.event("response.reasoning_text.delta", place));
        Ok(events)
    }

    fn begin(&mut self, id: &str, item: Value, part: Value) -> Vec<Event> {
        let index = self.index();
        let place = json!({"item_id": id, "output_index": index, "content_index": 0, "part": part});
        vec![
            self.event("response.output_item.added", json!({"output_index": index, "item": item})),
            self.event("response.content_part.added", place),
        ]
    }

    fn say_call(&mut self, call: &ToolCall) -> Result<Vec<Event>, LlmError> {
        if self.frame.calls == Calls::One && self.calls > 0 {
            return Ok(Vec::new());
        }
        let mut events = self.close();
        self.calls += 1;
        let (index, id) = (self.index(), item_id("fc_")?);
        let started = call_item(&id, call, "in_progress", "");
        let item = call_item(&id, call, "completed", &call.arguments_json);
        let place = json!({"item_id": id, "output_index": index});
        let arguments = json!(call.arguments_json);
        events.extend([
            self.event("response.output_item.added", json!({"output_index": index, "item": started})),
            self.event("response.function_call_arguments.delta", with(&place, &[("delta", arguments.clone())])),
            self.event(
                "response.function_call_arguments.done",
                with(&place, &[("name", json!(call.name)), ("arguments", arguments)]),
            ),
            self.event("response.output_item.done", json!({"output_index": index, "item": item})),
        ]);
        self.output.push(item);
        Ok(events)
    }

    /// The answer, when all of it was said.
    pub(crate) fn whole(&self, done: &Done) -> Value {
        self.response(status(done), Some(done), None)
    }

    /// Keeps the conversation, if that is wanted.
    async fn keep(&mut self, done: &Done) {
        if self.frame.keeping != Keeping::Keep {
            return;
        }
        let Some(sessions) = self.frame.sessions.clone() else { return };
        self.is_kept = true;
        let items = mem::take(&mut self.frame.items).into_iter().chain(self.output.iter().cloned()).collect();
        let session = Session { items, response: self.whole(done) };
        let id = self.frame.id.clone();
        let written = tokio::task::spawn_blocking(move || sessions.write(&id, &session)).await;
        self.is_kept = match written {
            Ok(Ok(is_kept)) => is_kept,
            Ok(Err(error)) => {
                tracing::warn!("a response could not be kept: {error}");
                false
            }
            Err(error) => {
                tracing::error!("a response could not be kept: {error}");
                false
            }
        };
    }
}

impl Dialect for ResponseSpeech {
    fn open(&mut self, by: &Provenance, _progress: Progress) -> Vec<Event> {
        self.known(by);
        let response = self.response("in_progress", None, None);
        vec![
            self.event("response.created", json!({"response": response.clone()})),
            self.event("response.in_progress", json!({"response": response})),
        ]
    }

    fn known(&mut self, by: &Provenance) {
        self.frame.model.clone_from(&by.model);
        self.by = Some(by.clone());
    }

    fn say(&mut self, chunk: Chunk) -> Result<Vec<Event>, LlmError> {
        self.bytes += match &chunk {
            Chunk::Text(text) | Chunk::Reasoning(text) => text.len(),
            Chunk::ToolCall(call) => call.arguments_json.len(),
            Chunk::Unsure(_) | Chunk::Scored(_) | Chunk::Done(_) => 0,
        };
        if self.bytes > ANSWER_BYTES_MAX || self.calls > TOOL_CALLS_MAX {
            return Err(LlmError::Protocol { reason: "the answer does not end".to_owned() });
        }
        match chunk {
            Chunk::Text(text) => self.say_text(&text),
            Chunk::Reasoning(text) => self.say_reasoning(&text),
            Chunk::ToolCall(call) => self.say_call(&call),
            Chunk::Unsure(_) | Chunk::Scored(_) | Chunk::Done(_) => Ok(Vec::new()),
        }
    }

    async fn before_end(&mut self, done: &Done) {
        self.closing = self.close();
        self.keep(done).await;
    }

    fn end(&mut self, done: Done) -> Vec<Event> {
        let mut events = mem::take(&mut self.closing);
        let kind = match status(&done) {
            "completed" => "response.completed",
            _ => "response.incomplete",
        };
        let response = self.whole(&done);
        events.push(self.event(kind, json!({"response": response})));
        events
    }

    fn fail(&mut self, error: &ApiError) -> Vec<Event> {
        let response = self.response("failed", None, Some(error));
        vec![self.event("response.failed", json!({"response": response}))]
    }
}

fn status(done: &Done) -> &'static str {
    match done.reason {
        StopReason::EndOfText | StopReason::ToolCalls | StopReason::StopText => "completed",
        StopReason::TokensMax | StopReason::ContextFull => "incomplete",
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.generated_tokens,
        // What is thought is not counted apart; clients read the member all the same.
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt_tokens + usage.generated_tokens,
    })
}

fn with(place: &Value, members: &[(&str, Value)]) -> Value {
    let mut place = place.clone();
    for (name, value) in members {
        place[*name] = value.clone();
    }
    place
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn message_item(id: &str, status: &str, content: Vec<Value>) -> Value {
    json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": content})
}

fn reasoning_item(id: &str, content: Vec<Value>) -> Value {
    json!({"id": id, "type": "reasoning", "summary": [], "content": content})
}

fn call_item(id: &str, call: &ToolCall, status: &str, arguments: &str) -> Value {
    json!({
        "id": id,
        "type": "function_call",
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "arguments": arguments,
    })
}

fn item_id(prefix: &str) -> Result<String, LlmError> {
    fresh_id(prefix).map_err(|error| LlmError::Protocol { reason: error.message })
}
