//! Ctrl-C during long work: the work stops at its next step and keeps what is done.
//!
//! A second Ctrl-C ends the process where it stands, and so does one after the work; files are made so that this loses a
//! little time and nothing else. Called by the commands that fetch and import. A plan is dropped instead, at once, and
//! by other signals too. An answer that is being written listens for itself, in `command/ask`.

use std::ops::ControlFlow;
use std::thread;

use anyhow::{Context as _, Result};
use tokio::sync::watch;

use crate::Exit;
use crate::progress::say;

/// Whether the user wants the work to end.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    heard: watch::Receiver<bool>,
}

/// The user ended the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped before it was done; run the same command again, and it goes on from there")]
pub(crate) struct Interrupted;

impl Interrupt {
    /// Listens for Ctrl-C from now on.
    pub(crate) fn listen() -> Result<Self> {
        let (sender, heard) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("cannot listen for Ctrl-C")?;
        let listener = move || runtime.block_on(wait(&sender));
        thread::Builder::new().name("finch-interrupt".into()).spawn(listener).context("cannot listen for Ctrl-C")?;
        Ok(Self { heard })
    }

    /// Leaves it to the system what Ctrl-C does: it ends the process.
    pub(crate) fn never() -> Self {
        Self { heard: watch::channel(false).1 }
    }

    /// What work in steps does next.
    pub(crate) fn flow(&self) -> ControlFlow<()> {
        if *self.heard.borrow() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Does asynchronous work, and drops it when the user wants it to end.
    pub(crate) async fn or_done<T>(&self, work: impl Future<Output = T>) -> Result<T, Interrupted> {
        let mut heard = self.heard.clone();
        let interrupted = async {
            if heard.wait_for(|heard| *heard).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = interrupted => Err(Interrupted),
            done = work => Ok(done),
        }
    }
}

/// Waits for Ctrl-C, for the end of the terminal, or for the system's wish that the process ends.
pub(crate) async fn told_to_end() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // Listening would undo it.
        let ignores_hang_up = ignores_hang_up();
        let heard = |kind| signal(kind).context("cannot listen for signals");
        let (mut terminate, mut hang_up) = (heard(SignalKind::terminate())?, heard(SignalKind::hangup())?);
        tokio::select! {
            told = tokio::signal::ctrl_c() => told.context("cannot listen for Ctrl-C"),
            _ = terminate.recv() => Ok(()),
            _ = hang_up.recv(), if !ignores_hang_up => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.context("cannot listen for Ctrl-C")
}

/// Whether the process was begun by `nohup` or its like, where the system tells.
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    const HANG_UP: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & HANG_UP != 0)
}

#[expect(clippy::exit, reason = "the user asked twice, and nobody is left who could end the process in order")]
async fn wait(sender: &watch::Sender<bool>) {
    while tokio::signal::ctrl_c().await.is_ok() {
        if sender.is_closed() || sender.send_replace(true) {
            std::process::exit(Exit::Interrupted.code().into());
        }
        say("finch: stopping; Ctrl-C again ends it at once");
    }
}
