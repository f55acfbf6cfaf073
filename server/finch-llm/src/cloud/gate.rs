//! What is asked before anything leaves, and told when it is over.

use std::{fmt, sync::Arc, time::Duration};

use crate::{LlmError, Origin, ProviderId, StopReason, Usage};

/// What is about to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure<'a> {
    pub provider: &'a ProviderId,
    pub model: &'a str,
    pub host: &'a str,
    /// It stays on this machine.
    pub is_loopback: bool,
    pub bytes: usize,
    pub origin: &'a Origin,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending<'a> {
    pub outcome: Result<StopReason, &'a LlmError>,
    pub usage: Usage,
    /// Since the gate was passed.
    pub took: Duration,
}

/// Asked before every try, before a connection is opened. An error ends the request and no byte leaves.
pub type Gate = Arc<dyn Fn(&Departure<'_>) -> Result<Passage, LlmError> + Send + Sync>;

type Ended = Box<dyn FnOnce(Ending<'_>) + Send>;

/// A try that was let out. Whoever let it out hears how it ended, once; one that is dropped was cancelled.
pub struct Passage {
    ended: Option<Ended>,
    since: std::time::Instant,
    usage: Usage,
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage").field("since", &self.since).finish_non_exhaustive()
    }
}

impl Passage {
    #[must_use]
    pub fn new(ended: impl FnOnce(Ending<'_>) + Send + 'static) -> Self {
        Self { ended: Some(Box::new(ended)), since: std::time::Instant::now(), usage: Usage::default() }
    }

    /// A passage whose end nobody wants to know.
    #[must_use]
    pub fn unwatched() -> Self {
        Self::new(|_| ())
    }

    /// What it has cost so far, should it be cancelled.
    pub(crate) fn used(&mut self, usage: Usage) {
        self.usage = usage;
    }

    pub(crate) fn end(mut self, outcome: Result<StopReason, &LlmError>) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Result<StopReason, &LlmError>) {
        if let Some(ended) = self.ended.take() {
            ended(Ending { outcome, usage: self.usage, took: self.since.elapsed() });
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.tell(Err(&LlmError::Cancelled));
    }
}
