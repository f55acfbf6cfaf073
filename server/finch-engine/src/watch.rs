//! Ends a long pass early when nobody wants it any more.
//!
//! Long passes compute prompts fastest, and a cancel has to be seen sooner than they end. So while one runs, a
//! second thread looks every few milliseconds whether its reader has gone, a newer request has come, or an
//! interactive job waits behind a batch one, and then tells the session to stop. It sleeps while no pass is watched.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use finch_llm::{ChunkSender, ClientId};

use crate::{lanes::Lanes, limits, network::Interrupter};

/// The watching thread.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Whose pass it is.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    pub(crate) reader: ChunkSender,
    pub(crate) yields_to: YieldsTo,
}

/// What else than a gone reader ends a pass.
#[derive(Debug, Clone)]
pub(crate) enum YieldsTo {
    /// A newer interactive job of this client.
    Client(ClientId),
    /// Any interactive job.
    Interactive,
    /// Any job but a warm-up.
    Anybody,
    Nobody,
}

/// How a watched pass came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Own,
    Interrupted,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    lanes: Arc<Lanes>,
    interrupter: Interrupter,
}

#[derive(Default)]
struct State {
    pass: Option<Pass>,
    closed: bool,
}

impl Watch {
    pub(crate) fn start(lanes: Arc<Lanes>, interrupter: Interrupter) -> io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), lanes, interrupter });
        let watching = Arc::clone(&shared);
        let thread = thread::Builder::new().name("finch-watch".to_owned()).spawn(move || watching.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Watches while `work` runs.
    pub(crate) fn during<T>(&self, pass: Pass, work: impl FnOnce() -> T) -> (T, End) {
        self.shared.lock().pass = Some(pass);
        self.shared.changed.notify_one();
        let result = work();
        // Whoever interrupts holds the lock and the pass, so behind this line nobody does.
        let end = if self.shared.lock().pass.take().is_some() { End::Own } else { End::Interrupted };
        self.shared.interrupter.clear();
        (result, end)
    }
}

impl Shared {
    fn run(&self) {
        let mut state = self.lock();
        while !state.closed {
            state = match &state.pass {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(pass) if self.is_unwanted(pass) => {
                    self.interrupter.interrupt();
                    state.pass = None;
                    state
                }
                Some(_) => {
                    let waited = self.changed.wait_timeout(state, limits::CANCEL_LOOK);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn is_unwanted(&self, pass: &Pass) -> bool {
        let overtaken = match &pass.yields_to {
            YieldsTo::Client(client) => self.lanes.is_replaced(client),
            YieldsTo::Interactive => self.lanes.is_interactive_waiting(),
            YieldsTo::Anybody => self.lanes.is_work_waiting(),
            YieldsTo::Nobody => false,
        };
        overtaken || pass.reader.is_reader_gone() || self.lanes.is_closed()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the watching thread had panicked");
        }
    }
}

#[cfg(test)]
mod tests;
