//! Keeps the files within their bounds, and removes for good what was forgotten.
//!
//! Invariant: a file is rewritten as a whole or not at all, never while a process appends to it, and by one process at
//! a time. Feedback goes last: an old file loses everything else first, and only if feedback alone is too much do the
//! oldest files go.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;

use crate::limits::{JOURNAL_BYTES_MAX, LOCK_AGE_MS_MAX, SEGMENT_AGE_MS_MAX, SEGMENTS_MAX};
use crate::past;
use crate::read::{self, Line};
use crate::record::{Event, Record};
use crate::segment::{self, Claim, Segment};

/// All there is to do, once in the life of a process.
pub(crate) fn tidy(folder: &Path, now_ms: u64) -> io::Result<()> {
    sweep(folder)?;
    let lock = segment::lock_folder(folder)?;
    shrink(folder, now_ms, Bounds::default())?;
    for (path, started_ms) in segment::stray_locks(folder)? {
        // A younger one may be that of a process which is just about to make its file.
        if now_ms.saturating_sub(started_ms) > LOCK_AGE_MS_MAX {
            drop(Claim::take(path));
        }
    }
    drop(lock);
    Ok(())
}

/// What was forgotten, and the suggestions it was about.
#[derive(Debug, Default)]
struct Gone {
    feedback: HashSet<u64>,
    suggestions: HashSet<(String, u64)>,
}

/// Removes what was forgotten from every file that nobody writes to. Says how many files are left with some of it.
pub(crate) fn sweep(folder: &Path) -> io::Result<usize> {
    let lock = segment::lock_folder(folder)?;
    let mut gone = Gone::default();
    read::records(folder, |record| {
        if let Event::Forgotten(forgotten) = &record.event {
            gone.feedback.insert(forgotten.feedback);
            gone.suggestions.insert((record.about.session, record.about.suggestion));
        }
    })?;
    let mut left = 0;
    if !gone.feedback.is_empty() {
        for segment in segment::all(folder)? {
            left += usize::from(sweep_segment(&segment, &gone)? == Swept::Left);
        }
    }
    drop(lock);
    Ok(left)
}

#[derive(Debug, PartialEq, Eq)]
enum Swept {
    Clean,
    Left,
}

fn sweep_segment(segment: &Segment, gone: &Gone) -> io::Result<Swept> {
    if rewritten(segment, |record| gone.rest_of(record))?.is_none() {
        return Ok(Swept::Clean);
    }
    let Some(claim) = segment.claim() else { return Ok(Swept::Left) };
    // It may have grown between the reading and the claim.
    if let Some(content) = rewritten(segment, |record| gone.rest_of(record))? {
        segment.replace(&content)?;
    }
    drop(claim);
    Ok(Swept::Clean)
}

/// What to do with a record.
enum Rest {
    Same,
    Other(Box<Record>),
    Nothing,
}

impl Gone {
    fn rest_of(&self, record: &Record) -> Rest {
        let is_about_it = || self.suggestions.contains(&(record.about.session.clone(), record.about.suggestion));
        match past::id_of(record) {
            Some(id) if self.feedback.contains(&id) => Rest::Nothing,
            _ if record.has_text() && is_about_it() => Rest::Other(Box::new(record.clone().without_text())),
            _ => Rest::Same,
        }
    }
}

/// What a file holds after a change to its records; `None` if that changes nothing. Whatever is damaged goes too: it
/// may be a piece of what should go.
fn rewritten(segment: &Segment, rest_of: impl Fn(&Record) -> Rest) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    let mut is_other = false;
    let file = match File::open(&segment.path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    read::lines(BufReader::new(file), |line| {
        let kept = match line {
            Line::Record(record, bytes) => match rest_of(&record) {
                Rest::Same => Some(bytes.to_vec()),
                Rest::Other(other) => {
                    is_other = true;
                    serde_json::to_vec(&other).ok()
                }
                Rest::Nothing => {
                    is_other = true;
                    None
                }
            },
            Line::Unknown(bytes) => Some(bytes.to_vec()),
            Line::Damaged | Line::TooLong | Line::Torn => None,
        };
        if let Some(kept) = kept {
            content.extend_from_slice(&kept);
            content.push(b'\n');
        }
    })?;
    Ok(is_other.then_some(content))
}

/// How much may lie in the folder.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    bytes: u64,
    segments: usize,
    age_ms: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: JOURNAL_BYTES_MAX, segments: SEGMENTS_MAX, age_ms: SEGMENT_AGE_MS_MAX }
    }
}

/// Oldest first: files lose all but feedback, and if that is not enough, files go.
fn shrink(folder: &Path, now_ms: u64, bounds: Bounds) -> io::Result<()> {
    for cut in [Cut::ToFeedback, Cut::Away] {
        let mut segments = Vec::new();
        for segment in segment::all(folder)? {
            let bytes = fs::metadata(&segment.path)?.len();
            segments.push((segment, bytes));
        }
        let mut bytes: u64 = segments.iter().map(|(_, bytes)| bytes).sum();
        let mut count = segments.len();
        for (segment, size) in segments {
            let is_old = cut == Cut::ToFeedback && now_ms.saturating_sub(segment.started_ms()) > bounds.age_ms;
            if !is_old && bytes <= bounds.bytes && count <= bounds.segments {
                break;
            }
            let left = cut.apply(&segment, size)?;
            bytes -= size - left.min(size);
            count -= usize::from(left == 0 && size > 0);
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    ToFeedback,
    Away,
}

impl Cut {
    /// Bytes that are left of the file.
    fn apply(self, segment: &Segment, size: u64) -> io::Result<u64> {
        let Some(claim) = segment.claim() else { return Ok(size) };
        let content = match self {
            Self::Away => Some(Vec::new()),
            Self::ToFeedback => rewritten(segment, |record| match record.event {
                Event::Feedback(_) | Event::Forgotten(_) => Rest::Same,
                Event::Shown(_) | Event::Accepted(_) | Event::Rejected(_) | Event::Kept(_) => Rest::Nothing,
            })?,
        };
        let left = match content {
            Some(content) => {
                segment.replace(&content)?;
                content.len() as u64
            }
            None => size,
        };
        drop(claim);
        Ok(left)
    }
}

#[cfg(test)]
mod tests;
