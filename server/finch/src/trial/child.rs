//! The child's side of a trial: bounds itself, loads the model, and says in one line how that went.
//!
//! The line is JSON: `{"problem": null}` where the model loads. A child that dies says nothing. It ends itself when its
//! input does, which is when its parent is gone.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use finch_engine::trial;
use finch_model::Manifest;
use serde_json::{Value, json};

use crate::limits;
use crate::local;
use crate::surroundings::Surroundings;

/// What the child is called with; no user types it.
pub(crate) const SUBCOMMAND: &str = "try-model";

/// Loads a model under bounds; what there is to say on stdout.
pub(crate) fn run(surroundings: &Surroundings, folder: &Path) -> Result<String> {
    end_with_the_parent()?;
    let problem = match load(surroundings, folder) {
        Ok(()) => Value::Null,
        Err(error) => format!("{error:#}").into(),
    };
    Ok(format!("{}\n", json!({ "problem": problem })))
}

fn load(surroundings: &Surroundings, folder: &Path) -> Result<()> {
    bound(Manifest::read(folder)?.bytes())?;
    Ok(trial::run(&local::runtime(surroundings)?, folder, local::options(surroundings).kernels)?)
}

/// Reads the line: none if it is no such line, the problem if there is one.
pub(super) fn problem(line: &str) -> Option<Option<String>> {
    let answer: Value = serde_json::from_str(line).ok()?;
    match answer.get("problem")? {
        Value::Null => Some(None),
        Value::String(problem) => Some(Some(problem.clone())),
        _ => None,
    }
}

/// The address space for a model of so many bytes.
pub(super) fn space(bytes: u64) -> u64 {
    limits::TRIAL_SPACE_BYTES.saturating_add(bytes.saturating_mul(limits::TRIAL_SPACE_PER_BYTE))
}

fn end_with_the_parent() -> Result<()> {
    let watch = || {
        // Nobody writes there: it ends, or cannot be read, when the parent is gone.
        std::io::stdin().lock().read_to_end(&mut Vec::new()).ok();
        std::process::abort();
    };
    std::thread::Builder::new().name("finch-parent".to_owned()).spawn(watch).context("starting a thread")?;
    Ok(())
}

#[cfg(unix)]
fn bound(bytes: u64) -> Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let seconds = super::time(bytes).as_secs() * limits::TRIAL_PROCESSOR_SHARE;
    for (resource, most) in [(Resource::As, space(bytes)), (Resource::Cpu, seconds), (Resource::Core, 0)] {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit).with_context(|| format!("bounding {resource:?} at {most}"))?;
    }
    Ok(())
}

/// Here only the time is bounded, by the parent.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
fn bound(_bytes: u64) -> Result<()> {
    Ok(())
}
