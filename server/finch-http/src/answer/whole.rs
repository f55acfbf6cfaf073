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

/// Why an answer was not heard to its end.
pub(crate) enum Unheard {
    /// It broke off behind its first words. Before those another provider has been asked already.
    BrokeOff(LlmError),
    Failed(LlmError),
}

impl Unheard {
    pub(crate) fn new(error: LlmError, has_begun: bool) -> Self {
        match error {
            LlmError::Unavailable { .. } if has_begun => Self::BrokeOff(error),
            // What broke the rules of a protocol would break them again.
            error => Self::Failed(error),
        }
    }

    /// It stopped without an end.
    pub(crate) fn stopped(has_begun: bool) -> Self {
        if has_begun { Self::BrokeOff(stopped()) } else { Self::Failed(stopped()) }
    }
}

/// Hears an answer, and once more if it breaks off: of a whole answer nothing was told yet.
///
/// # Errors
/// What went wrong the last time; or the first time, where nobody is asked a second time because of that.
pub(crate) async fn once_more<T, F>(hear: impl Fn() -> F) -> Result<T, LlmError>
where
    F: Future<Output = Result<T, Unheard>>,
{
    let heard = match hear().await {
        Err(Unheard::BrokeOff(first)) => {
            tracing::info!(error = %first, "an answer broke off, and is asked for once more");
            match hear().await {
                // Who just failed is left alone for a while, and there may be no other.
                Err(Unheard::Failed(LlmError::Refused { .. })) => Err(Unheard::BrokeOff(first)),
                second => second,
            }
        }
        heard => heard,
    };
    heard.map_err(|(Unheard::BrokeOff(error) | Unheard::Failed(error))| error)
}

/// Hears an answer to its end. Dropping the future cancels it.
///
/// # Errors
/// What the provider says, or [`LlmError::Protocol`] for an answer that stops without an end.
pub(crate) async fn hear(ask: impl Fn() -> Watched, by: Provenance, calls: Calls) -> Result<Heard, LlmError> {
    once_more(|| to_its_end(ask(), by.clone(), calls)).await
}

async fn to_its_end(mut stream: Watched, by: Provenance, calls: Calls) -> Result<Heard, Unheard> {
    stream.is_told_by_status();
    let (mut hearing, mut has_begun) = (Hearing::default(), false);
    loop {
        return Err(match stream.next().await {
            Some(Ok(Chunk::Done(done))) => {
                let Hearing { text, reasoning, calls, scored, .. } = hearing;
                return Ok(Heard { text, reasoning, calls, scored, done, by: stream.provenance().unwrap_or(by) });
            }
            Some(Ok(chunk)) => {
                hearing.hear(&chunk, calls).map_err(Unheard::Failed)?;
                has_begun = true;
                continue;
            }
            Some(Err(error)) => Unheard::new(error, has_begun),
            None => Unheard::stopped(has_begun),
        });
    }
}

/// A provider went away in the middle of its answer.
pub(crate) fn stopped() -> LlmError {
    LlmError::Protocol { reason: "the answer stopped without an end".to_owned() }
}
