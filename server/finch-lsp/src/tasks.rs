//! Every task of one session, so that none outlives it.
//!
//! A task is spawned here or not at all. `finish` cancels what listens, waits a bounded time and says whether
//! all ended. It knows nothing of what the tasks do.

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// A cheap handle on the tasks of a session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    root: CancellationToken,
}

impl Tasks {
    /// Runs `task` to its own end: it must end soon after the session does.
    pub(crate) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.tracker.spawn(task)
    }

    /// Runs `task` until it ends, the session ends (`None`) or the handle is dropped.
    pub(crate) fn spawn_bound<F>(&self, task: F) -> AbortOnDropHandle<Option<F::Output>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        AbortOnDropHandle::new(self.spawn_for_session(task))
    }

    /// Runs `task` until it or the session ends.
    pub(crate) fn spawn_for_session<F>(&self, task: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.tracker.spawn(self.root.clone().run_until_cancelled_owned(task))
    }

    /// Cancels what is bound to the session when the guard goes.
    pub(crate) fn cancel_on_drop(&self) -> DropGuard {
        self.root.clone().drop_guard()
    }

    /// Cancels what is bound to the session and waits for everything, `until` then at most.
    pub(crate) async fn finish(&self, until: Instant) {
        self.root.cancel();
        self.tracker.close();
        if timeout_at(until, self.tracker.wait()).await.is_err() {
            tracing::warn!(tasks = self.tracker.len(), "some work did not end in time");
        }
    }
}
