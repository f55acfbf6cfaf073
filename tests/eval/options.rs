//! What can be asked of the evaluation.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use finch_complete::ContextSource;

use crate::infill::Limits;
use crate::language::Language;
use crate::places::Kind;
use crate::settings;

#[derive(Debug, Parser)]
#[command(name = "eval")]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) what: What,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Hides parts of files and compares what is suggested with what stood there
    Masked(Masked),
    /// Types files key by key and counts the keys that suggestions save
    Replay(Replay),
    /// Writes tests/eval/corpus.toml anew from the packages that it names
    Pin,
}

/// What both ways of asking share.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// An installed model
    pub(crate) model: String,
    /// Switch a source of context off
    #[arg(long, value_delimiter = ',', value_parser = settings::source)]
    pub(crate) without: Vec<ContextSource>,
    /// Prompt tokens of both sides; by default what finch takes by itself
    #[arg(long)]
    pub(crate) budget: Option<usize>,
    /// Files of the same package that are visited first
    #[arg(long, default_value_t = 4)]
    pub(crate) neighbours: usize,
    /// How llama.cpp is asked
    #[arg(long, value_enum)]
    pub(crate) peer: Option<Limits>,
    /// Threads of llama.cpp, by default all; one is faster than two beside other work
    #[arg(long)]
    pub(crate) peer_threads: Option<usize>,
    /// Do not ask finch
    #[arg(long)]
    pub(crate) peer_alone: bool,
    /// The name by which the client calls itself
    #[arg(long, default_value = "Visual Studio Code")]
    pub(crate) client: String,
    /// Another build of finch, to compare it with
    #[arg(long)]
    pub(crate) binary: Option<PathBuf>,
    /// Languages to ask about
    #[arg(long, value_delimiter = ',')]
    pub(crate) language: Vec<Language>,
    /// Write each answer as a line of JSON
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Stop after so many minutes
    #[arg(long, default_value_t = 240)]
    pub(crate) minutes: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Masked {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Places to ask about
    #[arg(default_value_t = 200)]
    pub(crate) places: usize,
    /// Places to pass over first
    #[arg(long, default_value_t = 0)]
    pub(crate) skip: usize,
    /// Kinds of places
    #[arg(long, value_delimiter = ',')]
    pub(crate) kind: Vec<Kind>,
    /// Ask once more without each source of context, and without all
    #[arg(long)]
    pub(crate) each_source: bool,
    /// Print so many examples of each way to be wrong
    #[arg(long, default_value_t = 0)]
    pub(crate) examples: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Files to type
    #[arg(default_value_t = 4)]
    pub(crate) files: usize,
    /// Files to pass over first
    #[arg(long, default_value_t = 0)]
    pub(crate) skip: usize,
    /// Characters of each file
    #[arg(long, default_value_t = 1_500)]
    pub(crate) keys: usize,
    /// Milliseconds between two keys where the typist does not look up
    #[arg(long, default_value_t = 30)]
    pub(crate) gap_ms: u64,
}

/// The chosen ones, or all.
pub(crate) fn or_all<T: Copy>(chosen: &[T], all: &[T]) -> Vec<T> {
    if chosen.is_empty() { all.to_vec() } else { chosen.to_vec() }
}
