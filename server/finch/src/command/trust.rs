//! `finch trust`: of which workspaces the project's own file is read, answered from a terminal.

use std::path::Path;

use anyhow::Result;

use super::print;
use crate::Exit;
use crate::cli;
use crate::config::project;
use crate::progress::say;
use crate::surroundings::Surroundings;
use crate::trust::Trust;

pub(super) fn run(surroundings: &Surroundings, command: &cli::Trust) -> Result<Exit> {
    let trust = surroundings.trust();
    match command {
        cli::Trust::List => list(&trust),
        cli::Trust::Give { path } => give(surroundings, &trust, path),
        cli::Trust::Forget { path } => forget(&trust, path),
    }
}

fn list(trust: &Trust) -> Result<Exit> {
    let mut answers = trust.list()?;
    answers.retain(|answer| answer.trusted == Some(true));
    if answers.is_empty() {
        say("you trust no workspace yet: no .finch/config.toml is read");
    }
    for answer in answers {
        let path: String = answer.path.to_string_lossy().chars().map(super::visible).collect();
        print(&format!("trusted  {:<20}  {path}\n", answer.at))?;
    }
    Ok(Exit::Done)
}

/// What is wrong in the file is said at once, not only when it counts.
fn give(surroundings: &Surroundings, trust: &Trust, path: &Path) -> Result<Exit> {
    trust.give(path)?;
    let file = project::path(path);
    print(&format!("{}: trusted; {} is read\n", path.display(), file.display()))?;
    if std::fs::canonicalize(path).is_ok_and(|folder| trust.is_broad(&folder)) {
        say("this is a root or holds your home folder, so the trust is in this folder alone and none in it");
    }
    crate::projects::settle(&surroundings.config, path, trust).complaints.iter().for_each(|complaint| say(complaint));
    Ok(Exit::Done)
}

fn forget(trust: &Trust, path: &Path) -> Result<Exit> {
    if trust.distrust(path)? {
        print(&format!("{}: not trusted any more; its .finch/config.toml is not read\n", path.display()))?;
        return Ok(Exit::Done);
    }
    say(&format!("there was no trust in {}; see `finch trust list`", path.display()));
    Ok(Exit::NothingToOffer)
}
