//! `finch/explainLast`: why there is a suggestion, or none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::suggestion::AcceptKind;

/// The names of the counts are those of `finch complete --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// The suggestion's id; absent when nothing was asked for yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Why there was no suggestion; absent when there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same in words, with what to do about it.
    pub message: String,
    /// The document and the version of it that the answer belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    pub provider: String,
    pub model: String,
    /// Whether the model wrote the text for this request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    pub prompt_tokens: u64,
    /// Tokens of the prompt that were not computed again.
    pub cached_tokens: u64,
    /// Tokens of the prompt that stand for the text behind the cursor.
    pub suffix_tokens: u64,
    pub generated_tokens: u64,
    pub ms: Millis,
    /// What the client reported about the suggestion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fate: Option<Fate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    Model,
    /// The same place was asked about before.
    Cache,
    /// The rest of a suggestion whose start was typed.
    TypedThrough,
    /// What the model was saying for an earlier request, and whose start was typed meanwhile.
    InFlight,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Millis {
    pub prefill: f64,
    pub decode: f64,
    pub total: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fate {
    pub shown: bool,
    /// UTF-16 code units accepted so far.
    pub accepted_length: u64,
    /// The last acceptance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<AcceptKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}
