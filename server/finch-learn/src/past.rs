//! Finds again what the journal holds: a suggestion to say something about, and what was said.

use std::collections::HashSet;
use std::path::Path;

use crate::journal::JournalError;
use crate::read::{self, Skipped};
use crate::record::{About, Event, Record};

/// The suggestion of any process that was seen last, or the last one with this number.
///
/// # Errors
/// [`JournalError::Disk`].
pub fn suggestion(folder: &Path, number: Option<u64>) -> Result<Option<About>, JournalError> {
    let mut last: Option<(u64, About)> = None;
    let see = |record: Record| {
        let was_seen = matches!(record.event, Event::Shown(_) | Event::Accepted(_));
        let is_asked_for = number.is_none_or(|number| number == record.about.suggestion);
        // Of two at the same time the one that stands later counts.
        let is_newer = last.as_ref().is_none_or(|(at_ms, _)| *at_ms <= record.at_ms);
        if was_seen && is_asked_for && is_newer {
            last = Some((record.at_ms, record.about));
        }
    };
    read::records(folder, see).map_err(|error| JournalError::disk(folder, &error))?;
    Ok(last.map(|(_, about)| about))
}

/// All feedback that was not taken back, oldest first. Every record in the answer is a [`Event::Feedback`].
///
/// # Errors
/// [`JournalError::Disk`].
pub fn feedback(folder: &Path) -> Result<(Vec<Record>, Skipped), JournalError> {
    let (mut said, mut forgotten) = (Vec::new(), HashSet::new());
    let see = |record: Record| match &record.event {
        Event::Feedback(_) => said.push(record),
        Event::Forgotten(gone) => {
            forgotten.insert(gone.feedback);
        }
        Event::Shown(_) | Event::Accepted(_) | Event::Rejected(_) | Event::Kept(_) => {}
    };
    let skipped = read::records(folder, see).map_err(|error| JournalError::disk(folder, &error))?;
    said.retain(|record| id_of(record).is_some_and(|id| !forgotten.contains(&id)));
    said.sort_by_key(|record| (record.at_ms, id_of(record)));
    Ok((said, skipped))
}

/// The number of the feedback that a record is.
#[must_use]
pub fn id_of(record: &Record) -> Option<u64> {
    match &record.event {
        Event::Feedback(feedback) => Some(feedback.id),
        Event::Shown(_) | Event::Accepted(_) | Event::Rejected(_) | Event::Kept(_) | Event::Forgotten(_) => None,
    }
}
