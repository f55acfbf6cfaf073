//! `finch config`: where the configuration is, whether it is right, and its schema.

use std::path::Path;

use anyhow::Result;

use super::print;
use crate::Exit;
use crate::cli::{self, Global};
use crate::clouds;
use crate::config::migrate::{self, Outcome};
use crate::config::{Config, Place, Problem, Reading};
use crate::confinement;
use crate::surroundings;

pub(super) fn run(global: &Global, command: &cli::Config) -> Result<Exit> {
    match command {
        cli::Config::Path => print(&format!("{}\n", surroundings::config_path(global)?.display()))?,
        cli::Config::Schema => print(&format!("{:#}\n", Config::schema()))?,
        cli::Config::Check => return check(global),
        cli::Config::Migrate => print(&migrate(&surroundings::config_path(global)?)?)?,
    }
    Ok(Exit::Done)
}

fn migrate(path: &Path) -> Result<String> {
    Ok(match migrate::apply(path)? {
        Outcome::Rewritten { backup } => {
            format!("rewrote {}; the old file is {}\n", path.display(), backup.display())
        }
        Outcome::NothingToDo => format!("{}: nothing of an earlier program in it\n", path.display()),
    })
}

/// What of `[agent]` commands are not given.
fn refused(config: &Config, path: &Path) -> Result<Vec<Problem>> {
    let place = Place { file: path.to_owned(), line: 1, column: 1 };
    let refused = confinement::grants(&config.agent, &surroundings::home()?).1;
    Ok(refused.iter().map(|refused| place.problem(&format!("agent: {refused}"))).collect())
}

fn check(global: &Global) -> Result<Exit> {
    let path = surroundings::config_path(global)?;
    let Reading { config, mut notes } = Config::load(&path)?;
    notes.problems.extend(clouds::specs(&config, None, surroundings::variable).1);
    notes.problems.extend(refused(&config, &path)?);
    let notes = notes.into_sorted();
    for note in &notes {
        crate::progress::say(&note.to_string());
    }
    if !notes.is_empty() {
        return Ok(Exit::Failed);
    }
    match path.is_file() {
        true => print(&format!("{}: no problems\n", path.display()))?,
        false => print(&format!("{}: not there; the defaults are used\n", path.display()))?,
    }
    Ok(Exit::Done)
}
