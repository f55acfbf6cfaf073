//! The `finch` section of `initializationOptions` and `workspace/didChangeConfiguration`.
//!
//! The names are those of `config.toml`; what stands here goes before the file for this session.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientSettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<CompletionSettings>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CompletionSettings {
    /// Whether suggestions are offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Prompt tokens at most: context, and the text before and behind the cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16, max = 65_536))]
    pub prompt_tokens_max: Option<u32>,
    /// Prompt tokens for the text behind the cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 16_384))]
    pub suffix_tokens_max: Option<u32>,
    /// Tokens of a suggestion at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_024))]
    pub tokens_max: Option<u32>,
    /// Milliseconds after which a suggestion comes too late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub deadline_ms: Option<u32>,
    /// Whether whole lines are shown while the model goes on, and the next suggestion is made while this one is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<bool>,
    /// What goes into a prompt beside the text around the cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextSettings>,
}

/// Sources of context: each can be switched off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContextSettings {
    /// Where the document stands in the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<bool>,
    /// Definitions of the names near the cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definitions: Option<bool>,
    /// Texts like the one at the cursor, from this document and those you were in lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recent: Option<bool>,
    /// What you changed lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edits: Option<bool>,
    /// What is wrong near the cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostics: Option<bool>,
}
