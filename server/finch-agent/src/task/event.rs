//! What is told while a task goes on.

use std::path::PathBuf;

use tokio::sync::mpsc;

use crate::plan::{PlanEvent, PlanHash};
use crate::turn;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskEvent {
    /// What the model says and calls.
    Turn(turn::Event),
    Plan(PlanEvent),
    /// The plan's file was written. `open` findings must be addressed.
    PlanFile {
        path: PathBuf,
        hash: PlanHash,
        state: PlanState,
        open: usize,
    },
    /// A step of the plan, from 1.
    Step {
        number: usize,
        title: String,
        state: StepState,
    },
    /// Edits are in the files now.
    Applied {
        paths: Vec<PathBuf>,
    },
    /// Edits wait to be looked at.
    Review {
        revision: u64,
    },
}

/// How far a plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanState {
    Drafted,
    Attacked,
    Settled,
    /// The user took it before it was settled.
    Taken,
    Stopped,
    RoundsOver,
    Working,
    /// All its steps are done.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    Working,
    Checking,
    Done,
    Failed,
}

/// Tells; a reader that is gone misses it.
pub(super) async fn tell(events: &mpsc::Sender<TaskEvent>, event: TaskEvent) {
    if events.send(event).await.is_err() {
        tracing::trace!("nobody reads the events of a task");
    }
}
