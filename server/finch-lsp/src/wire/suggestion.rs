//! What became of a suggestion: shown, accepted, rejected.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DidShow {
    pub id: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DidAccept {
    pub id: u64,
    /// UTF-16 code units accepted so far, counted from the start of the suggestion.
    pub length: u64,
    pub kind: AcceptKind,
}

/// How much was accepted in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AcceptKind {
    Word,
    Line,
    Full,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DidReject {
    pub id: u64,
    /// Why, in the client's words, such as `dismissed` or `typed-over`.
    pub reason: String,
}
