//! Takes feedback back: hides it at once, and removes it and the texts of its suggestion from the files.
//!
//! A file that a running finch still writes to is left to that process; what is hidden there is removed when it has
//! ended, by the next finch that writes (`tidy`).

use std::path::Path;

use crate::journal::JournalError;
use crate::past;
use crate::record::{Event, Forgotten, Record};
use crate::tidy;
use crate::writer::{Durability, Writer};

/// Which feedback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    One(u64),
    All,
}

/// How that went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgot {
    /// Feedback that counts no more.
    pub hidden: usize,
    /// Whether some of it still stands in a file of a running finch, until that has ended.
    pub waits_for_a_process: bool,
}

/// Forgets feedback in the journal in `folder`.
///
/// # Errors
/// [`JournalError::NoFeedback`], and [`JournalError::Disk`] if it is not sure to be forgotten.
pub fn forget(folder: &Path, which: Which, now_ms: u64) -> Result<Forgot, JournalError> {
    let disk = |error: std::io::Error| JournalError::disk(folder, &error);
    let (said, _) = past::feedback(folder)?;
    let wanted = |record: &&Record| match which {
        Which::All => true,
        Which::One(id) => past::id_of(record) == Some(id),
    };
    let mut lines = Vec::new();
    let mut hidden = 0;
    for record in said.iter().filter(wanted) {
        let Some(id) = past::id_of(record) else { continue };
        let gone = Record::new(now_ms, record.about.clone(), Event::Forgotten(Forgotten { feedback: id }));
        serde_json::to_writer(&mut lines, &gone).map_err(|error| disk(error.into()))?;
        lines.push(b'\n');
        hidden += 1;
    }
    match which {
        Which::One(id) if hidden == 0 => return Err(JournalError::NoFeedback { id }),
        Which::All if hidden == 0 => return Ok(Forgot { hidden, waits_for_a_process: false }),
        Which::One(_) | Which::All => {}
    }
    let stem = format!("{now_ms:013}-{}", std::process::id());
    let mut writer = Writer::new(folder.to_owned(), stem);
    writer.append(&lines, Durability::Power).map_err(disk)?;
    drop(writer);
    let left = tidy::sweep(folder).map_err(disk)?;
    Ok(Forgot { hidden, waits_for_a_process: left > 0 })
}

#[cfg(test)]
mod tests;
