//! `textDocument/inlineCompletion` of LSP 3.18.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A line and a character in it, counted from 0 in the negotiated encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    pub line: u32,
    pub character: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Range {
    pub start: Position,
    pub end: Position,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InlineCompletionParams {
    pub text_document: TextDocument,
    pub position: Position,
    #[serde(default)]
    pub context: InlineCompletionContext,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TextDocument {
    pub uri: String,
    /// Not part of the standard: the version the position belongs to. Another version than the newest is answered
    /// with nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InlineCompletionContext {
    /// 1: the user asked for it. 2, or anything else: it was triggered by typing.
    #[serde(default)]
    pub trigger_kind: u32,
    /// The entry that is selected in the editor's completion list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected_completion_info: Option<SelectedCompletionInfo>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SelectedCompletionInfo {
    pub range: Range,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InlineCompletionList {
    pub items: Vec<InlineCompletionItem>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InlineCompletionItem {
    /// Plain text, never a snippet.
    pub insert_text: String,
    /// What the text replaces: part of one line.
    pub range: Range,
    /// Run by the editor after it inserted the text.
    pub command: AcceptCommand,
}

/// A command of the protocol whose arguments say where the suggestion came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AcceptCommand {
    pub title: String,
    /// Always `finch.accept`.
    pub command: String,
    /// Exactly one.
    pub arguments: [Provenance; 1],
}

/// Where a suggestion came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// What `finch/didShow`, `finch/didAccept` and `finch/didReject` name the suggestion by.
    pub id: u64,
    pub provider: String,
    pub model: String,
}
