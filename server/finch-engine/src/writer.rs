//! Tokens of an answer to chunks: bytes to characters, parts told apart, and the end before a stop text.
//!
//! Of an answer that is text alone the chunks, put together, are exactly what decoding all tokens at once gives, up to
//! the stop text. One for each sequence; knows nothing about logits, slots or readers.

mod calls;
mod splitter;

use std::ops::ControlFlow;

use finch_llm::{
    Chunk, StopReason, ToolCall,
    stop::{Passed, StopMatcher},
};

pub(crate) use self::splitter::Splitter;
use self::{calls::RawCall, splitter::Part};
use crate::{chat::messages::base_36, decoder::Utf8Stream, vocabulary::Vocabulary};

/// Writes one answer.
#[derive(Debug)]
pub(crate) struct Writer {
    characters: Utf8Stream,
    splitter: Splitter,
    stops: StopMatcher,
    /// The number of the next tool call.
    next_call: u64,
    calls: usize,
}

impl Writer {
    /// `first_call` numbers the tool calls; no other answer of these days may have the same.
    pub(crate) fn new(stops: StopMatcher, splitter: Splitter, first_call: u64) -> Self {
        Self { characters: Utf8Stream::default(), splitter, stops, next_call: first_call, calls: 0 }
    }

    /// Appends the chunks that are certain after this token. It breaks when the answer ends with it.
    pub(crate) fn token(
        &mut self,
        vocabulary: &Vocabulary,
        token: u32,
        chunks: &mut Vec<Chunk>,
    ) -> ControlFlow<StopReason> {
        let mut text = String::new();
        match vocabulary.name(token) {
            // A control token stands for no text, but it may be a tag.
            Some(name) if vocabulary.bytes(token).is_empty() && self.splitter.knows(name) => {
                self.characters.finish(&mut text);
                text.push_str(name);
            }
            Some(_) | None => self.characters.push(vocabulary.bytes(token), &mut text),
        }
        let mut parts = Vec::new();
        self.splitter.push(&text, &mut parts);
        self.parts(parts, chunks)
    }

    /// Appends what was held back, and says why the answer ended.
    pub(crate) fn finish(mut self, reason: StopReason, chunks: &mut Vec<Chunk>) -> StopReason {
        if reason == StopReason::StopText {
            return reason;
        }
        let mut text = String::new();
        self.characters.finish(&mut text);
        let mut parts = Vec::new();
        self.splitter.push(&text, &mut parts);
        self.splitter.finish(&mut parts);
        if let ControlFlow::Break(stopped) = self.parts(parts, chunks) {
            return stopped;
        }
        self.release(chunks);
        match reason {
            StopReason::EndOfText if self.calls > 0 => StopReason::ToolCalls,
            reason => reason,
        }
    }

    fn parts(&mut self, parts: Vec<Part>, chunks: &mut Vec<Chunk>) -> ControlFlow<StopReason> {
        for part in parts {
            match part {
                Part::Text(text) => match self.stops.push(&text) {
                    Passed::Text(text) => put(text, chunks),
                    Passed::Stopped(text) => {
                        put(text, chunks);
                        return ControlFlow::Break(StopReason::StopText);
                    }
                },
                Part::Reasoning(text) => chunks.push(Chunk::Reasoning(text)),
                Part::Call(RawCall { name, arguments_json }) => {
                    self.release(chunks);
                    let id = base_36(self.next_call);
                    self.next_call = self.next_call.wrapping_add(1);
                    self.calls += 1;
                    chunks.push(Chunk::ToolCall(ToolCall { id, name, arguments_json }));
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// No stop text can begin before what comes now and end behind it.
    fn release(&mut self, chunks: &mut Vec<Chunk>) {
        put(self.stops.finish(), chunks);
    }
}

fn put(text: String, chunks: &mut Vec<Chunk>) {
    if !text.is_empty() {
        chunks.push(Chunk::Text(text));
    }
}

#[cfg(test)]
mod tests;
