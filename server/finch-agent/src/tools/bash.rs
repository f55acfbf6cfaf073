//! `Bash`: a command, run to its end or to its time, with everything that it started.

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
    limits::{COMMAND_BYTES_MAX, COMMAND_TIME, COMMAND_TIME_MAX},
    tool::{self, Call},
};

pub use runner::{Documents, Job, NoDocuments, Runner, Settled, Shell};

/// The tool.
pub struct Bash {
    runner: Arc<dyn Runner>,
    documents: Arc<dyn Documents>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    command: String,
    cwd: Option<String>,
    timeout_seconds: Option<u64>,
    network: Option<bool>,
}

/// What is asked for.
struct Wish {
    job: Job,
    time: Duration,
}

impl Bash {
    /// Commands are started by `runner`, after the staged edits have reached the files by `documents`.
    #[must_use]
    pub fn new(runner: Arc<dyn Runner>, documents: Arc<dyn Documents>) -> Self {
        Self { runner, documents }
    }

    async fn run(&self, permit: Permit, arguments: &Map<String, Value>, context: &ToolContext) -> Outcome {
        let wish = match wish(arguments, context) {
            Ok(wish) => wish,
            Err(bad) => return Outcome::failed(bad.0),
        };
        if !permit.covers(&wish.access()) {
            return Outcome::not_permitted();
        }
        if let Err(why) = self.settle(context).await {
            return Outcome::failed(format!("the command was not run: {why}"));
        }
        match self.runner.prepare(&wish.job) {
            Ok(command) => process::run(command, &wish.job, wish.time, context).await,
            Err(why) => Outcome::failed(format!("the command was not run: {why}")),
        }
    }

    /// A command sees the edits that were made before it.
    async fn settle(&self, context: &ToolContext) -> Result<(), String> {
        let changes = context.view.changes().clone();
        if let Some((path, _)) = changes.conflicts().next() {
            return Err(format!("the user changed {} where you had; read and edit it again first", context.name(path)));
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.documents.apply(&changes).await?;
        let mut staged = context.view.changes();
        if staged.revision() == changes.revision() {
            // What has been applied is staged no longer.
            drop(staged.accept_all());
        }
        Ok(())
    }
}

impl Tool for Bash {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "Bash".to_owned(),
            description: format!(
                "Runs a command with bash and gives what it printed, errors too, and its exit code. Staged edits reach \
                 the files first. There is no input and no terminal; what still runs at the end is killed. Stops after \
                 {} s unless timeout_seconds says otherwise. No network unless network is true.",
                COMMAND_TIME.as_secs()
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
        Ok(vec![wish(arguments, context)?.access()])
    }

    fn call<'a>(&'a self, permit: Permit, arguments: Map<String, Value>, context: &'a ToolContext) -> Call<'a> {
        Box::pin(async move { self.run(permit, &arguments, context).await })
    }
}

impl Wish {
    fn access(&self) -> Access {
        let Job { command, cwd, network, .. } = &self.job;
        Access::Run { command: command.clone(), cwd: cwd.clone(), network: *network }
    }
}

fn wish(arguments: &Map<String, Value>, context: &ToolContext) -> Result<Wish, BadCall> {
    let arguments: Arguments = tool::read(arguments)?;
    if arguments.command.trim().is_empty() {
        return Err(BadCall("the command is empty".to_owned()));
    }
    if arguments.command.contains('\0') || arguments.command.len() > COMMAND_BYTES_MAX {
        return Err(BadCall(format!("a command has at most {COMMAND_BYTES_MAX} bytes and no NUL; write a script")));
    }
    let time = match arguments.timeout_seconds.map(Duration::from_secs) {
        None => COMMAND_TIME,
        Some(time) if !time.is_zero() && time <= COMMAND_TIME_MAX => time,
        Some(_) => {
            return Err(BadCall(format!("timeout_seconds goes from 1 to {}", COMMAND_TIME_MAX.as_secs())));
        }
    };
    let cwd = folder(arguments.cwd.as_deref().unwrap_or("."), context)?;
    let network = if arguments.network == Some(true) { Network::On } else { Network::Off };
    let workspace = context.workspace.to_path_buf();
    Ok(Wish { job: Job { command: arguments.command, cwd, workspace, network }, time })
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
