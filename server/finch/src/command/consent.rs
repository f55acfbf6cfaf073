//! `finch consent`: whether text of a workspace may go to a cloud, answered from a terminal.

use std::path::Path;

use anyhow::Result;
use finch_llm::router::Consent;

use super::print;
use crate::Exit;
use crate::cli;
use crate::progress::say;
use crate::surroundings::Surroundings;
use crate::trust::Trust;

pub(super) fn run(surroundings: &Surroundings, command: &cli::Consent) -> Result<Exit> {
    let trust = surroundings.trust();
    match command {
        cli::Consent::List => list(&trust),
        cli::Consent::Give { path } => {
            answer(&trust, path, Consent::Given, "text of files in it may go to the clouds you configured")
        }
        cli::Consent::Refuse { path } => {
            answer(&trust, path, Consent::Refused, "no text of files in it goes to a cloud")
        }
        cli::Consent::Forget { path } => forget(&trust, path),
    }
}

fn list(trust: &Trust) -> Result<Exit> {
    let answers: Vec<_> = trust.list()?.into_iter().filter_map(|answer| Some((answer.cloud?, answer))).collect();
    if answers.is_empty() {
        say(
            "no answers yet: text goes to a cloud only after you have agreed to it for a folder, or for all in config.toml",
        );
    }
    for (cloud, answer) in answers {
        let path: String = answer.path.to_string_lossy().chars().map(super::visible).collect();
        print(&format!("{:<7}  {:<20}  {path}\n", cloud.name(), answer.at))?;
    }
    Ok(Exit::Done)
}

fn answer(trust: &Trust, path: &Path, consent: Consent, meaning: &str) -> Result<Exit> {
    trust.answer(path, consent)?;
    print(&format!("{}: {meaning}\n", path.display()))?;
    if std::fs::canonicalize(path).is_ok_and(|folder| trust.is_broad(&folder)) {
        say("this is a root or holds your home folder, so the answer is about this folder alone and none in it");
    }
    Ok(Exit::Done)
}

fn forget(trust: &Trust, path: &Path) -> Result<Exit> {
    if trust.forget(path)? {
        print(&format!("{}: forgotten; finch asks again before text of it goes to a cloud\n", path.display()))?;
        return Ok(Exit::Done);
    }
    say(&format!("there is no answer for {}; see `finch consent list`", path.display()));
    Ok(Exit::NothingToOffer)
}
