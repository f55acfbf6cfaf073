//! The queues between those who ask and the engine's thread.
//!
//! Interactive: one place a client, the newest wins and the one it replaces is told `Cancelled`. Batch: first come,
//! first served among equals, bounded, and a client that was just served waits for the others. Warm-ups: as
//! interactive jobs, but only when there is nothing else. Closing goes before everything. Nobody waits here but the engine's thread, and the lock is
//! held for bookkeeping only.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use finch_llm::{
    ChunkSender, ClientId, GenerateRequest, InfillRequest, Lane, LaneLoad, LlmError, Load, NotSent, Sampling,
};

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
    running: Running,
}

/// Jobs that the engine's thread computes, as it said last.
#[derive(Debug, Default)]
struct Running {
    interactive: AtomicUsize,
    batch: AtomicUsize,
    warm: AtomicUsize,
}

#[derive(Debug, Default)]
struct Waiting {
    interactive: VecDeque<Job>,
    batch: VecDeque<Job>,
    warm: VecDeque<Job>,
    /// Clients whose batch jobs were taken, the last one last.
    served: VecDeque<ClientId>,
    closed: bool,
    /// What is there is done, and then nothing comes any more.
    ending: bool,
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
        queue.retain(|job| !job.reader.is_reader_gone());
        match lane {
            Lane::Interactive | Lane::Warm => queue.pop_front(),
            Lane::Batch => waiting.take_fairly(),
        }
    }

    /// Whether a newer interactive job of this client waits.
    pub(crate) fn is_replaced(&self, client: &ClientId) -> bool {
        self.lock().interactive.iter().any(|job| job.ask.client() == client)
    }

    /// Whether an interactive job of anybody waits.
    pub(crate) fn is_interactive_waiting(&self) -> bool {
        !self.lock().interactive.is_empty()
    }

    /// Whether anything but a warm-up waits.
    pub(crate) fn is_work_waiting(&self) -> bool {
        let waiting = self.lock();
        !waiting.interactive.is_empty() || !waiting.batch.is_empty()
    }

    /// The engine's thread says of which lanes the jobs are that it computes.
    pub(crate) fn runs(&self, lanes: impl Iterator<Item = Lane>) {
        let (mut interactive, mut batch, mut warm) = (0, 0, 0);
        for lane in lanes {
            match lane {
                Lane::Interactive => interactive += 1,
                Lane::Batch => batch += 1,
                Lane::Warm => warm += 1,
            }
        }
        self.running.interactive.store(interactive, Ordering::Relaxed);
        self.running.batch.store(batch, Ordering::Relaxed);
        self.running.warm.store(warm, Ordering::Relaxed);
    }

    /// What is computed and what waits.
    pub(crate) fn load(&self) -> Load {
        let waiting = self.lock();
        let load = |running: &AtomicUsize, queue: &VecDeque<Job>| LaneLoad {
            running: running.load(Ordering::Relaxed),
            waiting: queue.iter().filter(|job| !job.reader.is_reader_gone()).count(),
        };
        Load {
            interactive: load(&self.running.interactive, &waiting.interactive),
            batch: load(&self.running.batch, &waiting.batch),
            warm: load(&self.running.warm, &waiting.warm),
        }
    }

    /// Ends all work: the engine's thread stops at the next token.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Takes no more work: the engine's thread stops when it has done what is there.
    pub(crate) fn end(&self) {
        self.lock().ending = true;
        self.changed.notify_one();
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.lock().ending
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits until something arrives, at most for `limit` if there is one.
    pub(crate) fn wait(&self, limit: Option<Duration>) {
        let waiting = self.lock();
        match limit {
            None => drop(self.changed.wait_while(waiting, Waiting::is_idle)),
            // Jobs that wait for a slot must not keep the thread from sleeping.
            Some(limit) => drop(self.changed.wait_timeout(waiting, limit)),
        }
    }

    /// Waits until something arrives, or until a time is over. Whether something did.
    pub(crate) fn wait_for_work(&self, limit: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), limit, Waiting::is_idle);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Every job that still waits, for the end.
    pub(crate) fn drain(&self) -> Vec<Job> {
        let mut waiting = self.lock();
        let Waiting { interactive, batch, warm, .. } = &mut *waiting;
        interactive.drain(..).chain(batch.drain(..)).chain(warm.drain(..)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_idle(&mut self) -> bool {
        !self.closed && !self.ending && self.interactive.is_empty() && self.batch.is_empty() && self.warm.is_empty()
    }

    fn queue(&mut self, lane: Lane) -> &mut VecDeque<Job> {
        match lane {
            Lane::Interactive => &mut self.interactive,
            Lane::Batch => &mut self.batch,
            Lane::Warm => &mut self.warm,
        }
    }

    /// The batch job of the client that was served longest ago, its oldest.
    fn take_fairly(&mut self) -> Option<Job> {
        let served = |job: &Job| self.served.iter().position(|client| client == job.ask.client());
        let next = (0..self.batch.len()).min_by_key(|&at| served(&self.batch[at]).map_or(0, |turn| turn + 1))?;
        let job = self.batch.remove(next)?;
        self.served.retain(|client| client != job.ask.client());
        self.served.push_back(job.ask.client().clone());
        // Only the clients that wait matter, and there are no more of them than jobs.
        if self.served.len() > limits::BATCH_JOBS_MAX {
            self.served.pop_front();
        }
        Some(job)
    }

    /// Queues a job and returns one that has to end for it, perhaps itself.
    fn put(&mut self, job: Job) -> Option<(Job, LlmError)> {
        if self.ending {
            // It makes room for another model.
            return Some((job, LlmError::Loading));
        }
        if self.closed {
            return Some((job, ended()));
        }
        let lane = job.ask.lane();
        let most = match lane {
            Lane::Interactive | Lane::Warm => limits::CLIENTS_MAX,
            Lane::Batch => limits::BATCH_JOBS_MAX,
        };
        let queue = self.queue(lane);
        queue.retain(|job| !job.reader.is_reader_gone());
        if lane != Lane::Batch
            && let Some(older) = queue.iter_mut().find(|older| older.ask.client() == job.ask.client())
        {
            return Some((std::mem::replace(older, job), LlmError::Cancelled));
        }
        let has_its_share = || {
            let of_client = queue.iter().filter(|waits| waits.ask.client() == job.ask.client()).count();
            lane == Lane::Batch && of_client >= limits::BATCH_JOBS_PER_CLIENT_MAX
        };
        if queue.len() >= most || has_its_share() {
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
