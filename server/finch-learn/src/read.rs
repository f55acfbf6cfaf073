//! Reads the journal, in whatever state its files are.
//!
//! A line that is torn, too long, no record or of a later version is passed over and counted; nothing here fails for
//! what is in a file, and a line costs no more memory than its bound.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use crate::limits::LINE_BYTES_MAX;
use crate::record::{Record, SCHEMA};
use crate::segment;

/// Lines that were passed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skipped {
    /// The last line of a file, cut off by the end of its process.
    pub torn: u64,
    /// Longer than a record can be.
    pub too_long: u64,
    /// No record.
    pub damaged: u64,
    /// A kind or version of record that this finch does not know.
    pub unknown: u64,
}

impl Skipped {
    #[must_use]
    pub fn total(&self) -> u64 {
        self.torn + self.too_long + self.damaged + self.unknown
    }

    fn count(&mut self, line: &Line<'_>) {
        match line {
            Line::Record(..) => {}
            Line::Unknown(_) => self.unknown += 1,
            Line::Damaged => self.damaged += 1,
            Line::TooLong => self.too_long += 1,
            Line::Torn => self.torn += 1,
        }
    }
}

/// One line of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Line<'a> {
    /// A record, and the bytes it was read from.
    Record(Box<Record>, &'a [u8]),
    /// Something that a later version may know.
    Unknown(&'a [u8]),
    Damaged,
    TooLong,
    Torn,
}

/// Shows every record of the journal in `folder` to `see`, and says what was passed over.
///
/// # Errors
/// When the folder or a file cannot be read. A folder that is not there holds nothing.
pub fn records(folder: &Path, mut see: impl FnMut(Record)) -> io::Result<Skipped> {
    let mut skipped = Skipped::default();
    for segment in segment::all(folder)? {
        let file = match File::open(&segment.path) {
            Ok(file) => file,
            // Removed since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        lines(BufReader::new(file), |line| {
            skipped.count(&line);
            if let Line::Record(record, _) = line {
                see(*record);
            }
        })?;
    }
    Ok(skipped)
}

/// Shows every line to `see`.
///
/// # Errors
/// When the input fails.
pub fn lines(mut input: impl BufRead, mut see: impl FnMut(Line<'_>)) -> io::Result<()> {
    let mut line = Vec::new();
    let mut is_too_long = false;
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            break;
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        is_too_long |= line.len() + part.len() > LINE_BYTES_MAX;
        if is_too_long {
            line.clear();
        } else {
            line.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            match is_too_long {
                true => see(Line::TooLong),
                false if line.iter().all(u8::is_ascii_whitespace) => {}
                false => see(parse(&line)),
            }
            line.clear();
            is_too_long = false;
        }
    }
    if is_too_long || !line.is_empty() {
        see(Line::Torn);
    }
    Ok(())
}

fn parse(line: &[u8]) -> Line<'_> {
    /// What every version of the format has.
    #[derive(Deserialize)]
    struct Head {
        schema: u32,
        event: String,
    }
    const KNOWN: [&str; 6] = ["shown", "accepted", "rejected", "kept", "feedback", "forgotten"];
    match serde_json::from_slice::<Record>(line) {
        Ok(record) => Line::Record(Box::new(record), line),
        Err(_) => match serde_json::from_slice::<Head>(line) {
            Ok(head) if head.schema > SCHEMA || !KNOWN.contains(&head.event.as_str()) => Line::Unknown(line),
            Ok(_) | Err(_) => Line::Damaged,
        },
    }
}

#[cfg(test)]
mod tests;
