//! How far a build has come: what lets an interrupted import go on where it stopped.
//!
//! One line for each time the weights so far were made durable: how many of the plan are written, and how many bytes they
//! take. Invariant: a line is written after the bytes it speaks of. Called by `import`, which keeps it beside the weights.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const FILE: &str = "progress";

/// Weights that are written and durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) weights: usize,
    pub(super) bytes: u64,
}

#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens the journal of a part directory, and says how far an earlier import came.
    pub(super) fn open(part: &Path) -> io::Result<(Journal, Done)> {
        let path = part.join(FILE);
        let done = match fs::read_to_string(&path) {
            Ok(text) => last(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Done::default(),
            Err(error) => return Err(error),
        };
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        Ok((Journal { path, file }, done))
    }

    pub(super) fn note(&mut self, done: Done) -> io::Result<()> {
        writeln!(self.file, "{} {}", done.weights, done.bytes)
    }

    /// The build is whole.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(self.path)
    }
}

/// The last whole line; a line that was cut counts for nothing.
fn last(text: &str) -> Done {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parsed = whole.lines().next_back().and_then(|line| {
        let (weights, bytes) = line.split_once(' ')?;
        Some(Done { weights: weights.parse().ok()?, bytes: bytes.parse().ok()? })
    });
    parsed.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_count() {
        let check = |text: &str, weights, bytes| assert_eq!(last(text), Done { weights, bytes }, "{text:?}");
        check("", 0, 0);
        check("3 4096\n", 3, 4096);
        check("3 4096\n7 9000\n", 7, 9000);
        check("3 4096\n7 90", 3, 4096);
        check("three\n", 0, 0);
    }
}
