//! The answer to `/v1/completions`: as a whole, and as a stream.

use finch_llm::{Chunk, Done, LlmError, Progress, Provenance, ScoredToken};
use serde_json::{Value, json};

use crate::{
    answer::{
        openai_usage,
        speak::{Dialect, Event},
        told, told_so_far,
        whole::Heard,
    },
    error::ApiError,
    openai::{Envelope, chat::Delivery, chat_answer::finish_reason, scores, sum},
    wire::AnswerExtension,
};

const OBJECT: &str = "text_completion";

/// Whole answers to one request, as its choices. Each begins with the prompt, where that is to be repeated.
pub(crate) fn whole(envelope: &Envelope, echo: Option<&str>, heard: &[Heard]) -> Value {
    let choice = |(index, heard): (usize, &Heard)| {
        let text = format!("{}{}", echo.unwrap_or_default(), heard.text);
        let reason = finish_reason(heard.done.reason);
        let logprobs = scores::completion(&heard.scored, 0);
        json!({"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason})
    };
    let choices: Vec<Value> = heard.iter().enumerate().map(choice).collect();
    let mut body = envelope.body(OBJECT, choices.into());
    sum(&mut body, heard);
    body
}

/// A stream of one answer.
pub(crate) struct CompletionSpeech {
    envelope: Envelope,
    delivery: Delivery,
    echo: Option<String>,
    /// Tokens whose text has not been told, and how many characters were told of others.
    scored: Vec<ScoredToken>,
    characters: usize,
    by: Option<Provenance>,
}

impl CompletionSpeech {
    pub(crate) fn new(envelope: Envelope, delivery: Delivery, echo: Option<String>) -> Self {
        Self { envelope, delivery, echo, scored: Vec::new(), characters: 0, by: None }
    }

    /// Scores go with the first text behind them.
    fn event(&mut self, text: &str, finish_reason: Option<&str>, finch: Option<&AnswerExtension>) -> Event {
        let logprobs = scores::completion(&std::mem::take(&mut self.scored), self.characters);
        self.characters += text.chars().count();
        let choice = json!({"index": 0, "text": text, "logprobs": logprobs, "finish_reason": finish_reason});
        self.envelope.event(OBJECT, vec![choice].into(), self.delivery, finch)
    }
}

impl Dialect for CompletionSpeech {
    fn open(&mut self, by: &Provenance, progress: Progress) -> Vec<Event> {
        self.known(by);
        let echo = self.echo.take().unwrap_or_default();
        vec![self.event(&echo, None, Some(&told_so_far(progress)))]
    }

    fn known(&mut self, by: &Provenance) {
        self.envelope.model.clone_from(&by.model);
        self.by = Some(by.clone());
    }

    fn say(&mut self, chunk: Chunk) -> Result<Vec<Event>, LlmError> {
        Ok(match chunk {
            Chunk::Text(text) => vec![self.event(&text, None, None)],
            Chunk::Unsure(probability) => {
                let finch = AnswerExtension { unsure: Some(probability), ..AnswerExtension::default() };
                vec![self.event("", None, Some(&finch))]
            }
            Chunk::Scored(token) => {
                self.scored.push(token);
                Vec::new()
            }
            Chunk::Reasoning(_) | Chunk::ToolCall(_) | Chunk::Done(_) => Vec::new(),
        })
    }

    fn end(&mut self, done: Done) -> Vec<Event> {
        let finch = self.by.as_ref().map(|by| told(by, &done));
        let last = self.event("", Some(finish_reason(done.reason)), finch.as_ref());
        let usage = self.envelope.usage_event(OBJECT, self.delivery, openai_usage(&done.usage), finch);
        std::iter::once(last).chain(usage).chain([Event::End]).collect()
    }

    fn fail(&mut self, error: &ApiError) -> Vec<Event> {
        vec![Event::Data(error.openai_body())]
    }
}
