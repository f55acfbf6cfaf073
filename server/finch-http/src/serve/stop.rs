//! How the server is told to stop: once to let what is under way end, twice to cut it.

use tokio_util::sync::{CancellationToken, DropGuard};

/// Who can stop the server, and who has to know. A cheap handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    asked: CancellationToken,
    asked_again: CancellationToken,
    draining: CancellationToken,
    cut: CancellationToken,
}

impl Stop {
    /// Asks for the end.
    pub(crate) fn ask(&self) {
        if self.asked.is_cancelled() {
            self.asked_again.cancel();
        }
        self.asked.cancel();
    }

    /// Asks for the end, and that what is under way is cut off.
    pub(crate) fn ask_for_a_cut(&self) {
        self.asked_again.cancel();
        self.asked.cancel();
    }

    pub(super) async fn asked(&self) {
        self.asked.cancelled().await;
    }

    pub(super) async fn asked_again(&self) {
        self.asked_again.cancelled().await;
    }

    /// Nothing new is begun from now on.
    pub(super) fn start_drain(&self) {
        self.draining.cancel();
    }

    pub(crate) async fn drain(&self) {
        self.draining.cancelled().await;
    }

    /// Everything ends now, or when the guard is dropped.
    pub(super) fn cut_at_the_end(&self) -> DropGuard {
        self.cut.clone().drop_guard()
    }

    pub(super) fn cut_now(&self) {
        self.cut.cancel();
    }

    pub(super) async fn cut(&self) {
        self.cut.cancelled().await;
    }
}
