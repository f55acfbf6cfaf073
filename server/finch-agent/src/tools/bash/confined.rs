//! bash within the sandbox: what the command is given, and what it sees of the workspace.

use std::{fs, sync::Arc};

use crate::{
    changes::ChangeSet,
    permit::Permitted,
    sandbox::{self, Availability, Grants, Overlay, Sandbox, Scratch, Spec, Staged},
    tool::off_thread,
};

use super::{
    environment::QUIET,
    runner::{Hold, Job, Prepared, Preparing, Runner, Shell},
};

/// Runs every command in the sandbox. Where there is none, it runs only what the user was asked about and allowed for this
/// time.
#[derive(Debug)]
pub struct Confined {
    sandbox: Arc<Sandbox>,
    grants: Grants,
}

impl Confined {
    #[must_use]
    pub fn new(sandbox: Arc<Sandbox>, grants: Grants) -> Self {
        Self { sandbox, grants }
    }

    async fn ready(&self, job: &Job) -> Result<Prepared, String> {
        if let Availability::Unavailable { reason } = self.sandbox.availability().await {
            return without(job, reason).await;
        }
        let (job, grants, sandbox) = (job.clone(), self.grants.clone(), Arc::clone(&self.sandbox));
        let prepared =
            move || within(&job, &grants, &sandbox).map_err(|error| format!("it cannot be prepared: {error}"));
        off_thread(prepared).await.map_err(|outcome| outcome.text)?
    }
}

impl Runner for Confined {
    fn prepare<'a>(&'a self, job: &'a Job) -> Preparing<'a> {
        Box::pin(self.ready(job))
    }
}

/// There is no sandbox.
async fn without(job: &Job, reason: &str) -> Result<Prepared, String> {
    match job.permitted {
        Permitted::ByAnswer => Shell.prepare(job).await,
        Permitted::ByRule => Err(format!(
            "there is no sandbox on this machine ({reason}), so the user must be asked about each command, and was not \
             asked about this one"
        )),
    }
}

/// The keeper with all that it is to be told.
fn within(job: &Job, grants: &Grants, sandbox: &Sandbox) -> std::io::Result<Prepared> {
    let scratch = Scratch::make()?;
    let mut spec = Spec::new(&job.command, &job.workspace, &scratch.temporary(), job.network, job.time);
    spec.cwd.clone_from(&job.cwd);
    spec.scratch = Some(scratch.folder().to_owned());
    spec.writable.clone_from(&grants.writable);
    spec.readable.clone_from(&grants.readable);
    let own =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    spec.environment = sandbox::environment(own, &grants.environment, &job.workspace);
    spec.environment.extend(QUIET.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
    if let Some(changes) = &job.staged {
        spec.overlay = Some(overlay(changes, &scratch)?);
    }
    if cfg!(target_os = "macos") {
        return Ok(Prepared { command: sandbox::with_profile(&spec)?, hold: Hold::Profile(scratch) });
    }
    let (command, line) = sandbox::keeper(sandbox.helper(), &spec)?;
    Ok(Prepared { command, hold: Hold::Keeper { line, scratch } })
}

/// The staged edits, each as a file that the keeper reads.
fn overlay(changes: &ChangeSet, scratch: &Scratch) -> std::io::Result<Overlay> {
    let mut staged = Vec::new();
    for (number, (path, after)) in changes.contents().enumerate() {
        let content = match after {
            Some(bytes) => {
                let content = scratch.contents().join(number.to_string());
                fs::write(&content, bytes)?;
                Some(content)
            }
            None => None,
        };
        staged.push(Staged { path: path.to_owned(), content });
    }
    Ok(Overlay { layers: scratch.layers(), staged })
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
