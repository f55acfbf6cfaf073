//! The ledger: what left this machine, when, to whom, and what became of it. No text of a prompt or an answer is in it.
//!
//! In reading order: [`Ledger::departs`] writes a line before bytes leave and [`Ledger::ended`] one when the answer is
//! over; `line` is what a line looks like, `file` the files of the months, [`read()`] joins both kinds again, whatever
//! state the files are in, and [`Summary`] adds up. Many processes append to one file: each line is one write to a file
//! opened for appending, and below 4 KiB.

use std::fmt;
use std::hash::BuildHasher as _;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use finch_llm::Task;

mod file;
mod line;
mod read;
mod summary;
#[cfg(test)]
mod tests;

pub(crate) use read::{Entry, Since, Skipped, read};
pub(crate) use summary::{Summary, Total};

/// Where departures are written down. Cheap to clone; makes nothing before the first line.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    /// Tells the ids of this process from those of all others.
    stem: String,
    next: AtomicU64,
}

/// The name of a departure, by which its end finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerId(String);

/// Bytes that are about to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Departs {
    /// Milliseconds since 1970.
    pub(crate) at_ms: u64,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) host: String,
    /// The host is this machine: nothing leaves it.
    pub(crate) is_loopback: bool,
    pub(crate) task: Task,
    /// The folder that is open in the editor, if there is one.
    pub(crate) workspace: Option<String>,
    /// The files that text was taken from.
    pub(crate) files: Vec<String>,
    /// Files beyond those, for which there was no room.
    pub(crate) files_more: u64,
    pub(crate) bytes: u64,
}

/// How a departure ended and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    /// Milliseconds since 1970.
    pub(crate) at_ms: u64,
    pub(crate) outcome: Outcome,
    pub(crate) prompt_tokens: u64,
    pub(crate) cached_tokens: u64,
    pub(crate) generated_tokens: u64,
    /// In whatever the prices are given in; `None` where there is no price.
    pub(crate) cost: Option<f64>,
    /// From the departure to the end.
    pub(crate) ms: u64,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    Cancelled,
    /// With the kind of the error, such as `rate-limited`.
    Failed(String),
}

/// A departure could not be written down, so nothing may depart.
#[derive(Debug, thiserror::Error)]
#[error(
    "the ledger of what leaves this machine cannot be written: {} ({source}); nothing was sent; make room or set the rights of that folder right",
    path.display()
)]
pub(crate) struct LedgerError {
    path: PathBuf,
    source: io::Error,
}

impl Ledger {
    pub(crate) fn open(folder: PathBuf) -> Self {
        // The hasher's keys are random; the process alone would not do, since its number is given again.
        let random = std::hash::RandomState::new().hash_one(std::process::id());
        let stem = format!("{}-{:08x}", std::process::id(), random >> 32);
        Self { inner: Arc::new(Inner { folder, stem, next: AtomicU64::new(1) }) }
    }

    /// Writes down that bytes leave. The line is in the file when this returns.
    ///
    /// # Errors
    /// When it is not. Then nothing may be sent.
    pub(crate) fn departs(&self, departs: &Departs) -> Result<LedgerId, LedgerError> {
        let number = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let id = LedgerId(format!("{}-{number}", self.inner.stem));
        self.append(departs.at_ms, &line::departure(&id, departs))?;
        Ok(id)
    }

    /// Writes down how it ended. A failure is logged: what left is known without it.
    pub(crate) fn ended(&self, id: LedgerId, ended: &Ended) {
        if let Err(error) = self.append(ended.at_ms, &line::end(&id, ended)) {
            tracing::warn!(%error, "how a request ended is not in the ledger");
        }
    }

    fn append(&self, at_ms: u64, line: &str) -> Result<(), LedgerError> {
        let folder = &self.inner.folder;
        file::append(folder, at_ms, line).map_err(|source| LedgerError { path: folder.clone(), source })
    }
}

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered => f.write_str("answered"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Failed(kind) => write!(f, "failed:{kind}"),
        }
    }
}

impl FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("failed:")) {
            ("answered", _) => Ok(Self::Answered),
            ("cancelled", _) => Ok(Self::Cancelled),
            (_, Some(kind)) => Ok(Self::Failed(kind.to_owned())),
            (_, None) => Err(format!("no outcome: {text}")),
        }
    }
}
