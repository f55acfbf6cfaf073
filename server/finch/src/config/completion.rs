//! `[completion]`: ghost text.

use std::time::Duration;

use finch_complete::{Manner, Quiet, Sources};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ghost text.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(crate) struct CompletionConfig {
    /// Whether suggestions are offered while typing.
    pub(crate) enabled: bool,
    /// Prompt tokens at most: context, and the text before and behind the cursor.
    pub(crate) prompt_tokens_max: usize,
    /// Prompt tokens for the text behind the cursor. They are computed anew with each key.
    pub(crate) suffix_tokens_max: usize,
    /// Tokens of a suggestion at most.
    pub(crate) tokens_max: usize,
    /// Milliseconds after which a suggestion comes too late.
    pub(crate) deadline_ms: u64,
    /// Whether whole lines are shown while the model goes on, and the next suggestion is made while this one is read.
    pub(crate) ahead: bool,
    /// Files without suggestions, as patterns; they add to the built-in ones (keys, certificates, `.env`).
    pub(crate) exclude: Vec<String>,
    /// Whether suggestions are offered within comments while typing.
    pub(crate) comments: MannerConfig,
    /// Whether suggestions are offered within strings while typing.
    pub(crate) strings: MannerConfig,
    /// What goes into a prompt beside the text around the cursor.
    pub(crate) context: ContextConfig,
}

/// What goes into a prompt beside the text around the cursor.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub(crate) struct ContextConfig {
    /// Where the document stands in the project.
    pub(crate) path: bool,
    /// Definitions of the names near the cursor, from open documents, the project's files and the editor.
    pub(crate) definitions: bool,
    /// Texts like the one at the cursor, from this document and those you were in lately.
    pub(crate) recent: bool,
    /// What you changed lately.
    pub(crate) edits: bool,
    /// What is wrong near the cursor.
    pub(crate) diagnostics: bool,
}

impl Default for ContextConfig {
    fn default() -> Self {
        Self { path: true, definitions: true, recent: true, edits: true, diagnostics: true }
    }
}

/// Whether suggestions come by themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MannerConfig {
    Speak,
    /// Until they were rejected again and again.
    #[default]
    Learn,
    /// Only when the user asks for one.
    Silent,
}

impl From<MannerConfig> for Manner {
    fn from(manner: MannerConfig) -> Self {
        match manner {
            MannerConfig::Speak => Self::Speak,
            MannerConfig::Learn => Self::Learn,
            MannerConfig::Silent => Self::Silent,
        }
    }
}

impl Default for CompletionConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            prompt_tokens_max: 512,
            suffix_tokens_max: 64,
            tokens_max: 64,
            deadline_ms: 5_000,
            ahead: true,
            exclude: Vec::new(),
            comments: MannerConfig::default(),
            strings: MannerConfig::default(),
            context: ContextConfig::default(),
        }
    }
}

impl CompletionConfig {
    pub(crate) fn options(&self) -> finch_complete::Options {
        finch_complete::Options {
            excludes: finch_complete::Excludes::with(&self.exclude),
            prompt_tokens_max: self.prompt_tokens_max,
            suffix_tokens_max: self.suffix_tokens_max,
            tokens_max: self.tokens_max,
            deadline: Duration::from_millis(self.deadline_ms),
            quiet: Quiet { comments: self.comments.into(), strings: self.strings.into() },
            context: Sources {
                path: self.context.path,
                definitions: self.context.definitions,
                recent: self.context.recent,
                edits: self.context.edits,
                diagnostics: self.context.diagnostics,
            },
            ahead: self.ahead,
        }
    }
}
