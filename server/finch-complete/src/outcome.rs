//! What a request for ghost text came to: a suggestion or a reason, and everything a user may ask about it.

use std::ops::Range;
use std::time::Duration;

use finch_llm::{InfillContext, LlmError, Usage};

use crate::SourceCost;

/// Text to put into the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Its lines end at `\n`, whatever the document's do; editors convert on insertion.
    pub text: String,
    /// The bytes it replaces, all on the cursor's line; empty and at the cursor.
    pub replace: Range<usize>,
}

/// A text that may be put in a suggestion's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    /// Numbers it as a suggestion of its own.
    pub id: u64,
    pub text: String,
}

/// The answer to one [`Ask`](crate::Ask).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Numbers the suggestion. It stays the same while the user types through it.
    pub id: u64,
    pub suggestion: Option<Suggestion>,
    /// Other texts for the same place, no two of them equal.
    pub alternatives: Vec<Alternative>,
    /// Set exactly when there is no suggestion.
    pub reason: Option<Reason>,
    /// Who made the suggestion, or would have been asked for one.
    pub provider: String,
    pub model: String,
    /// What the first suggestion cost; nothing when it was not the model that answered.
    pub usage: Usage,
    pub timings: Times,
    /// What the model was asked; `None` if it was not.
    pub prompt: Option<PromptParts>,
    pub source: Source,
}

/// The text of a prompt, before the provider adds its markers and trims it to its budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptParts {
    pub prefix: String,
    pub suffix: String,
    /// What goes before the prefix.
    pub context: InfillContext,
    /// What each source added to it.
    pub costs: Vec<SourceCost>,
}

/// Where the time of a request went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    pub queued: Duration,
    pub prefill: Duration,
    pub decode: Duration,
    /// From the request to its outcome.
    pub total: Duration,
}

/// Where an outcome comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Model,
    /// The same place in the same text was asked about before.
    Cache,
    /// The user typed the beginning of an earlier suggestion.
    TypedThrough,
    /// The model was saying it for an earlier ask, and the user typed its beginning meanwhile.
    InFlight,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Model => "model",
            Self::Cache => "cache",
            Self::TypedThrough => "typed-through",
            Self::InFlight => "in-flight",
        })
    }
}

/// Why there is no suggestion. Displayed as a stable code such as `filtered:repetition`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The place is none for ghost text; the model was not asked.
    Gate(Gate),
    /// The file may hold secrets; it was not read.
    Excluded,
    /// A newer request took its place.
    Cancelled,
    /// Nothing worth showing existed in time.
    Deadline,
    ModelLoading,
    NoModel,
    /// The model has nothing to add here.
    Empty,
    /// What the model said is not worth showing.
    Filtered(Rule),
    /// What the model said stands behind the cursor already.
    DuplicateSuffix,
    Error(LlmError),
}

/// Which gate a request did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// A word goes on behind the cursor.
    InsideWord,
    /// Too much of the line stands behind the cursor.
    MidLine,
    /// The text holds NUL characters.
    Binary,
    /// There is next to nothing to continue.
    TooLittle,
    /// The cursor stands in a comment or a string, and this user wants nothing there unless asked.
    Quiet,
}

/// Which rule dropped an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It goes in circles.
    Repetition,
    /// It repeats the lines just above.
    RepeatsAbove,
    /// It holds control, bidirectional, invisible or broken characters.
    Characters,
    /// Its first line did not end within the bounds.
    TooLong,
    /// It opens a string of several lines and does not close it.
    Unclosed,
    /// It only closes brackets, quotes or a statement, and nobody asked.
    Punctuation,
    /// To accept it costs as much as to type it, and nobody asked.
    TooShort,
    /// It would break what parses.
    Syntax,
    /// It looks like a key, a token or a password.
    Secret,
    /// The model itself held it for a guess, and nobody asked.
    Unsure,
}

impl Rule {
    /// The stable name, as in `filtered:repetition`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Repetition => "repetition",
            Self::RepeatsAbove => "repeats-above",
            Self::Characters => "characters",
            Self::TooLong => "too-long",
            Self::Unclosed => "unclosed",
            Self::Punctuation => "punctuation",
            Self::TooShort => "too-short",
            Self::Syntax => "syntax",
            Self::Secret => "secret",
            Self::Unsure => "unsure",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gate(_) => f.write_str("gate"),
            Self::Excluded => f.write_str("excluded"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Deadline => f.write_str("deadline"),
            Self::ModelLoading => f.write_str("model-loading"),
            Self::NoModel => f.write_str("no-model"),
            Self::Empty => f.write_str("empty"),
            Self::Filtered(rule) => write!(f, "filtered:{}", rule.name()),
            Self::DuplicateSuffix => f.write_str("duplicate-suffix"),
            Self::Error(error) => write!(f, "error:{}", error.kind()),
        }
    }
}

impl Reason {
    /// A sentence for a person who asks why there is no suggestion.
    #[must_use]
    pub fn explain(&self) -> String {
        let sentence = match self {
            Self::Gate(Gate::InsideWord) => "a word goes on behind the cursor",
            Self::Gate(Gate::MidLine) => "too much of the line stands behind the cursor; ask for a suggestion yourself",
            Self::Gate(Gate::Binary) => "the text looks binary",
            Self::Gate(Gate::TooLittle) => "there is too little text to continue",
            Self::Gate(Gate::Quiet) => "suggestions in comments or strings are not wanted here; ask for one yourself",
            Self::Excluded => "the file is excluded because it may hold secrets",
            Self::Cancelled => "a newer request took its place",
            Self::Deadline => "the model had nothing worth showing in time",
            Self::ModelLoading => "the model is still loading",
            Self::NoModel => {
                "no model is installed or it cannot be loaded; run `finch setup`, and `finch doctor` if that does not help"
            }
            Self::Empty => "the model has nothing to add here",
            Self::Filtered(Rule::Repetition) => "the model went in circles",
            Self::Filtered(Rule::RepeatsAbove) => "the model repeated the lines above",
            Self::Filtered(Rule::Characters) => "the answer held characters that are invisible or mislead",
            Self::Filtered(Rule::TooLong) => "the answer's first line was too long",
            Self::Filtered(Rule::Unclosed) => "the answer opened a string and did not close it",
            Self::Filtered(Rule::Punctuation) => "the answer was closing punctuation only",
            Self::Filtered(Rule::TooShort) => "the answer was no longer than the key that accepts it",
            Self::Filtered(Rule::Syntax) => "the answer would have broken code that parses",
            Self::Filtered(Rule::Secret) => "the answer looked like a key, a token or a password",
            Self::Filtered(Rule::Unsure) => {
                "the model was only guessing; ask for a suggestion yourself to see its guess"
            }
            Self::DuplicateSuffix => "the answer stands behind the cursor already",
            Self::Error(error) => return format!("the model could not answer: {error}"),
        };
        sentence.to_owned()
    }
}
