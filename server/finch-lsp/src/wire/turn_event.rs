//! `finch/turnEvent`: what happens in a turn of the agent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnEvent {
    pub turn: String,
    #[serde(flatten)]
    pub event: Happening,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Happening {
    Began {
        title: String,
        task: TaskKind,
    },
    /// Of the model's answer. Pieces that come fast are joined.
    Text {
        text: String,
    },
    Reasoning {
        text: String,
    },
    /// A tool is about to be called.
    Call {
        id: String,
        name: String,
        /// JSON, cut where it is long.
        arguments: String,
    },
    /// Output of a call while it runs; some of it may be left out.
    Output {
        id: String,
        text: String,
    },
    Called {
        id: String,
        text: String,
        failed: bool,
    },
    /// The plan's file has changed on disk.
    Plan {
        uri: String,
        hash: String,
        round: u32,
        state: PlanStage,
        /// Findings that must be addressed.
        open: usize,
    },
    Step {
        /// From 1.
        number: usize,
        title: String,
        state: StepStage,
    },
    /// Edits are in these files now.
    Applied {
        uris: Vec<String>,
    },
    /// A review has changed on disk.
    Review {
        uri: String,
        revision: u64,
    },
    /// An answer is on disk.
    Answer {
        uri: String,
    },
    Ended {
        outcome: TurnOutcome,
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uri: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    Plan,
    Work,
    Ask,
    Change,
    Undo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PlanStage {
    Attacking,
    Drafting,
    Settled,
    RoundsOver,
    /// Taken by the user before it was settled.
    Approved,
    Stopped,
    Working,
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepStage {
    Working,
    Checking,
    Done,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TurnOutcome {
    Done,
    Stopped,
    Failed,
}
