//! Tokens of an answer to chunks: bytes to characters, and the end before a stop text.
//!
//! What it puts out, put together, is exactly what decoding all tokens at once gives, up to the stop text. One for
//! each sequence; knows nothing about logits, slots or readers.

use std::ops::ControlFlow;

use finch_llm::{Chunk, StopReason};

use crate::{
    decoder::Utf8Stream,
    stop::{Passed, StopMatcher},
    vocabulary::Vocabulary,
};

/// Writes one answer.
#[derive(Debug)]
pub(crate) struct Writer {
    characters: Utf8Stream,
    stops: StopMatcher,
}

impl Writer {
    pub(crate) fn new(stops: StopMatcher) -> Self {
        Self { characters: Utf8Stream::default(), stops }
    }

    /// Appends the chunks that are certain after this token. It breaks when the answer ends with it.
    pub(crate) fn token(
        &mut self,
        vocabulary: &Vocabulary,
        token: u32,
        chunks: &mut Vec<Chunk>,
    ) -> ControlFlow<StopReason> {
        let mut text = String::new();
        self.characters.push(vocabulary.bytes(token), &mut text);
        self.text(&text, chunks)
    }

    /// Appends what was held back, and says why the answer ended.
    pub(crate) fn finish(mut self, reason: StopReason, chunks: &mut Vec<Chunk>) -> StopReason {
        if reason == StopReason::StopText {
            return reason;
        }
        let mut text = String::new();
        self.characters.finish(&mut text);
        match self.text(&text, chunks) {
            ControlFlow::Break(stopped) => stopped,
            ControlFlow::Continue(()) => {
                put(self.stops.finish(), chunks);
                reason
            }
        }
    }

    fn text(&mut self, text: &str, chunks: &mut Vec<Chunk>) -> ControlFlow<StopReason> {
        match self.stops.push(text) {
            Passed::Text(text) => {
                put(text, chunks);
                ControlFlow::Continue(())
            }
            Passed::Stopped(text) => {
                put(text, chunks);
                ControlFlow::Break(StopReason::StopText)
            }
        }
    }
}

fn put(text: String, chunks: &mut Vec<Chunk>) {
    if !text.is_empty() {
        chunks.push(Chunk::Text(text));
    }
}
