//! Reads the ledger, in whatever state its files are, and joins departures with their ends.
//!
//! A line that is torn, too long, damaged or of a later version is passed over and counted. A line costs no more memory
//! than its bound, and of too many departures the oldest are passed over.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use super::line::{self, Told};
use super::{Departs, Ended, file};
use crate::calendar::Moment;
use crate::limits::{LEDGER_ENTRIES_MAX, LEDGER_READ_BYTES_MAX};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// From when on departures are wanted, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Since(pub(crate) u64);

impl Since {
    /// All there are.
    pub(crate) const EVER: Self = Self(0);

    /// The last days, of 24 hours each.
    pub(crate) fn days(days: u64, now_ms: u64) -> Self {
        Self(now_ms.saturating_sub(days.saturating_mul(DAY_MS)))
    }
}

/// One departure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) departs: Departs,
    /// Nobody knows of a request that is under way, or whose process ended abruptly.
    pub(crate) ended: Option<Ended>,
}

/// What was passed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// Lines at the end of a file that have no end themselves.
    pub(crate) torn: u64,
    /// Lines longer than any that finch writes.
    pub(crate) too_long: u64,
    /// Lines that are none of the ledger.
    pub(crate) damaged: u64,
    /// Lines of a kind or version that this finch does not know.
    pub(crate) unknown: u64,
    /// The oldest departures, for which there was no room.
    pub(crate) oldest: u64,
}

impl Skipped {
    pub(crate) fn lines(&self) -> u64 {
        self.torn + self.too_long + self.damaged + self.unknown
    }
}

/// The departures since then, oldest first.
///
/// # Errors
/// When the folder or a file cannot be read. A folder that is not there holds nothing.
pub(crate) fn read(folder: &Path, since: Since) -> io::Result<(Vec<Entry>, Skipped)> {
    let mut joined = Joined { since, ..Joined::default() };
    for path in file::from(folder, Moment::of(since.0).month())? {
        match File::open(&path) {
            Ok(file) => lines(BufReader::new(file), &mut joined)?,
            // Removed since it was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let mut entries: Vec<Entry> = joined.entries.into();
    // Processes write when they can, which is not quite in the order of their clocks.
    entries.sort_by_key(|entry| entry.departs.at_ms);
    Ok((entries, joined.skipped))
}

#[derive(Debug)]
struct Joined {
    since: Since,
    entries: VecDeque<Entry>,
    /// Where in `entries` a departure is that has not ended, counted from the first there ever was.
    open: HashMap<String, u64>,
    skipped: Skipped,
}

impl Default for Joined {
    fn default() -> Self {
        Self { since: Since::EVER, entries: VecDeque::new(), open: HashMap::new(), skipped: Skipped::default() }
    }
}

impl Joined {
    fn take(&mut self, told: Told) {
        match told {
            Told::Departed(id, departs) if departs.at_ms >= self.since.0 => {
                if self.entries.len() == LEDGER_ENTRIES_MAX
                    && let Some(oldest) = self.entries.pop_front()
                {
                    self.open.remove(&oldest.id);
                    self.skipped.oldest += 1;
                }
                self.open.insert(id.clone(), self.skipped.oldest + self.entries.len() as u64);
                self.entries.push_back(Entry { id, departs, ended: None });
            }
            Told::Departed(..) => {}
            // The end of a departure before the time that is asked for finds nothing.
            Told::Ended(of, ended) => {
                let at = self.open.remove(&of).and_then(|at| at.checked_sub(self.skipped.oldest));
                let at = at.and_then(|at| usize::try_from(at).ok());
                if let Some(entry) = at.and_then(|at| self.entries.get_mut(at)) {
                    entry.ended = Some(ended);
                }
            }
            Told::Unknown => self.skipped.unknown += 1,
            Told::Damaged => self.skipped.damaged += 1,
        }
    }
}

fn lines(mut input: impl BufRead, joined: &mut Joined) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        input.by_ref().take(LEDGER_READ_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
        let is_whole = line.pop_if(|last| *last == b'\n').is_some();
        if !is_whole && line.len() == LEDGER_READ_BYTES_MAX {
            input.skip_until(b'\n')?;
            joined.skipped.too_long += 1;
        } else if is_whole {
            // An empty line stands where two processes mended the same torn one.
            if !line.is_empty() {
                joined.take(line::parse(&line));
            }
        } else {
            joined.skipped.torn += u64::from(!line.is_empty());
            return Ok(());
        }
    }
}
