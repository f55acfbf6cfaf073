//! Counts what the journal says: how much of what was shown was accepted, and how much of that was kept.
//!
//! A suggestion counts once, however many records are about it: by the most that was accepted of it, and by the last
//! thing that was said of it. One that was accepted or rejected was shown, whether or not that record survived.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use crate::journal::JournalError;
use crate::read::{self, Skipped};
use crate::record::{About, AcceptedKind, Event, Record};

/// The counts, in all and by what they may depend on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    pub all: Counts,
    pub by_language: BTreeMap<String, Counts>,
    pub by_model: BTreeMap<String, Counts>,
    pub by_provider: BTreeMap<String, Counts>,
    pub skipped: Skipped,
}

/// What became of a number of suggestions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    pub shown: u64,
    pub accepted_full: u64,
    pub accepted_line: u64,
    pub accepted_word: u64,
    pub rejected: u64,
    /// How much of what was accepted is there after 30 seconds.
    pub kept_30_s: Mean,
    /// And after 5 minutes.
    pub kept_300_s: Mean,
    pub good: u64,
    pub bad: u64,
    pub bad_minor: u64,
}

impl Counts {
    /// Suggestions that were accepted, whole or in part.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted_full + self.accepted_line + self.accepted_word
    }

    /// Of those shown; `None` if there were none.
    #[must_use]
    pub fn acceptance_rate(&self) -> Option<f64> {
        (self.shown > 0).then(|| self.accepted() as f64 / self.shown as f64)
    }
}

/// The mean of some shares.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Mean {
    pub count: u64,
    sum: f64,
}

impl Mean {
    /// `None` of nothing.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    fn add(&mut self, share: f64) {
        self.count += 1;
        self.sum += share;
    }
}

/// What became of one suggestion.
#[derive(Debug, Default)]
struct Fate {
    about: About,
    shown: bool,
    accepted: Option<AcceptedKind>,
    rejected: bool,
    kept: BTreeMap<u32, f64>,
    /// When, which and with what weight.
    said: Vec<(u64, u64, i32)>,
}

/// Counts the journal in `folder`.
///
/// # Errors
/// [`JournalError::Disk`].
pub fn stats(folder: &Path) -> Result<Stats, JournalError> {
    let mut tally = Tally::default();
    let skipped =
        read::records(folder, |record| tally.see(record)).map_err(|error| JournalError::disk(folder, &error))?;
    Ok(Stats { skipped, ..tally.finish() })
}

#[derive(Debug, Default)]
struct Tally {
    fates: HashMap<(String, u64), Fate>,
    forgotten: HashSet<u64>,
}

impl Tally {
    fn see(&mut self, record: Record) {
        let Record { about, event, at_ms, .. } = record;
        if let Event::Forgotten(gone) = event {
            self.forgotten.insert(gone.feedback);
            return;
        }
        let fate = self.fates.entry((about.session.clone(), about.suggestion)).or_default();
        fate.about = about;
        match event {
            Event::Shown(_) => fate.shown = true,
            Event::Accepted(accepted) => fate.accepted = fate.accepted.max(Some(accepted.kind)),
            Event::Rejected(_) => fate.rejected = true,
            Event::Kept(kept) => {
                fate.kept.insert(kept.after_s, kept.share);
            }
            Event::Feedback(feedback) => fate.said.push((at_ms, feedback.id, feedback.weight)),
            Event::Forgotten(_) => {}
        }
    }

    fn finish(self) -> Stats {
        let mut stats = Stats::default();
        let mut fates: Vec<_> = self.fates.into_iter().collect();
        // Sums of shares come out the same each time.
        fates.sort_by(|a, b| a.0.cmp(&b.0));
        for (_, mut fate) in fates {
            fate.said.retain(|(_, id, _)| !self.forgotten.contains(id));
            stats.all.add(&fate);
            let named = |name: &str| if name.is_empty() { "unknown".to_owned() } else { name.to_owned() };
            stats.by_language.entry(named(&fate.about.language)).or_default().add(&fate);
            stats.by_model.entry(named(&fate.about.model)).or_default().add(&fate);
            stats.by_provider.entry(named(&fate.about.provider)).or_default().add(&fate);
        }
        stats
    }
}

impl Counts {
    fn add(&mut self, fate: &Fate) {
        let was_seen = fate.shown || fate.accepted.is_some() || fate.rejected || !fate.kept.is_empty();
        self.shown += u64::from(was_seen);
        match fate.accepted {
            Some(AcceptedKind::Full) => self.accepted_full += 1,
            Some(AcceptedKind::Line) => self.accepted_line += 1,
            Some(AcceptedKind::Word) => self.accepted_word += 1,
            // What was accepted in part and then typed over was accepted.
            None => self.rejected += u64::from(fate.rejected),
        }
        for (after_s, mean) in [(30, &mut self.kept_30_s), (300, &mut self.kept_300_s)] {
            if let Some(share) = fate.kept.get(&after_s) {
                mean.add(*share);
            }
        }
        match fate.said.iter().max().map(|(_, _, weight)| *weight) {
            Some(weight) if weight > 0 => self.good += 1,
            Some(-10..=-5) => self.bad += 1,
            Some(-4..=-1) => self.bad_minor += 1,
            Some(_) | None => {}
        }
    }
}

#[cfg(test)]
mod tests;
