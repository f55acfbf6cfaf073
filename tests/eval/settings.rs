//! The `finch` settings of a run, and a FINCH_HOME that borrows the installed models and nothing else.

use std::path::Path;

use anyhow::Result;
use finch_complete::ContextSource;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::home;

/// A source by the name of its switch, `finch.completion.context.NAME`.
pub(crate) fn source(name: &str) -> Result<ContextSource, String> {
    let known = ContextSource::ALL.map(ContextSource::name);
    let found = ContextSource::ALL.into_iter().find(|source| source.name() == name);
    found.ok_or_else(|| format!("there is no source {name}; there are {}", known.join(", ")))
}

/// How long an answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// finch's own.
    Usual,
    /// So long that what is said does not depend on the machine.
    Far,
}

const FAR_MS: u32 = 60_000;

/// The settings with some sources off; what is not given is left to finch.
pub(crate) fn settings(without: &[ContextSource], prompt_tokens_max: Option<usize>, deadline: Deadline) -> Value {
    let off: Map<String, Value> = without.iter().map(|source| (source.name().to_owned(), json!(false))).collect();
    let mut completion = Map::new();
    if !off.is_empty() {
        completion.insert("context".to_owned(), off.into());
    }
    if let Some(tokens) = prompt_tokens_max {
        completion.insert("prompt_tokens_max".to_owned(), json!(tokens));
    }
    if deadline == Deadline::Far {
        completion.insert("deadline_ms".to_owned(), json!(FAR_MS));
    }
    json!({ "completion": completion })
}

/// An empty FINCH_HOME with the models of the real one, so that a run leaves nothing behind and finds nothing of others.
pub(crate) fn borrowed_home(model: &str) -> Result<TempDir> {
    let real = home::home()?;
    home::model(model)?;
    let folder = tempfile::tempdir()?;
    for name in ["models", "runtime"] {
        if real.join(name).is_dir() {
            link(&std::path::absolute(real.join(name))?, &folder.path().join(name))?;
        }
    }
    std::fs::write(folder.path().join("config.toml"), format!("[engine]\nmodel = \"{model}\"\n"))?;
    Ok(folder)
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> Result<()> {
    Ok(std::os::unix::fs::symlink(to, at)?)
}

#[cfg(windows)]
fn link(to: &Path, at: &Path) -> Result<()> {
    Ok(std::os::windows::fs::symlink_dir(to, at)?)
}
