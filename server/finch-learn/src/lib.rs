//! The journal: what became of each suggestion and what people said of it, in files that only this machine reads.
//!
//! In reading order: [`record`] is a line of it; a [`Journal`] takes records and writes them on a thread of its own
//! (`queue`, `writer`, `segment`); [`read`] gives them back, whatever state the files are in; [`stats`] counts,
//! [`past`] finds a suggestion or feedback again; [`forget()`] removes feedback for good, and `tidy` keeps the files
//! within their bounds. It knows no editor, no model and no clock: times are passed in.

mod forget;
mod journal;
mod limits;
pub mod past;
mod queue;
pub mod read;
pub mod record;
mod segment;
pub mod stats;
mod tidy;
mod writer;

pub use forget::{Forgot, Which, forget};
pub use journal::{Collect, Journal, JournalError};
pub use limits::{LINE_BYTES_MAX, NOTE_BYTES_MAX, TEXT_BYTES_MAX, WEIGHT_MAX, WEIGHT_MIN};
