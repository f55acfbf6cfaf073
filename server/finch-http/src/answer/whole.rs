//! An answer that is heard to its end before anything of it is told.

use crate::counters::Watched;
use finch_llm::{Chunk, Done, LlmError, Provenance, ScoredToken, ToolCall};

use crate::{
    answer::Calls,
    limits::{ANSWER_BYTES_MAX, TOOL_CALLS_MAX},
};

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heard {
    pub(crate) text: String,
    pub(crate) reasoning: String,
    pub(crate) calls: Vec<ToolCall>,
    /// How probable its tokens were, if that was asked for.
    pub(crate) scored: Vec<ScoredToken>,
    pub(crate) done: Done,
    pub(crate) by: Provenance,
}

/// What was heard of an answer that has not ended.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    pub(crate) text: String,
    pub(crate) reasoning: String,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) scored: Vec<ScoredToken>,
    bytes: usize,
}

impl Hearing {
    /// Takes in a chunk that is not the end. What it holds is bounded.
    pub(crate) fn hear(&mut self, chunk: &Chunk, calls: Calls) -> Result<(), LlmError> {
        match chunk {
            Chunk::Text(text) => {
                self.bytes += text.len();
                self.text.push_str(text);
            }
            Chunk::Reasoning(text) => {
                self.bytes += text.len();
                self.reasoning.push_str(text);
            }
            Chunk::ToolCall(call) if calls == Calls::Several || self.calls.is_empty() => {
                self.bytes += call.id.len() + call.name.len() + call.arguments_json.len();
                self.calls.push(call.clone());
            }
            Chunk::Scored(token) => {
                let scores = token.likeliest.iter().chain([&token.chosen]);
                self.bytes += scores.map(|score| size_of_val(score) + score.bytes.len()).sum::<usize>();
                self.scored.push(token.clone());
            }
            Chunk::ToolCall(_) | Chunk::Unsure(_) | Chunk::Done(_) => {}
        }
        if self.bytes > ANSWER_BYTES_MAX || self.calls.len() > TOOL_CALLS_MAX {
            return Err(LlmError::Protocol { reason: "the answer does not end".to_owned() });
        }
        Ok(())
    }
}

/// Hears an answer to its end. Dropping the future cancels it.
///
/// # Errors
/// What the provider says, or [`LlmError::Protocol`] for an answer that stops without an end.
pub(crate) async fn hear(mut stream: Watched, by: Provenance, calls: Calls) -> Result<Heard, LlmError> {
    let mut hearing = Hearing::default();
    loop {
        match stream.next().await {
            Some(Ok(Chunk::Done(done))) => {
                let Hearing { text, reasoning, calls, scored, .. } = hearing;
                return Ok(Heard { text, reasoning, calls, scored, done, by: stream.provenance().unwrap_or(by) });
            }
            Some(Ok(chunk)) => hearing.hear(&chunk, calls)?,
            Some(Err(error)) => return Err(error),
            None => return Err(stopped()),
        }
    }
}

/// A provider went away in the middle of its answer.
pub(crate) fn stopped() -> LlmError {
    LlmError::Protocol { reason: "the answer stopped without an end".to_owned() }
}
