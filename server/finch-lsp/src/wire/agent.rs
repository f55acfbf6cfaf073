//! The commands of the agent, as `workspace/executeCommand` carries them: each takes one object.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inline::Range;

/// The answer to a command that begins a turn, and the argument of `finch.resume` and `finch/turnCancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    pub turn: String,
}

/// `finch.stop`: one turn or all of them. `finch.undoTurn`: one turn or the newest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SomeTurn {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
}

/// `finch.plan`. Without a task it is the text at the range.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanTask {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
}

/// `finch.approve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovePlan {
    pub uri: String,
    /// Of the plan as the user sees it.
    pub hash: String,
}

/// `finch.revise`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevisePlan {
    pub uri: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
}

/// `finch.ask`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AskAbout {
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
}

/// `finch.explain`, `finch.test`, `finch.document`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    pub uri: String,
    pub range: Range,
}

/// `finch.fix`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FixPlace {
    pub uri: String,
    pub range: Range,
    pub diagnostic: FixedDiagnostic,
}

/// What is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FixedDiagnostic {
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    pub range: Range,
}

/// `finch.edit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EditPlace {
    pub uri: String,
    pub range: Range,
    pub instruction: String,
}

/// `finch.acceptHunk`, `finch.rejectHunk`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HunkChoice {
    pub turn: String,
    pub revision: u64,
    pub uri: String,
    /// From 0, in the order of the file.
    pub hunk: usize,
}

/// `finch.acceptFile`, `finch.rejectFile`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileChoice {
    pub turn: String,
    pub revision: u64,
    pub uri: String,
}

/// `finch.acceptAll`, `finch.rejectAll`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AllChoice {
    pub turn: String,
    pub revision: u64,
}
