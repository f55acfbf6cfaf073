//! How far a local model is: from nothing to ready, observable by everyone who waits for it.

use tokio::sync::watch;

/// The state of the local model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelState {
    /// No model is set up and none is being fetched. `next` says what to do.
    Absent {
        next: String,
    },
    Starting,
    Downloading {
        file: String,
        bytes_done: u64,
        bytes_total: Option<u64>,
    },
    Importing {
        bytes_done: u64,
        bytes_total: u64,
    },
    Loading {
        model: String,
    },
    Ready {
        model: String,
    },
    /// `error` says what happened and why, `next` what to do.
    Failed {
        error: String,
        next: String,
    },
}

pub type StateSender = watch::Sender<ModelState>;
pub type StateReceiver = watch::Receiver<ModelState>;

/// A channel that starts in [`ModelState::Starting`].
#[must_use]
pub fn state_channel() -> (StateSender, StateReceiver) {
    watch::channel(ModelState::Starting)
}
