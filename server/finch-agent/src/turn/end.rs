//! How far a turn may go, and how it ended.

use std::fmt;
use std::time::Duration;

use finch_llm::LlmError;

/// Bounds of one turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnLimits {
    /// Answers of the model.
    pub answers_max: usize,
    pub calls_max: usize,
    /// Tokens of all prompts and answers together.
    pub tokens_max: usize,
    pub time_max: Duration,
    /// Tokens of one answer.
    pub answer_tokens_max: usize,
}

impl TurnLimits {
    pub(crate) const USUAL: Self = Self {
        answers_max: 100,
        calls_max: 400,
        tokens_max: 5_000_000,
        time_max: Duration::from_secs(3600),
        answer_tokens_max: 8192,
    };
}

impl Default for TurnLimits {
    fn default() -> Self {
        Self::USUAL
    }
}

/// A bound that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Answers,
    Calls,
    Tokens,
    Time,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answers => "answers",
            Self::Calls => "tool calls",
            Self::Tokens => "tokens",
            Self::Time => "time",
        })
    }
}

/// How a turn ended. What was said until then is in the conversation, which can go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The model gave its answer.
    Answered,
    /// The turn was stopped, or nobody listens any more.
    Cancelled,
    Limit(Limit),
    /// The model made the same call with the same result again and again.
    Looping {
        tool: String,
    },
    /// The model's answers were cut off again and again.
    CutOff,
    Failed(LlmError),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered => f.write_str("the model has answered"),
            Self::Cancelled => f.write_str("it was stopped"),
            Self::Limit(limit) => write!(f, "its limit of {limit} was reached"),
            Self::Looping { tool } => write!(f, "the model called {tool} again and again with the same result"),
            Self::CutOff => f.write_str("the model's answers were cut off again and again"),
            Self::Failed(error) => write!(f, "the model gave no answer: {error}"),
        }
    }
}
