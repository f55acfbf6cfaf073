//! How good suggestions are, printed and never asserted: `cargo bench --bench eval -- masked MODEL [PLACES]` hides parts
//! of real files and compares what is suggested with what stood there; `-- replay MODEL [FILES]` types real files key by
//! key. `finch lsp` is asked as an editor asks it, and llama.cpp's server on the same weights stands beside it.
//! docs/testing.md says what the options are, docs/benchmarks.md what was printed on which machine.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

mod corpus;
mod document;
mod finch;
#[path = "../bench/home.rs"]
#[expect(dead_code, reason = "the figures beside need more of it")]
mod home;
mod infill;
mod language;
#[path = "../support/llama.rs"]
#[expect(dead_code, reason = "the tests need more of it")]
mod llama;
mod lsp;
mod masked;
mod options;
#[path = "../bench/peer.rs"]
#[expect(dead_code, reason = "the figures beside need more of it")]
mod peer;
mod pin;
mod places;
mod replay;
mod scene;
mod score;
mod script;
mod settings;
mod side;
mod tables;
mod typed_finch;
mod typed_peer;

use anyhow::Result;
use clap::Parser as _;

use crate::options::{Options, What};

fn main() -> Result<()> {
    // Cargo adds a flag of its own.
    let options = Options::parse_from(std::env::args().filter(|argument| argument != "--bench"));
    match options.what {
        What::Masked(options) => masked::print(&options),
        What::Replay(options) => replay::print(&options),
        What::Pin => pin::pin(),
    }
}
