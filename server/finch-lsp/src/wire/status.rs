//! `finch/status`: how far the model is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    pub state: State,
    /// The model that is ready or being loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Who answers requests for suggestions.
    pub provider: String,
    /// The reason code that a request for a suggestion gets in this state; absent when the model is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What happened and why, when something failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the user can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The file that is being downloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Bytes done of a download or an import.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<u64>,
    /// Bytes there are; absent when nobody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Who answered last, where more than one provider is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answered>,
    /// What left this machine today, to providers beyond it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Left>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answered {
    pub provider: String,
    pub model: String,
    /// Who was asked before, and why that came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Left {
    pub requests: u64,
    pub bytes: u64,
    /// In whatever the user counts costs in; absent if no prices are configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No model is set up.
    Absent,
    Starting,
    Downloading,
    Importing,
    Loading,
    Ready,
    Failed,
}
