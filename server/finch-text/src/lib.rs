//! Documents as an editor sees them: text, positions in it, and changes to it.
//!
//! A [`Document`] is a rope: a clone is a cheap snapshot and a change costs the same in a small file and in
//! a large one. This crate knows no protocol types, no files and no runtime; the language server and the
//! completer call it. Nothing here panics, whatever positions an editor sends.

mod document;
mod position;

pub use document::Document;
pub use position::{Change, Position, PositionEncoding, Range};
