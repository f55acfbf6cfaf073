//! A command that prints a key: bounded in time and in what is read, and nothing it says is shown.
//!
//! The key is the first line of its output. It gets no input, no other key of the environment, and on Unix a process
//! group of its own, which is ended at the deadline with all that it has started.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use finch_llm::cloud::{BadKey, Key};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use super::Stop;
use crate::config::KeyCommand;
use crate::limits;

/// Why a command gave no key. Nothing of its output is in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    #[error("cannot be started: {0}; check that the program is there")]
    NotStarted(std::io::Error),
    #[error("cannot be read: {0}")]
    Unreadable(std::io::Error),
    #[error("did not end within {0:?}; run it by hand to see what it waits for")]
    TooSlow(Duration),
    #[error("wrote more than {} KiB, and a key is one line; check what it prints", limits::KEY_COMMAND_BYTES_MAX >> 10)]
    TooLong,
    #[error("failed ({0}); run it by hand to see why")]
    Failed(ExitStatus),
    #[error("gave no key: {0}; its first line must be the key alone")]
    NoKey(BadKey),
    #[error("was ended with finch")]
    Stopped,
    #[error("broke off; run it by hand to see why")]
    Panicked,
}

/// What a command may see, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds<'a> {
    /// Variables of the environment that it does not get.
    pub(super) hidden: &'a [&'a str],
    pub(super) wait: Duration,
    pub(super) stop: &'a Stop,
}

/// Runs the command and takes the key. On a thread of its own, for the caller may be within a runtime, and waits.
pub(super) fn key(command: &KeyCommand, bounds: &Bounds<'_>) -> Result<Key, CommandError> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(CommandError::NotStarted)?.block_on(printed(command, bounds))
    };
    let output = std::thread::scope(|scope| scope.spawn(run).join()).map_err(|_| CommandError::Panicked)??;
    let text = String::from_utf8(output).map_err(|_| CommandError::NoKey(BadKey::Characters))?;
    Key::new(text.lines().next().unwrap_or_default()).map_err(CommandError::NoKey)
}

async fn printed(command: &KeyCommand, bounds: &Bounds<'_>) -> Result<Vec<u8>, CommandError> {
    let Bounds { hidden, wait, stop } = *bounds;
    let mut child = process(command, hidden).spawn().map_err(CommandError::NotStarted)?;
    let answer = tokio::select! {
        answer = tokio::time::timeout(wait, output_of(&mut child)) => answer.unwrap_or(Err(CommandError::TooSlow(wait))),
        () = stopped(stop) => Err(CommandError::Stopped),
    };
    match answer {
        Ok(output) => Ok(output),
        Err(error) => {
            end(&mut child).await;
            Err(error)
        }
    }
}

async fn stopped(stop: &Stop) {
    match stop {
        Stop::Never => std::future::pending().await,
        Stop::With(sender) => {
            let mut sender = sender.clone();
            while sender.changed().await.is_ok() {}
        }
    }
}

pub(super) fn process(command: &KeyCommand, hidden: &[&str]) -> Command {
    let mut process = match command {
        KeyCommand::Shell(line) => shell(line),
        KeyCommand::Program(words) => {
            let mut process = Command::new(words.first().map(String::as_str).unwrap_or_default());
            process.args(words.iter().skip(1));
            process
        }
    };
    for variable in hidden {
        process.env_remove(variable);
    }
    #[cfg(unix)]
    process.process_group(0);
    process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    process
}

#[cfg(unix)]
fn shell(line: &str) -> Command {
    let mut process = Command::new("/bin/sh");
    process.args(["-c", line]);
    process
}

#[cfg(not(unix))]
fn shell(line: &str) -> Command {
    let mut process = Command::new("cmd");
    process.args(["/C", line]);
    process
}

async fn output_of(child: &mut Child) -> Result<Vec<u8>, CommandError> {
    let mut output = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        let most = limits::KEY_COMMAND_BYTES_MAX as u64 + 1;
        pipe.take(most).read_to_end(&mut output).await.map_err(CommandError::Unreadable)?;
    }
    if output.len() > limits::KEY_COMMAND_BYTES_MAX {
        return Err(CommandError::TooLong);
    }
    let status = child.wait().await.map_err(CommandError::Unreadable)?;
    if status.success() { Ok(output) } else { Err(CommandError::Failed(status)) }
}

/// Ends the command with all that it has started.
async fn end(child: &mut Child) {
    // Invariant: it was not waited for if it has an id, so no other process has that id.
    #[cfg(unix)]
    if let Some(group) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
        // It may have ended meanwhile.
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
    }
    child.kill().await.ok();
}
