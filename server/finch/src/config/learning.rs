//! `[learning]`: what finch remembers of its suggestions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What finch remembers of its suggestions.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct LearningConfig {
    /// Whether finch records what becomes of suggestions, in `FINCH_HOME/journal`.
    pub(crate) enabled: bool,
    /// What is recorded: `counts`, without any text but your notes, or `text`, with prompts, suggestions and corrections.
    pub(crate) collect: CollectConfig,
}

impl Default for LearningConfig {
    fn default() -> Self {
        Self { enabled: true, collect: CollectConfig::Counts }
    }
}

/// What is recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CollectConfig {
    #[default]
    Counts,
    Text,
}

impl From<CollectConfig> for finch_learn::Collect {
    fn from(collect: CollectConfig) -> Self {
        match collect {
            CollectConfig::Counts => Self::Counts,
            CollectConfig::Text => Self::Text,
        }
    }
}
