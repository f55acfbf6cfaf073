//! The queues between those who ask and the engine's thread.
//!
//! Interactive: one place a client, the newest wins and the one it replaces is told `Cancelled`. Batch: first come,
//! first served, bounded. Closing goes before everything. Nobody waits here but the engine's thread, and the lock is
//! held for bookkeeping only.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use finch_llm::{ChunkSender, ClientId, GenerateRequest, InfillRequest, Lane, LlmError, NotSent, Sampling};

use crate::limits;

/// What is wanted of the model.
#[derive(Debug)]
pub(crate) enum Ask {
    Infill(InfillRequest),
    Generate(GenerateRequest),
}

/// A request on its way.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) ask: Ask,
    pub(crate) reader: ChunkSender,
    pub(crate) arrived: Instant,
}

impl Ask {
    pub(crate) fn client(&self) -> &ClientId {
        match self {
            Self::Infill(request) => &request.client,
            Self::Generate(request) => &request.client,
        }
    }

    pub(crate) fn lane(&self) -> Lane {
        match self {
            Self::Infill(request) => request.lane,
            Self::Generate(request) => request.lane,
        }
    }

    pub(crate) fn references(&self) -> &[Arc<str>] {
        match self {
            Self::Infill(request) => &request.references,
            Self::Generate(request) => &request.references,
        }
    }

    pub(crate) fn sampling(&self) -> &Sampling {
        match self {
            Self::Infill(request) => &request.sampling,
            Self::Generate(request) => &request.sampling,
        }
    }
}

impl Job {
    /// Ends a job that never ran. Its channel is empty, so the error fits.
    pub(crate) fn refuse(self, error: LlmError) {
        match self.reader.try_send(Err(error)) {
            Ok(()) | Err(NotSent::ReaderGone) => {}
            Err(NotSent::Full(chunk)) => tracing::debug!("a job that never ran has a full channel: {chunk:?} is lost"),
        }
    }
}

/// The queues.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    interactive: VecDeque<Job>,
    batch: VecDeque<Job>,
    closed: bool,
}

impl Lanes {
    /// Queues a job, or ends it with an error.
    pub(crate) fn submit(&self, job: Job) {
        let mut waiting = self.lock();
        let refused = waiting.put(job);
        drop(waiting);
        self.changed.notify_one();
        if let Some((job, error)) = refused {
            job.refuse(error);
        }
    }

    /// The next job of a lane whose reader is still there.
    pub(crate) fn take(&self, lane: Lane) -> Option<Job> {
        let mut waiting = self.lock();
        let queue = waiting.queue(lane);
        std::iter::from_fn(|| queue.pop_front()).find(|job| !job.reader.is_reader_gone())
    }

    /// Whether a newer interactive job of this client waits.
    pub(crate) fn is_replaced(&self, client: &ClientId) -> bool {
        self.lock().interactive.iter().any(|job| job.ask.client() == client)
    }

    /// Whether an interactive job of anybody waits.
    pub(crate) fn is_interactive_waiting(&self) -> bool {
        !self.lock().interactive.is_empty()
    }

    /// Ends all work: the engine's thread stops at the next token.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits until something arrives, at most for `limit` if there is one.
    pub(crate) fn wait(&self, limit: Option<Duration>) {
        let waiting = self.lock();
        let idle =
            |waiting: &mut Waiting| !waiting.closed && waiting.interactive.is_empty() && waiting.batch.is_empty();
        match limit {
            None => drop(self.changed.wait_while(waiting, idle)),
            // Jobs that wait for a slot must not keep the thread from sleeping.
            Some(limit) => drop(self.changed.wait_timeout(waiting, limit)),
        }
    }

    /// Every job that still waits, for the end.
    pub(crate) fn drain(&self) -> Vec<Job> {
        let mut waiting = self.lock();
        let Waiting { interactive, batch, .. } = &mut *waiting;
        interactive.drain(..).chain(batch.drain(..)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn queue(&mut self, lane: Lane) -> &mut VecDeque<Job> {
        match lane {
            Lane::Interactive => &mut self.interactive,
            Lane::Batch => &mut self.batch,
        }
    }

    /// Queues a job and returns one that has to end for it, perhaps itself.
    fn put(&mut self, job: Job) -> Option<(Job, LlmError)> {
        if self.closed {
            return Some((job, ended()));
        }
        let lane = job.ask.lane();
        let most = match lane {
            Lane::Interactive => limits::CLIENTS_MAX,
            Lane::Batch => limits::BATCH_JOBS_MAX,
        };
        let queue = self.queue(lane);
        queue.retain(|job| !job.reader.is_reader_gone());
        if lane == Lane::Interactive
            && let Some(older) = queue.iter_mut().find(|older| older.ask.client() == job.ask.client())
        {
            return Some((std::mem::replace(older, job), LlmError::Cancelled));
        }
        if queue.len() >= most {
            return Some((job, LlmError::Overloaded));
        }
        queue.push_back(job);
        None
    }
}

/// What a request hears when the engine is no more.
pub(crate) fn ended() -> LlmError {
    LlmError::Unavailable { reason: "the local model was unloaded".to_owned() }
}

#[cfg(test)]
mod tests;
