//! An answer put together from the events of a stream: text at once, tool calls and the end only when all is there.
//!
//! Pure. The dialects' readers fill it; [`CloudProvider`](super::CloudProvider) takes chunks out of it.

use crate::{Chunk, Done, Kept, LlmError, StopReason, Timings, ToolCall, Usage, limits};

/// What has come of an answer.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    /// What may go to the reader already.
    pub(crate) chunks: Vec<Chunk>,
    calls: Vec<PartialCall>,
    pub(crate) kept: Vec<Kept>,
    pub(crate) usage: Usage,
    /// Why the model stopped, if the server has said so.
    pub(crate) reason: Option<StopReason>,
    /// The stream is over by its own rules; what follows is not read.
    pub(crate) has_ended: bool,
    /// Makes the ids of calls that came without one.
    number: u64,
    bytes: usize,
}

/// A tool call of which some parts came.
#[derive(Debug, Default)]
pub(crate) struct PartialCall {
    /// What the server counts it by.
    index: u64,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
}

impl Assembly {
    /// `number` tells the answers of one process apart.
    pub(crate) fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    pub(crate) fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.chunks.push(Chunk::Text(text.to_owned()));
        }
    }

    pub(crate) fn reasoning(&mut self, text: &str) {
        if !text.is_empty() {
            self.chunks.push(Chunk::Reasoning(text.to_owned()));
        }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.len()
    }

    /// The index of the call that came last.
    pub(crate) fn last_index(&self) -> Option<u64> {
        self.calls.last().map(|call| call.index)
    }

    /// The call the server counts by `index`; a new one if it has not been named before.
    pub(crate) fn call(&mut self, index: u64) -> Result<&mut PartialCall, LlmError> {
        let at = match self.calls.iter().position(|call| call.index == index) {
            Some(at) => at,
            None if self.calls.len() < limits::TOOL_CALLS_MAX => {
                self.calls.push(PartialCall { index, ..PartialCall::default() });
                self.calls.len() - 1
            }
            None => return Err(broken(format!("more than {} tool calls in one answer", limits::TOOL_CALLS_MAX))),
        };
        Ok(&mut self.calls[at])
    }

    /// Adds a piece to a call's arguments.
    pub(crate) fn arguments(&mut self, index: u64, piece: &str) -> Result<(), LlmError> {
        self.bytes += piece.len();
        if self.bytes > limits::TOOL_ARGUMENTS_BYTES_MAX {
            return Err(broken(format!("tool arguments of more than {} bytes", limits::TOOL_ARGUMENTS_BYTES_MAX)));
        }
        self.call(index)?.arguments.push_str(piece);
        Ok(())
    }

    pub(crate) fn keep(&mut self, part: Kept) -> Result<(), LlmError> {
        self.bytes += part.json.len();
        if self.bytes > limits::TOOL_ARGUMENTS_BYTES_MAX {
            return Err(broken("signed thoughts that are too long".to_owned()));
        }
        self.kept.push(part);
        Ok(())
    }

    /// The answer ends where it is, at a stop text that the server does not know. It cost what is reckoned, unless the
    /// server has said more.
    pub(crate) fn ends_at_a_stop(&mut self, reckoned: Usage) {
        self.calls.clear();
        self.usage.prompt_tokens = self.usage.prompt_tokens.max(reckoned.prompt_tokens);
        self.usage.generated_tokens = self.usage.generated_tokens.max(reckoned.generated_tokens);
        self.reason = Some(StopReason::StopText);
        self.has_ended = true;
    }

    /// The last chunks of an answer that has ended well: whole calls, then `Done`.
    ///
    /// A call that was cut off with the answer is left out. One whose arguments are no JSON although the model ended it
    /// goes out as it is: [`ToolCall::arguments`] has the words to tell the model.
    pub(crate) fn finish(&mut self, timings: Timings) -> Result<Vec<Chunk>, LlmError> {
        let mut calls = self.whole_calls()?;
        let was_cut =
            !matches!(self.reason, Some(StopReason::EndOfText | StopReason::ToolCalls | StopReason::StopText));
        let half = calls.iter().position(|call| call.arguments().is_err()).filter(|_| was_cut);
        match (half, self.reason) {
            (Some(_), None) => return Err(broken("the stream ended within a tool call".to_owned())),
            (Some(at), Some(_)) => calls.truncate(at),
            (None, _) => {}
        }
        let reason = match (self.reason, calls.is_empty()) {
            (Some(StopReason::EndOfText | StopReason::ToolCalls) | None, false) => StopReason::ToolCalls,
            (Some(StopReason::ToolCalls), true) => {
                return Err(broken("it stopped to call tools and named none".to_owned()));
            }
            (Some(reason), _) => reason,
            (None, true) => StopReason::EndOfText,
        };
        let chunks = calls.into_iter().map(Chunk::ToolCall);
        Ok(chunks.chain([Chunk::Done(Done { reason, usage: self.usage, timings })]).collect())
    }

    fn whole_calls(&mut self) -> Result<Vec<ToolCall>, LlmError> {
        let mut calls: Vec<ToolCall> = Vec::new();
        for (at, call) in std::mem::take(&mut self.calls).into_iter().enumerate() {
            if call.name.is_empty() {
                return Err(broken("a tool call without a name".to_owned()));
            }
            let is_taken = call.id.is_empty() || calls.iter().any(|other| other.id == call.id);
            let id = if is_taken { format!("call_{:x}_{at}", self.number) } else { call.id };
            calls.push(ToolCall { id, name: call.name, arguments_json: call.arguments });
        }
        Ok(calls)
    }
}

/// The server broke the rules of its own protocol.
pub(crate) fn broken(reason: String) -> LlmError {
    LlmError::Protocol { reason }
}

#[cfg(test)]
mod tests;
