//! The first load of a model's files, in a child process that may fail, hang or eat its memory in our place.
//!
//! A model that was never loaded on this machine is loaded by a second `finch` first, with a bound on its time and its
//! memory. What passed is remembered by a sum over its files, and that by what the file system says of them, so that a
//! later load costs a look at each file. Builds that finch made of weights it knows are vouched for and never tried.
//! Called before every load; whoever calls waits, so an editor's door calls it from its loading thread.

mod child;
mod memory;

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use finch_model::Manifest;
use finch_model::manifest::GRAPH_FILE;

pub(crate) use child::{SUBCOMMAND, run as run_child};
use memory::Memory;

use crate::interrupt::Interrupted;
use crate::limits;
use crate::surroundings::Surroundings;

/// Lets a model pass that is known, and tries one that is not.
pub(crate) fn admit(surroundings: &Surroundings, folder: &Path) -> Result<()> {
    let memory = Memory::of(surroundings, folder);
    let manifest = Manifest::read(folder)?;
    if !memory.knows(folder, &manifest)? {
        try_out(surroundings, folder)?;
        memory.remember(folder, &manifest);
    }
    Ok(())
}

/// Remembers a model as one that was tried, or that need not be.
pub(crate) fn vouch(surroundings: &Surroundings, folder: &Path) -> Result<()> {
    Memory::of(surroundings, folder).remember(folder, &Manifest::read(folder)?);
    Ok(())
}

/// Loads a model in a child process.
pub(crate) fn try_out(surroundings: &Surroundings, folder: &Path) -> Result<()> {
    let bytes = Manifest::read(folder)?.bytes();
    let mut command = Command::new(crate::surroundings::own_binary()?);
    command.arg(SUBCOMMAND).arg(folder).arg("--config").arg(&surroundings.config_path);
    command.env("FINCH_HOME", surroundings.home.root());
    // It reads what somebody else made, and needs no key for it.
    for variable in crate::clouds::variables_of_keys() {
        command.env_remove(variable);
    }
    let graph = folder.join(GRAPH_FILE);
    match watch(command, time(bytes))? {
        Outcome::Said(answer) => match answer.lines().last().and_then(child::problem) {
            Some(None) => Ok(()),
            Some(Some(problem)) => bail!("{problem}"),
            None => bail!(
                "{}: the process that loaded it for the first time died; it is damaged, or it takes more than {} MB",
                graph.display(),
                child::space(bytes) / 1_000_000
            ),
        },
        Outcome::Interrupted => Err(Interrupted.into()),
        Outcome::Late => bail!(
            "{}: the first load was given up after {} s; a model of this size is there in less",
            graph.display(),
            time(bytes).as_secs()
        ),
    }
}

fn time(bytes: u64) -> Duration {
    limits::TRIAL_TIME + Duration::from_secs(bytes / limits::TRIAL_BYTES_PER_S)
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It ended, and this is what it wrote.
    Said(String),
    /// It did not end and was killed.
    Late,
    /// A Ctrl-C ended it that came before it had left this process's group.
    Interrupted,
}

/// Runs a command until it ends or its time is over. It sees its input end when this process does.
fn watch(mut command: Command, time: Duration) -> Result<Outcome> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    // Ctrl-C in a terminal is for this process, which decides what becomes of the trial.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().context("starting a process to try the model in")?;
    let output = child.stdout.take().context("the process that tries the model has no output")?;
    let (sender, said) = mpsc::channel();
    let reader = std::thread::Builder::new().name("finch-trial".to_owned()).spawn(move || {
        let mut answer = Vec::new();
        let read = output.take(limits::TRIAL_ANSWER_BYTES).read_to_end(&mut answer);
        // Nobody listens any more once the time is over.
        sender.send(read.map(|_| String::from_utf8_lossy(&answer).into_owned())).ok();
    });
    let said = match &reader {
        Ok(_) => said.recv_timeout(time),
        Err(_) => Err(RecvTimeoutError::Disconnected),
    };
    // Whoever has said everything ends now; whoever has not is ended. One that is over already cannot be killed.
    child.kill().ok();
    let status = child.wait().context("waiting for the process that tries the model")?;
    if is_interrupted(status) {
        return Ok(Outcome::Interrupted);
    }
    match said {
        Ok(answer) => Ok(Outcome::Said(answer.context("reading what the process that tries the model says")?)),
        Err(RecvTimeoutError::Timeout) => Ok(Outcome::Late),
        Err(RecvTimeoutError::Disconnected) => bail!("nobody could listen to the process that tries the model"),
    }
}

#[cfg(unix)]
fn is_interrupted(status: ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(rustix::process::Signal::INT.as_raw())
}

#[cfg(not(unix))]
fn is_interrupted(_status: ExitStatus) -> bool {
    false
}

#[cfg(test)]
mod tests;
