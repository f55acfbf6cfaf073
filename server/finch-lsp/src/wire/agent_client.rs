//! What the server asks of a client that knows finch: permissions, questions, saving, diagnostics.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inline::Range;

/// `finch/approve`. The effect is plain text, shown whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Permission {
    pub turn: String,
    /// The answer has to name it.
    pub id: String,
    pub title: String,
    pub effect: String,
    pub why: String,
    /// The first one is the refusal.
    pub choices: Vec<PermissionChoice>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PermissionChoice {
    pub id: PermissionAnswer,
    pub label: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PermissionAnswer {
    No,
    Once,
    /// For exactly this, until finch ends.
    Session,
    /// For exactly this, in this workspace.
    Always,
    /// For all that is like it, in this workspace.
    Like,
}

/// The answer of `finch/approve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PermissionGiven {
    pub id: String,
    pub choice: PermissionAnswer,
    /// Why not, for the model to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `finch/askUser`. The text comes from the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserQuestions {
    pub turn: String,
    pub questions: Vec<UserQuestion>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserQuestion {
    pub text: String,
    /// Answers to choose from; free text is always possible.
    pub options: Vec<String>,
    /// Whether more than one may be chosen.
    pub several: bool,
}

/// The answer of `finch/askUser`: one for each question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserAnswers {
    pub answers: Vec<String>,
}

/// `finch/save`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SaveFiles {
    pub uris: Vec<String>,
}

/// The answer of `finch/save`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FilesSaved {
    #[serde(default)]
    pub failed: Vec<NotSaved>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotSaved {
    pub uri: String,
    pub reason: String,
}

/// `finch/diagnostics`: of these documents, or of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WantedDiagnostics {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uris: Option<Vec<String>>,
}

/// The answer of `finch/diagnostics`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedDiagnostics {
    pub diagnostics: Vec<ReportedDiagnostic>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedDiagnostic {
    pub uri: String,
    pub range: Range,
    /// 1 is an error, 2 a warning, 3 information, anything else a hint.
    #[serde(default)]
    pub severity: u32,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// `finch/restart`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestartWanted {
    pub reason: String,
}
