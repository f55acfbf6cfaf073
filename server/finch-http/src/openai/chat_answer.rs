//! The answer to `/v1/chat/completions`: as a whole, and as a stream.

use finch_llm::{Chunk, Done, LlmError, Progress, Provenance, ScoredToken, StopReason, ToolCall};
use serde_json::{Map, Value, json};

use crate::{
    answer::{
        Calls, openai_usage,
        speak::{Dialect, Event},
        told, told_so_far,
        whole::{Heard, Hearing},
    },
    error::ApiError,
    openai::{Envelope, chat::Delivery, scores, sum},
    wire::AnswerExtension,
};

/// Why an answer ended, in OpenAI's words.
pub(crate) fn finish_reason(reason: StopReason) -> &'static str {
    match reason {
        StopReason::EndOfText | StopReason::StopText => "stop",
        StopReason::ToolCalls => "tool_calls",
        StopReason::TokensMax | StopReason::ContextFull => "length",
    }
}

fn call(index: usize, call: &ToolCall) -> Value {
    let function = json!({"name": call.name, "arguments": call.arguments_json});
    json!({"index": index, "id": call.id, "type": "function", "function": function})
}

/// Whole answers to one request, as its choices.
pub(crate) fn whole(envelope: &Envelope, heard: &[Heard]) -> Value {
    let choices: Vec<Value> = heard.iter().enumerate().map(|(index, heard)| choice(index, heard)).collect();
    let mut body = envelope.body("chat.completion", choices.into());
    sum(&mut body, heard);
    body
}

fn choice(index: usize, heard: &Heard) -> Value {
    let has_text = !heard.text.is_empty() || heard.calls.is_empty();
    let mut message = json!({"role": "assistant", "content": has_text.then_some(&heard.text), "refusal": null});
    if !heard.reasoning.is_empty() {
        message["reasoning_content"] = heard.reasoning.as_str().into();
    }
    if !heard.calls.is_empty() {
        let calls = heard.calls.iter().enumerate().map(|(index, it)| {
            let mut call = call(index, it);
            if let Some(members) = call.as_object_mut() {
                members.shift_remove("index");
            }
            call
        });
        message["tool_calls"] = calls.collect();
    }
    let reason = finish_reason(heard.done.reason);
    json!({"index": index, "message": message, "logprobs": scores::chat(&heard.scored), "finish_reason": reason})
}

/// A stream of one answer.
pub(crate) struct ChatSpeech {
    envelope: Envelope,
    delivery: Delivery,
    calls: Calls,
    hearing: Hearing,
    /// Tokens whose text has not been told.
    scored: Vec<ScoredToken>,
    by: Option<Provenance>,
}

impl ChatSpeech {
    pub(crate) fn new(envelope: Envelope, delivery: Delivery, calls: Calls) -> Self {
        Self { envelope, delivery, calls, hearing: Hearing::default(), scored: Vec::new(), by: None }
    }

    /// Scores go with the first text behind them.
    fn event(&mut self, delta: Value, finish_reason: Option<&str>, finch: Option<&AnswerExtension>) -> Event {
        let logprobs = scores::chat(&std::mem::take(&mut self.scored));
        let choice = json!({"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason});
        self.envelope.event("chat.completion.chunk", vec![choice].into(), self.delivery, finch)
    }
}

impl Dialect for ChatSpeech {
    fn open(&mut self, by: &Provenance, progress: Progress) -> Vec<Event> {
        self.known(by);
        let delta = json!({"role": "assistant", "content": "", "refusal": null});
        vec![self.event(delta, None, Some(&told_so_far(progress)))]
    }

    fn known(&mut self, by: &Provenance) {
        self.envelope.model.clone_from(&by.model);
        self.by = Some(by.clone());
    }

    fn say(&mut self, chunk: Chunk) -> Result<Vec<Event>, LlmError> {
        let before = self.hearing.calls.len();
        // Texts are not kept: a stream may be of any length.
        let mut delta = Map::new();
        match &chunk {
            Chunk::Text(text) => delta.insert("content".to_owned(), text.as_str().into()),
            Chunk::Reasoning(text) => delta.insert("reasoning_content".to_owned(), text.as_str().into()),
            Chunk::ToolCall(it) => {
                self.hearing.hear(&chunk, self.calls)?;
                if self.hearing.calls.len() == before {
                    return Ok(Vec::new());
                }
                delta.insert("tool_calls".to_owned(), json!([call(before, it)]))
            }
            Chunk::Unsure(probability) => {
                let finch = AnswerExtension { unsure: Some(*probability), ..AnswerExtension::default() };
                return Ok(vec![self.event(json!({}), None, Some(&finch))]);
            }
            Chunk::Scored(token) => {
                self.scored.push(token.clone());
                return Ok(Vec::new());
            }
            Chunk::Done(_) => return Ok(Vec::new()),
        };
        Ok(vec![self.event(delta.into(), None, None)])
    }

    fn end(&mut self, done: Done) -> Vec<Event> {
        let finch = self.by.as_ref().map(|by| told(by, &done));
        let last = self.event(json!({}), Some(finish_reason(done.reason)), finch.as_ref());
        let usage = self.envelope.usage_event("chat.completion.chunk", self.delivery, openai_usage(&done.usage), finch);
        std::iter::once(last).chain(usage).chain([Event::End]).collect()
    }

    fn fail(&mut self, error: &ApiError) -> Vec<Event> {
        vec![Event::Data(error.openai_body())]
    }
}
