//! A task from its first word to its end: planned, approved, carried out step by step, taken back.
//!
//! In reading order: a [`Workbench`] is what stands behind all tasks of one folder, a [`Door`] what the place brings at
//! which the user sits; `planning`, `carrying`, `asking` and `undoing` are what is done with them, and [`TaskEvent`] what
//! is told meanwhile. Dropping a future stops the task with everything that it started. Nothing here knows an editor or
//! a terminal: edits reach files only through the door, and every effect passes the gate.

mod asking;
mod brief;
mod carrying;
mod disk;
mod door;
mod event;
mod kept;
mod made;
mod plan_file;
mod planning;
mod reading;
mod review;
mod settling;
mod undoing;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use finch_llm::{ClientId, Lane, LlmError, Origin, Provider};

use crate::changes::ChangeError;
use crate::gatekeeper::Guard;
use crate::plan::PlanError;
use crate::room::Room;
use crate::rules::{Decision, Rules};
use crate::store::Store;
use crate::tools::Runner;
use crate::turn::Agent;
use crate::view::View;
use crate::{Access, Asker, Gate, Tool, ToolContext};

pub use brief::{Briefer, Briefing};
pub use carrying::{Carried, WorkEnd};
pub use disk::FilesOnDisk;
pub use door::{Door, Edits};
pub use event::{PlanState, StepState, TaskEvent};
pub use kept::Interrupted;
pub use made::Made;
pub use planning::{Planned, Wish};
pub use review::Chosen;
pub use undoing::Undone;

pub use crate::store::{Kind, TaskId};

/// All that stands behind the tasks in one folder, whichever door they come in by.
pub struct Workbench {
    pub provider: Arc<dyn Provider>,
    pub client: ClientId,
    /// The workspace, and the provider that the user named.
    pub origin: Origin,
    pub rules: Rules,
    pub gate: Arc<Gate>,
    /// How commands are started.
    pub runner: Arc<dyn Runner>,
    /// Tools beside those that are built in.
    pub more_tools: Vec<Arc<dyn Tool>>,
    /// Where the plans of this folder are kept.
    pub plans: PathBuf,
    /// What the user and the project ask for in their own files. Called for every task and step.
    pub briefing: Briefer,
    /// How long a command may run that asks for no other time.
    pub command_time: Duration,
    pub rounds_max: u32,
    /// Without one, tasks do not outlive finch.
    pub store: Option<Store>,
    /// What tasks have changed, and what they have staged.
    pub made: Made,
    /// A task that changes files is under way: one at a time.
    pub working: Arc<tokio::sync::Mutex<()>>,
}

/// Why a task came to nothing. The text is for the user.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("the model gave no answer: {0}")]
    Llm(#[from] LlmError),
    #[error("{} cannot be read or written: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error("{} is no plan: {reason}; mend it, or make a new plan", path.display())]
    NoPlan { path: PathBuf, reason: String },
    #[error("{} is not the plan that was approved: it has changed since; look at it and approve it anew", path.display())]
    PlanChanged { path: PathBuf },
    #[error("another task is working in this folder; wait for its end, or stop it")]
    Busy,
    #[error("the edits could not be applied: {reason}")]
    NotApplied { reason: String },
    #[error("there is nothing to take back")]
    NothingToUndo,
    #[error("nothing was taken back: {} changed meanwhile where the task had; set that right first", names(paths))]
    Conflict { paths: Vec<PathBuf> },
    #[error("the staged edits are not those that were shown; look at them again")]
    ReviewChanged,
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error("the task broke off: {reason}")]
    BrokeOff { reason: String },
}

impl Workbench {
    /// The folder that is worked in, canonical.
    #[must_use]
    pub fn workspace(&self) -> &Path {
        &self.rules.scope().workspace
    }

    /// What tools work on. What would have to be asked about is left out of searches.
    fn context(&self, door: &Door) -> ToolContext {
        let rules = self.rules.clone();
        let leave_out = move |path: &Path| rules.decide(&Access::Read { path: path.to_owned() }) != Decision::Allow;
        let view = View::new(Arc::clone(&door.buffers), Arc::new(Mutex::default()));
        ToolContext { leave_out: Arc::new(leave_out), ..ToolContext::new(self.workspace().into(), view) }
    }

    /// Who works, with these tools.
    fn agent(&self, tools: Vec<Arc<dyn Tool>>, context: &ToolContext, asker: Option<Arc<dyn Asker>>) -> Agent {
        let room = self.room();
        Agent {
            provider: Arc::clone(&self.provider),
            tools: room.tools(tools),
            gate: Arc::new(Guard { gate: Arc::clone(&self.gate), asker }),
            context: context.clone(),
            client: self.client.clone(),
            lane: Lane::Batch,
            origin: self.origin.clone(),
            limits: room.limits(),
        }
    }

    /// What the model that works has room for.
    fn room(&self) -> Room<'_> {
        Room::of(&*self.provider, &self.origin, self.origin.task)
    }

    /// What a file is called in the workspace.
    fn name(&self, file: &Path) -> String {
        file.strip_prefix(self.workspace()).unwrap_or(file).to_string_lossy().replace('\\', "/")
    }
}

fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
