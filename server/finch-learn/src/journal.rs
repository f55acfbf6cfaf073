//! Takes records from anywhere in the process and writes them on one thread of its own.
//!
//! Adding a record never waits and never fails: a disk that is full or may not be written to is said once, and later
//! records try again. Who must know whether a record is safe (feedback) is told when it is on the disk. Invariant:
//! texts leave this module only if the user lets finch collect them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::{CLOSE_WAIT, RETRY_WAIT};
use crate::queue::{Item, Queue};
use crate::record::Record;
use crate::tidy;
use crate::writer::{Durability, Writer};

/// What the user lets finch collect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Collect {
    /// What became of suggestions, and no text but the notes that people write.
    #[default]
    Counts,
    /// Prompts, suggestions and corrections too.
    Text,
}

/// Why something could not be recorded or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    #[error("the journal in {path} cannot be used ({reason}); make room or mend its permissions")]
    Disk { path: String, reason: String },
    #[error("the journal takes nothing more: this process ends")]
    NotTaken,
    #[error("there is no feedback {id}; `finch feedback list` shows what there is")]
    NoFeedback { id: u64 },
}

impl JournalError {
    pub(crate) fn disk(folder: &Path, error: &std::io::Error) -> Self {
        Self::Disk { path: folder.display().to_string(), reason: error.to_string() }
    }
}

/// A cheap handle on the journal of this process.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    queue: Arc<Queue>,
    session: String,
    collect: Collect,
    last_feedback: AtomicU64,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("session", &self.inner.session).finish_non_exhaustive()
    }
}

impl Journal {
    /// A journal in `folder`, of a process that started at `started_ms`. Nothing is written before the first record.
    #[must_use]
    pub fn open(folder: PathBuf, collect: Collect, started_ms: u64) -> Self {
        let session = format!("{started_ms:013}-{}", std::process::id());
        let queue = Arc::new(Queue::default());
        let writer = Writer::new(folder.clone(), session.clone());
        let (for_thread, end) = (Arc::clone(&queue), End(Arc::clone(&queue)));
        let thread = Thread { queue: for_thread, writer, folder, started_ms, failing: false, _end: end };
        // If it cannot be started, dropping it ends the queue.
        if let Err(error) = std::thread::Builder::new().name("finch-journal".into()).spawn(move || thread.run()) {
            tracing::warn!(%error, "nothing is recorded: no thread to write the journal");
        }
        Self { inner: Arc::new(Inner { queue, session, collect, last_feedback: AtomicU64::new(0) }) }
    }

    /// Names this process in its records.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.inner.session
    }

    #[must_use]
    pub fn collect(&self) -> Collect {
        self.inner.collect
    }

    /// A number for feedback that no other feedback has.
    #[must_use]
    pub fn feedback_id(&self, now_ms: u64) -> u64 {
        let wanted = feedback_id(now_ms);
        let next = |last: u64| Some(wanted.max(last + 1));
        let before = self.inner.last_feedback.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        wanted.max(before.unwrap_or_default() + 1)
    }

    /// Adds a record. It is written soon.
    pub fn record(&self, record: Record) {
        self.push(record, None);
    }

    /// Adds a record and tells `done`, on another thread, once it survives a power cut or is known not to.
    pub fn record_then(&self, record: Record, done: impl FnOnce(Result<(), JournalError>) + Send + 'static) {
        self.push(record, Some(Box::new(done)));
    }

    /// Takes nothing more, and writes what was added, as long as that takes a bounded time.
    pub fn close(&self) {
        self.inner.queue.close(CLOSE_WAIT);
    }

    fn push(&self, record: Record, done: Option<crate::queue::Done>) {
        let record = match self.inner.collect {
            Collect::Counts => record.without_text(),
            Collect::Text => record,
        };
        self.inner.queue.push(Item { record: record.within_bounds(), done });
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close(CLOSE_WAIT);
    }
}

/// A number for feedback given in this process at this time.
pub(crate) fn feedback_id(now_ms: u64) -> u64 {
    now_ms.saturating_mul(1000).saturating_add(u64::from(std::process::id() % 1000))
}

struct Thread {
    queue: Arc<Queue>,
    writer: Writer,
    folder: PathBuf,
    started_ms: u64,
    /// The disk refused last time, and that was said.
    failing: bool,
    /// The last to be dropped: who waits for the end finds the writer's file closed.
    _end: End,
}

/// Ends the queue when its thread ends, however it ends.
struct End(Arc<Queue>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Thread {
    fn run(mut self) {
        let mut is_tidy = false;
        while let Some(batch) = self.queue.take() {
            if self.write(batch) {
                if !std::mem::replace(&mut is_tidy, true) {
                    self.tidy();
                }
            } else if self.queue.is_open() {
                self.queue.rest(RETRY_WAIT);
            } else {
                return;
            }
        }
    }

    /// Writes all of it or nothing, and says whether.
    fn write(&mut self, batch: Vec<Item>) -> bool {
        let mut lines = Vec::new();
        for item in &batch {
            // A record is plain data; it always has a line.
            if let Err(error) = serde_json::to_writer(&mut lines, &item.record) {
                tracing::error!(%error, "a record has no line");
            }
            lines.push(b'\n');
        }
        let is_awaited = batch.iter().any(|item| item.done.is_some());
        let durability = if is_awaited { Durability::Power } else { Durability::Process };
        match self.writer.append(&lines, durability) {
            Ok(()) => {
                self.recovered();
                batch.into_iter().for_each(|item| item.finish(Ok(())));
                true
            }
            Err(error) => {
                let error = JournalError::disk(&self.folder, &error);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!("{error}; until then nothing is recorded");
                }
                // Who waits is told, and may try again; the others wait for better times.
                let (awaited, others): (Vec<_>, Vec<_>) = batch.into_iter().partition(|item| item.done.is_some());
                awaited.into_iter().for_each(|item| item.finish(Err(error.clone())));
                self.queue.put_back(others);
                false
            }
        }
    }

    fn recovered(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!("the journal can be written again");
        }
        let lost = self.queue.take_lost();
        if lost > 0 {
            tracing::info!(lost, "some records came faster than the disk took them");
        }
    }

    fn tidy(&self) {
        if let Err(error) = tidy::tidy(&self.folder, self.started_ms) {
            tracing::info!(%error, "the journal could not be tidied");
        }
    }
}

#[cfg(test)]
mod tests;
