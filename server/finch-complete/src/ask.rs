//! What a door asks, and how it wants its answers.

use std::time::Duration;

use finch_llm::ClientId;
use finch_text::Document;

use crate::{DEADLINE, Excludes, PROMPT_TOKENS_MAX, Quiet, SUFFIX_TOKENS_MAX, Sources, TOKENS_MAX};

/// Who started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The user asked for a suggestion.
    Invoked,
    /// The editor asked because the user typed.
    Automatic,
}

/// One request for ghost text.
#[derive(Debug, Clone)]
pub struct Ask {
    pub client: ClientId,
    /// A snapshot: later changes do not reach it.
    pub document: Document,
    /// The file's path with `/` or `\` between its parts; `None` for a buffer without a file.
    pub path: Option<String>,
    /// What the editor says the language is, in its own word for it.
    pub language: Option<String>,
    /// Bytes before the cursor; rounded down to the start of a character.
    pub offset: usize,
    pub trigger: Trigger,
    /// So many other suggestions are wanted, if the user asked for one himself. There may be fewer.
    pub alternatives: usize,
    /// Nobody asks yet; the user will, it is thought.
    pub is_ahead: bool,
}

/// What stays the same from request to request.
#[derive(Debug, Clone)]
pub struct Options {
    /// Files that are never read for a prompt.
    pub excludes: Excludes,
    /// Prompt tokens at most.
    pub prompt_tokens_max: usize,
    /// Of these, tokens for the text behind the cursor.
    pub suffix_tokens_max: usize,
    /// Generated tokens at most.
    pub tokens_max: usize,
    /// What exists by then is shown, if it is worth it.
    pub deadline: Duration,
    /// Where nothing is said unless asked.
    pub quiet: Quiet,
    /// What else goes into a prompt.
    pub context: Sources,
    /// Whether whole lines are shown while the model goes on, and the next suggestion is made before this one is
    /// accepted.
    pub ahead: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            excludes: Excludes::default(),
            prompt_tokens_max: PROMPT_TOKENS_MAX,
            suffix_tokens_max: SUFFIX_TOKENS_MAX,
            tokens_max: TOKENS_MAX,
            deadline: DEADLINE,
            quiet: Quiet::default(),
            context: Sources::default(),
            ahead: true,
        }
    }
}
