//! Ghost text: from a document and a cursor to one suggestion, or to the reason why there is none.
//!
//! A [`Completer`] is asked for each keystroke. It answers from what the user is just typing through, or shuts
//! up at a gate, or asks a [`Provider`](finch_llm::Provider) and ends the answer as early as its text allows.
//! This crate knows no editor, no protocol, no file and no model: the language server and the command line are
//! its doors. Everything but [`Completer::complete`] is a pure function of text.

mod ahead;
mod answer;
mod ask;
mod characters;
mod completer;
mod confidence;
mod context;
mod ends;
mod exclude;
mod extent;
mod flight;
mod gate;
mod limits;
mod outcome;
mod place;
mod quiet;
mod recent;
mod rules;
mod secrets;
mod syntax;
mod typed;
mod window;

pub use ask::{Ask, Options, Trigger};
pub use completer::Completer;
pub use context::{Context, ContextSource, Diagnostic, SourceCost, Sources, Told};
pub use exclude::Excludes;
pub use limits::{DEADLINE, PROMPT_TOKENS_MAX, SUFFIX_TOKENS_MAX, TOKENS_MAX};
pub use outcome::{Alternative, Gate, Outcome, PromptParts, Reason, Rule, Source, Suggestion, Times};
pub use quiet::{Manner, Quiet};
pub use syntax::{Definition, DefinitionKind, Import, Language, Syntax, Token};
