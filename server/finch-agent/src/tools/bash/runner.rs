//! How a command is started, and how the files come to hold what was staged before it: both are brought from outside.

use std::{future::Future, path::PathBuf, pin::Pin, process::Command};

use crate::{access::Network, changes::ChangeSet};

/// A command that was permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub command: String,
    /// Canonical, within the workspace.
    pub cwd: PathBuf,
    pub workspace: PathBuf,
    pub network: Network,
}

/// Makes the process that runs a command, with whatever confines it.
pub trait Runner: Send + Sync + 'static {
    /// The program to start and its arguments. Folder, input, output, environment and process group are set afterwards;
    /// variables that are set here stay.
    ///
    /// # Errors
    /// Why it must not be started, for the model to read.
    fn prepare(&self, job: &Job) -> Result<Command, String>;
}

/// bash with nothing around it: only for where the user was told so.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shell;

impl Runner for Shell {
    fn prepare(&self, job: &Job) -> Result<Command, String> {
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-c", &job.command]);
        Ok(command)
    }
}

/// The way of staged edits into files, on its way.
pub type Settled<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Who owns the documents: brings staged edits into them and saves them.
pub trait Documents: Send + Sync + 'static {
    /// Applies and saves; then, and only then, the edits are staged no longer.
    fn apply<'a>(&'a self, changes: &'a ChangeSet) -> Settled<'a>;
}

/// Nobody: edits can only be staged.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDocuments;

impl Documents for NoDocuments {
    fn apply<'a>(&'a self, _changes: &'a ChangeSet) -> Settled<'a> {
        Box::pin(async { Err("there are staged edits and no editor that could apply them".to_owned()) })
    }
}
