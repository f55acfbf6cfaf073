//! Why a request for a suggestion was answered with nothing: a stable code, and a sentence that helps.
//!
//! The completer has its own reasons; the language server adds those that stand before it.

use std::fmt;

use finch_complete::{Gate, Reason};
use finch_llm::LlmError;

use crate::documents::Missing;
use crate::limits::DOCUMENT_BYTES_MAX;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    Completer(Reason),
    /// The user switched suggestions off.
    Disabled,
    /// There is no text to work on.
    Document(Missing),
}

impl From<Missing> for Why {
    fn from(missing: Missing) -> Self {
        Self::Document(missing)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completer(reason) => reason.fmt(f),
            Self::Disabled => f.write_str("gate"),
            Self::Document(Missing::TooLarge) => f.write_str("excluded"),
            Self::Document(Missing::NotOpen) => f.write_str("error:unknown-document"),
            Self::Document(Missing::OutOfStep) => f.write_str("error:out-of-step"),
        }
    }
}

impl Why {
    /// What happened, and what to do about it where something can be done.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Completer(reason) => match advice(reason) {
                Some(advice) => format!("{}: {advice}", reason.explain()),
                None => reason.explain(),
            },
            Self::Disabled => "suggestions are switched off: set finch.completion.enabled to true".to_owned(),
            Self::Document(Missing::TooLarge) => {
                format!("the file is larger than {} MB: work on a smaller one", DOCUMENT_BYTES_MAX / (1024 * 1024))
            }
            Self::Document(Missing::NotOpen) => {
                "the editor did not open this document with finch: reopen it".to_owned()
            }
            Self::Document(Missing::OutOfStep) => {
                "the editor's changes did not fit together, so the text is not known for sure: reopen the file"
                    .to_owned()
            }
        }
    }
}

/// What the user can do, where the reason's own sentence does not say.
fn advice(reason: &Reason) -> Option<&'static str> {
    match reason {
        Reason::Gate(Gate::InsideWord) => Some("move to the end of the word"),
        Reason::Gate(Gate::TooLittle) => Some("type some more"),
        Reason::Excluded => Some("an exclude pattern that starts with ! takes a file back in"),
        Reason::Cancelled => Some("pause after typing to get a suggestion"),
        Reason::Deadline => Some("raise finch.completion.deadline_ms, or choose a smaller model"),
        Reason::ModelLoading => Some("wait a little; the status shows how far it is"),
        Reason::Error(error) => error_advice(error),
        Reason::Gate(Gate::MidLine | Gate::Binary | Gate::Quiet)
        | Reason::NoModel
        | Reason::Empty
        | Reason::Filtered(_)
        | Reason::DuplicateSuffix => None,
    }
}

fn error_advice(error: &LlmError) -> Option<&'static str> {
    match error {
        LlmError::Overloaded | LlmError::RateLimited { .. } => Some("try again in a moment"),
        LlmError::Unauthorized { .. } => Some("check the provider's key"),
        LlmError::ContextTooLong { .. } => Some("lower finch.completion.prompt_tokens_max"),
        LlmError::Loading => Some("wait a little; the status shows how far it is"),
        LlmError::Protocol { .. } => Some("run `finch doctor`, and report it if it happens again"),
        LlmError::Cancelled | LlmError::Unavailable { .. } | LlmError::Refused { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_language_server_has_a_code_and_says_what_to_do() {
        let cases = [
            (Why::Disabled, "gate"),
            (Why::Document(Missing::TooLarge), "excluded"),
            (Why::Document(Missing::NotOpen), "error:unknown-document"),
            (Why::Document(Missing::OutOfStep), "error:out-of-step"),
            (Why::Completer(Reason::Deadline), "deadline"),
            (Why::Completer(Reason::Error(LlmError::Overloaded)), "error:overloaded"),
        ];
        for (why, code) in cases {
            assert_eq!(why.to_string(), code);
            assert!(why.sentence().contains(": "), "{}", why.sentence());
        }
    }
}
