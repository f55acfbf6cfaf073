//! The `finch` settings of a run, and a FINCH_HOME that borrows the installed models and nothing else.

use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::home;

/// A source of context that can be switched off: `finch.completion.context.NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Source {
    Path,
    Definitions,
    Recent,
    Edits,
    Diagnostics,
}

impl Source {
    pub(crate) const ALL: [Self; 5] = [Self::Path, Self::Definitions, Self::Recent, Self::Edits, Self::Diagnostics];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Definitions => "definitions",
            Self::Recent => "recent",
            Self::Edits => "edits",
            Self::Diagnostics => "diagnostics",
        }
    }
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
pub(crate) fn settings(without: &[Source], prompt_tokens_max: Option<usize>, deadline: Deadline) -> Value {
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
