//! The finch binary: arguments, configuration and the composition root.
//!
//! Libraries return errors as enums; here they get their context and become one message on stderr and an exit
//! code. stdout carries a command's result, or the language server's protocol, and nothing else.

mod acceptance;
mod agent;
mod attached;
mod calendar;
mod choice;
mod cli;
mod clouds;
mod command;
mod config;
mod confinement;
mod daemon;
mod install;
mod interrupt;
mod ledger;
mod limits;
mod local;
mod place;
mod progress;
mod projects;
mod routing;
mod services;
mod setup;
mod surroundings;
mod terminal_asker;
mod trial;
mod trust;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::interrupt::Interrupted;

/// How a command ended, as its exit code tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Failed,
    NothingToOffer,
    /// The user stopped it.
    Interrupted,
}

impl Exit {
    fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::NothingToOffer => 3,
            // What shells report of a command that Ctrl-C ended.
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

fn main() -> ExitCode {
    // A keeper of a command is nothing else: it starts no thread, reads no configuration and writes no log.
    if std::env::args_os().nth(1).is_some_and(|first| first == confinement::SUBCOMMAND) {
        return finch_agent::sandbox::helper_main();
    }
    keep_the_runtime_quiet();
    let cli = cli::Cli::parse();
    if !cli.command.logs_itself() {
        log_to(std::io::stderr, level(cli.global.verbose));
    }
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was already installed");
    }
    match command::run(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            // Nobody is left to tell when stderr is closed too.
            let told = writeln!(std::io::stderr(), "finch: {error:#}");
            drop(told);
            if error.is::<Interrupted>() { Exit::Interrupted.into() } else { Exit::Failed.into() }
        }
    }
}

/// ONNX Runtime reports to its makers from the moment it is loaded, and switching that off in its environment comes too
/// late for what it says first. It asks this variable before.
#[expect(unsafe_code, reason = "the environment is written before there is a second thread")]
fn keep_the_runtime_quiet() {
    // SAFETY: `main` has done nothing before, and no other thread exists that could read the environment meanwhile.
    unsafe { std::env::set_var(finch_engine::runtime::QUIET, "1") };
}

fn level(verbose: u8) -> LevelFilter {
    match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    }
}

fn log_to(place: impl for<'a> MakeWriter<'a> + Send + Sync + 'static, level: LevelFilter) {
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(place)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
}
