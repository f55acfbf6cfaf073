//! `Bash`: a command, run to its end or to its time, with everything that it started.

mod confined;
mod environment;
mod output;
mod process;
mod runner;

use std::{path::PathBuf, sync::Arc, time::Duration};

use finch_llm::ToolSpec;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    Access, BadCall, Outcome, Permit, Tool, ToolContext,
    access::Network,
    changes::ChangeSet,
    limits::{COMMAND_BYTES_MAX, COMMAND_TIME, COMMAND_TIME_MAX},
    permit::Permitted,
    tool::{self, Call},
};

pub use confined::Confined;
pub(crate) use environment::may_be_seen;
pub use runner::{Documents, Job, NoDocuments, Prepared, Preparing, Runner, Settled, Shell};
pub(crate) use runner::{reach_files, staged};

/// The tool.
pub struct Bash {
    runner: Arc<dyn Runner>,
    staging: Staging,
    /// How long a command runs that asks for nothing else.
    time: Duration,
}

/// How commands come to see the staged edits.
enum Staging {
    /// The edits reach the files first.
    Applied(Arc<dyn Documents>),
    /// The edits stay staged, and commands work on a throw-away view of the workspace with them.
    Reviewed,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    command: String,
    cwd: Option<String>,
    timeout_seconds: Option<u64>,
    network: Option<bool>,
}

impl Bash {
    /// Commands are started by `runner`, after the staged edits have reached the files by `documents`.
    #[must_use]
    pub fn new(runner: Arc<dyn Runner>, documents: Arc<dyn Documents>) -> Self {
        Self { runner, staging: Staging::Applied(documents), time: COMMAND_TIME }
    }

    /// The user reviews edits first: commands are started by `runner` on a throw-away view of the workspace with the
    /// staged edits, and only their output comes back.
    #[must_use]
    pub fn reviewed(runner: Arc<dyn Runner>) -> Self {
        Self { runner, staging: Staging::Reviewed, time: COMMAND_TIME }
    }

    /// The same with another time for commands that ask for none.
    #[must_use]
    pub fn lasting(self, time: Duration) -> Self {
        Self { time: time.clamp(Duration::from_secs(1), COMMAND_TIME_MAX), ..self }
    }

    async fn run(&self, permit: Permit, arguments: &Map<String, Value>, context: &ToolContext) -> Outcome {
        let mut job = match self.job(arguments, context) {
            Ok(job) => job,
            Err(bad) => return Outcome::failed(bad.0),
        };
        let access = job.access();
        if !permit.covers(&access) {
            return Outcome::not_permitted();
        }
        job.permitted = permit.permitted(&access);
        job.staged = match self.settle(context).await {
            Ok(staged) => staged,
            Err(why) => return Outcome::failed(format!("the command was not run: {why}")),
        };
        match self.runner.prepare(&job).await {
            Ok(prepared) => process::run(prepared, &job, context).await,
            Err(why) => Outcome::failed(format!("the command was not run: {why}")),
        }
    }

    /// What is asked for, before it is permitted.
    fn job(&self, arguments: &Map<String, Value>, context: &ToolContext) -> Result<Job, BadCall> {
        let arguments: Arguments = tool::read(arguments)?;
        if arguments.command.trim().is_empty() {
            return Err(BadCall("the command is empty".to_owned()));
        }
        if arguments.command.contains('\0') || arguments.command.len() > COMMAND_BYTES_MAX {
            return Err(BadCall(format!("a command has at most {COMMAND_BYTES_MAX} bytes and no NUL; write a script")));
        }
        let time = match arguments.timeout_seconds.map(Duration::from_secs) {
            None => self.time,
            Some(time) if !time.is_zero() && time <= COMMAND_TIME_MAX => time,
            Some(_) => {
                return Err(BadCall(format!("timeout_seconds goes from 1 to {}", COMMAND_TIME_MAX.as_secs())));
            }
        };
        let cwd = folder(arguments.cwd.as_deref().unwrap_or("."), context)?;
        let network = if arguments.network == Some(true) { Network::On } else { Network::Off };
        let workspace = context.workspace.to_path_buf();
        let (permitted, staged) = (Permitted::ByRule, None);
        Ok(Job { command: arguments.command, cwd, workspace, network, time, permitted, staged })
    }

    /// A command sees the edits that were made before it: in the files, or those that are returned.
    async fn settle(&self, context: &ToolContext) -> Result<Option<ChangeSet>, String> {
        let changes = staged(&context.view, |path| context.name(path))?;
        match &self.staging {
            Staging::Reviewed => Ok(Some(changes)),
            Staging::Applied(documents) => reach_files(&changes, &context.view, &**documents).await.map(|()| None),
        }
    }
}

impl Tool for Bash {
    fn spec(&self) -> ToolSpec {
        let edits = match &self.staging {
            Staging::Applied(_) => "Staged edits reach the files first.",
            Staging::Reviewed => {
                "It sees the staged edits; what it writes in the workspace is thrown away, and only its output stays."
            }
        };
        ToolSpec {
            name: "Bash".to_owned(),
            description: format!(
                "Runs a command with bash and gives what it printed, errors too, and its exit code. {edits} \
                 There is no input and no terminal; what still runs at the end is killed. Stops after \
                 {} s unless timeout_seconds says otherwise. No network unless network is true.",
                self.time.as_secs()
            ),
            parameters: json!({
                "type": "object",
                "properties": {
                    "command": {"type": "string", "description": "The command"},
                    "cwd": {"type": "string", "description": "The folder to run it in, within the workspace folder; that one if left out"},
                    "timeout_seconds": {"type": "integer", "minimum": 1, "maximum": COMMAND_TIME_MAX.as_secs(), "description": "How long it may run"},
                    "network": {"type": "boolean", "description": "Whether it needs the network"}
                },
                "required": ["command"],
                "additionalProperties": false
            }),
        }
    }

    fn access(&self, arguments: &Map<String, Value>, context: &ToolContext) -> Result<Vec<Access>, BadCall> {
        Ok(vec![self.job(arguments, context)?.access()])
    }

    fn call<'a>(&'a self, permit: Permit, arguments: Map<String, Value>, context: &'a ToolContext) -> Call<'a> {
        Box::pin(async move { self.run(permit, &arguments, context).await })
    }
}

impl Job {
    fn access(&self) -> Access {
        Access::Run { command: self.command.clone(), cwd: self.cwd.clone(), network: self.network }
    }
}

/// A folder within the workspace, wherever its links lead.
fn folder(given: &str, context: &ToolContext) -> Result<PathBuf, BadCall> {
    let path = context.resolve(given)?;
    if !path.starts_with(&context.workspace) {
        return Err(BadCall(format!("{} is not within the workspace; a command runs there", context.name(&path))));
    }
    if !path.is_dir() {
        return Err(BadCall(format!("{} is no folder", context.name(&path))));
    }
    Ok(path)
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
