//! How a command ended that did not end by itself, told in a file where the command cannot write.
//!
//! The exit code of the keeper says it too, but a command may leave with any code: `xargs` with 123, `timeout` with 124.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use super::Spec;

const NAME: &str = "report";

/// An end that is the keeper's doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    NotSetUp,
    OutOfTime,
    TooManyProcesses,
}

impl Ending {
    const ALL: [Self; 3] = [Self::NotSetUp, Self::OutOfTime, Self::TooManyProcesses];

    fn word(self) -> &'static str {
        match self {
            Self::NotSetUp => "not-set-up",
            Self::OutOfTime => "out-of-time",
            Self::TooManyProcesses => "too-many-processes",
        }
    }
}

/// The open file: opened before the rights are given up, and closed to the command.
pub(super) struct Report(Option<File>);

impl Report {
    pub(super) fn open(spec: &Spec) -> io::Result<Self> {
        let Some(scratch) = &spec.scratch else { return Ok(Self(None)) };
        Ok(Self(Some(OpenOptions::new().create(true).append(true).open(scratch.join(NAME))?)))
    }

    pub(super) fn tell(&mut self, ending: Ending) {
        // The exit code says it too.
        let _is_untold = self.0.as_mut().is_some_and(|file| writeln!(file, "{}", ending.word()).is_err());
    }
}

/// What was told; nothing if the command ended by itself. Without the file the keeper did not come as far as to run it.
pub(crate) fn read(scratch: &Path) -> Option<Ending> {
    let Ok(told) = fs::read_to_string(scratch.join(NAME)) else { return Some(Ending::NotSetUp) };
    let word = told.lines().next()?;
    Ending::ALL.into_iter().find(|ending| ending.word() == word)
}
