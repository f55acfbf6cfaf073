//! The commands: each reads what it needs, does one thing and says how it ended.

mod answerer;
mod ask;
mod complete;
mod config;
mod consent;
mod daemon;
mod doctor;
mod feedback;
mod ledger;
mod lsp;
mod model;
mod plan;
mod setup;
mod stats;
mod table;
mod trust;
mod undo;

use std::io::Write as _;

use anyhow::{Context as _, Result};

use crate::Exit;
use crate::cli::{Cli, Command};
#[cfg(unix)]
use crate::limits::FILES_MIN;
use crate::surroundings::Surroundings;
use crate::trial;

/// Carries out a command line.
pub(crate) fn run(cli: Cli) -> Result<Exit> {
    match cli.command {
        Command::Config(command) => config::run(&cli.global, &command),
        Command::Lsp => lsp::run(Surroundings::read(&cli.global)?),
        Command::Complete(arguments) => complete::run(Surroundings::read(&cli.global)?, &arguments),
        Command::Ask(arguments) => ask::run(Surroundings::read(&cli.global)?, &arguments),
        Command::Plan(arguments) => plan::run(Surroundings::read(&cli.global)?, &arguments),
        Command::Undo(arguments) => undo::run(Surroundings::read(&cli.global)?, &arguments),
        Command::Setup(arguments) => setup::run(&Surroundings::read(&cli.global)?, &arguments),
        Command::Model(command) => model::run(&Surroundings::read(&cli.global)?, command),
        Command::Stats(arguments) => stats::run(&Surroundings::read(&cli.global)?, &arguments),
        Command::Feedback(command) => feedback::run(&Surroundings::read(&cli.global)?, command),
        Command::Ledger(arguments) => ledger::run(&Surroundings::read(&cli.global)?, &arguments),
        Command::Consent(command) => consent::run(&Surroundings::read(&cli.global)?, &command),
        Command::Trust(command) => trust::run(&Surroundings::read(&cli.global)?, &command),
        Command::Daemon(command) => daemon::run(&cli.global, &command),
        Command::Doctor(arguments) => doctor::run(Surroundings::read_whatever_it_says(&cli.global)?, &arguments),
        Command::TryModel { folder } => {
            print(&trial::run_child(&Surroundings::read(&cli.global)?, &folder)?)?;
            Ok(Exit::Done)
        }
    }
}

/// Writes a command's result to stdout.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to stdout")
}

/// What of foreign text a terminal may see: it obeys control characters.
fn visible(character: char) -> char {
    if character.is_control() { ' ' } else { character }
}

/// The runtime for the asynchronous part of a command.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    enough_files()?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // They hand on what a model computes. Those that wait for files or programs get no more of the processor by it.
        .on_thread_start(finch_engine::go_first)
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")
}

/// The runtime panics where it finds too few file descriptors for itself.
#[cfg(unix)]
fn enough_files() -> Result<()> {
    use rustix::process::{Resource, getrlimit};
    match getrlimit(Resource::Nofile).current {
        Some(count) if count < FILES_MIN => {
            anyhow::bail!(
                "a process may open {count} files here, and finch needs {FILES_MIN}; raise that with `ulimit -n`"
            )
        }
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
fn enough_files() -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn foreign_text_cannot_command_a_terminal() {
        assert_eq!("a\u{1b}[2Jé\n".chars().map(visible).collect::<String>(), "a [2Jé ");
    }
}
