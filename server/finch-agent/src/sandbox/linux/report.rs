//! The file in which the processes of the sandbox tell finch of an end that is theirs.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};

use crate::sandbox::Spec;
use crate::sandbox::report::{Ending, NAME};

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
