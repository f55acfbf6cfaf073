//! Records on their way to the disk: bounded, and never a wait for the one who adds.
//!
//! Invariant: what is lost when there are too many is the oldest sight of a suggestion, then the oldest measurement;
//! what a person did is lost only when thousands of such acts wait for a disk that does not answer.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::journal::JournalError;
use crate::limits::{QUEUE_ACTS_MAX, QUEUE_RECORDS_MAX};
use crate::record::{Record, Worth};

/// Told once whether a record is safe on the disk.
pub(crate) type Done = Box<dyn FnOnce(Result<(), JournalError>) + Send>;

pub(crate) struct Item {
    pub(crate) record: Record,
    pub(crate) done: Option<Done>,
}

impl Item {
    pub(crate) fn finish(self, result: Result<(), JournalError>) {
        if let Some(done) = self.done {
            done(result);
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// Nothing more is taken; what waits is written.
    Closing,
    /// Nobody writes any more.
    Ended,
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    /// Counts what came, so that a waiting writer sees news.
    came: u64,
    lost: u64,
    phase: Phase,
}

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

impl Queue {
    pub(crate) fn push(&self, item: Item) {
        let refused = {
            let mut state = self.state();
            if state.phase == Phase::Open {
                state.came += 1;
                state.items.push_back(item);
                state.shrink()
            } else {
                Some(item)
            }
        };
        self.changed.notify_all();
        // Outside of the lock: nobody knows what it does.
        if let Some(item) = refused {
            item.finish(Err(JournalError::NotTaken));
        }
    }

    /// Everything that waits, waiting for something; `None` when there will be nothing more.
    pub(crate) fn take(&self) -> Option<Vec<Item>> {
        let mut state = self.state();
        while state.items.is_empty() && state.phase == Phase::Open {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let items: Vec<Item> = state.items.drain(..).collect();
        (!items.is_empty()).then_some(items)
    }

    /// Takes back what could not be written, before what came since.
    pub(crate) fn put_back(&self, items: Vec<Item>) {
        let mut state = self.state();
        for item in items.into_iter().rev() {
            state.items.push_front(item);
        }
        while state.shrink().is_some() {}
    }

    /// Waits for news or the time, whichever is first; not at all while somebody waits for a record.
    pub(crate) fn rest(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.state();
        let came = state.came;
        // Who was told of a failure may have tried again before this began.
        let is_awaited = |state: &State| state.items.iter().any(|item| item.done.is_some());
        while state.came == came && state.phase == Phase::Open && !is_awaited(&state) {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return };
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state().phase == Phase::Open
    }

    /// Takes nothing more, and waits until what waits is written, for a bounded time.
    pub(crate) fn close(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.state();
        if state.phase == Phase::Open {
            state.phase = Phase::Closing;
            self.changed.notify_all();
        }
        while state.phase != Phase::Ended {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return };
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// There is no writer any more.
    pub(crate) fn end(&self) {
        let left: Vec<Item> = {
            let mut state = self.state();
            state.phase = Phase::Ended;
            state.items.drain(..).collect()
        };
        self.changed.notify_all();
        for item in left {
            item.finish(Err(JournalError::NotTaken));
        }
    }

    /// Records that were lost because there were too many, since this was asked last.
    pub(crate) fn take_lost(&self) -> u64 {
        std::mem::take(&mut self.state().lost)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Makes room for what came last, if there is too much; gives the record that had to go.
    fn shrink(&mut self) -> Option<Item> {
        if self.items.len() <= QUEUE_RECORDS_MAX {
            return None;
        }
        let oldest = |worth| self.items.iter().position(|item| item.record.worth() == worth && item.done.is_none());
        let at = oldest(Worth::Sight).or_else(|| oldest(Worth::Measure));
        let at = at.or_else(|| (self.items.len() > QUEUE_ACTS_MAX).then_some(self.items.len() - 1))?;
        self.lost += 1;
        self.items.remove(at)
    }
}

#[cfg(test)]
mod tests;
