//! How a command is started, and how the files come to hold what was staged before it: both are brought from outside.

use std::{
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    process::Command,
    time::Duration,
};

use crate::{access::Network, changes::ChangeSet, permit::Permitted, sandbox::Scratch, view::View};

/// A command that was permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub command: String,
    /// Canonical, within the workspace.
    pub cwd: PathBuf,
    pub workspace: PathBuf,
    pub network: Network,
    /// How long it may run.
    pub time: Duration,
    pub permitted: Permitted,
    /// Edits that the command sees and the files do not have. With them, even none, nothing that the command writes in
    /// the workspace stays.
    pub staged: Option<ChangeSet>,
}

/// A command that is ready to be started.
#[derive(Debug)]
pub struct Prepared {
    pub(super) command: Command,
    pub(super) hold: Hold,
}

/// What holds a command that is started.
#[derive(Debug)]
pub(super) enum Hold {
    /// Nothing: it is killed by its group and its mark.
    Nothing,
    /// The program that is started gives up its rights before it becomes the command. Its environment is settled.
    Profile(Scratch),
    /// A keeper is told what to run by a line on its standard input, and kills all of it when that closes.
    Keeper { line: Vec<u8>, scratch: Scratch },
}

impl From<Command> for Prepared {
    /// Runs as it is. Folder, input, output, environment and process group are set afterwards; variables that are set
    /// here stay.
    fn from(command: Command) -> Self {
        Self { command, hold: Hold::Nothing }
    }
}

/// A command on its way to be ready. Dropping it prepares nothing.
pub type Preparing<'a> = Pin<Box<dyn Future<Output = Result<Prepared, String>> + Send + 'a>>;

/// Makes the process that runs a command, with whatever confines it.
pub trait Runner: Send + Sync + 'static {
    /// The command, ready to be started, or why it must not be, for the model to read.
    fn prepare<'a>(&'a self, job: &'a Job) -> Preparing<'a>;
}

/// bash with nothing around it: only for where the user was told so.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shell;

impl Runner for Shell {
    fn prepare<'a>(&'a self, job: &'a Job) -> Preparing<'a> {
        let prepared = match &job.staged {
            None => {
                let mut command = Command::new("bash");
                command.args(["--noprofile", "--norc", "-c", &job.command]);
                Ok(command.into())
            }
            Some(_) => {
                Err("staged edits are reviewed first, and without a sandbox no command can be shown them; ask the \
                            user to apply them"
                    .to_owned())
            }
        };
        Box::pin(std::future::ready(prepared))
    }
}

/// The way of staged edits into files, on its way.
pub type Settled<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Who owns the documents: brings staged edits into them and saves them.
pub trait Documents: Send + Sync + 'static {
    /// Applies and saves; then, and only then, the edits are staged no longer.
    fn apply<'a>(&'a self, changes: &'a ChangeSet) -> Settled<'a>;
}

/// What is staged.
///
/// # Errors
/// For the model to read, if it meets what the user typed. `name` is what the model calls a file.
pub(crate) fn staged(view: &View, name: impl Fn(&Path) -> String) -> Result<ChangeSet, String> {
    let changes = view.changes().clone();
    if let Some((path, _)) = changes.conflicts().next() {
        return Err(format!("the user changed {} where you had; read and edit it again first", name(path)));
    }
    Ok(changes)
}

/// Brings what was staged into the files; it is staged no longer then.
///
/// # Errors
/// Why it could not, for the model to read.
pub(crate) async fn reach_files(changes: &ChangeSet, view: &View, documents: &dyn Documents) -> Result<(), String> {
    if changes.is_empty() {
        return Ok(());
    }
    documents.apply(changes).await?;
    let mut staged = view.changes();
    if staged.revision() == changes.revision() {
        drop(staged.accept_all());
    }
    Ok(())
}

/// Nobody: edits can only be staged.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDocuments;

impl Documents for NoDocuments {
    fn apply<'a>(&'a self, _changes: &'a ChangeSet) -> Settled<'a> {
        Box::pin(async { Err("there are staged edits and no editor that could apply them".to_owned()) })
    }
}
