//! How a command ended that did not end by itself, told in a file where the command cannot write.
//!
//! The exit code of the keeper says it too, but a command may leave with any code: `xargs` with 123, `timeout` with 124.

use std::fs;
use std::path::Path;

/// The file, in the folder around the command's own.
pub(super) const NAME: &str = "report";

/// An end that is the keeper's doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    NotSetUp,
    OutOfTime,
    TooManyProcesses,
}

impl Ending {
    const ALL: [Self; 3] = [Self::NotSetUp, Self::OutOfTime, Self::TooManyProcesses];

    /// As it stands in the file.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NotSetUp => "not-set-up",
            Self::OutOfTime => "out-of-time",
            Self::TooManyProcesses => "too-many-processes",
        }
    }
}

/// What was told; nothing if the command ended by itself. Without the file the keeper did not come as far as to run it.
pub(crate) fn read(scratch: &Path) -> Option<Ending> {
    let Ok(told) = fs::read_to_string(scratch.join(NAME)) else { return Some(Ending::NotSetUp) };
    let word = told.lines().next()?;
    Ending::ALL.into_iter().find(|ending| ending.word() == word)
}
