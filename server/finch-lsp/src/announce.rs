//! Tells the client how far the model is: `finch/status` on every change, and a progress bar where it has one.
//!
//! One task, started by `initialized`. Nothing queues up: the state channel holds only the newest state, so a
//! client that reads slowly misses steps and never the outcome.

use finch_llm::{ModelState, ProviderId, StateReceiver};
use tokio::sync::watch::{self, error::RecvError};
use tokio::time::{Instant, timeout_at};
use tower_lsp::lsp_types::notification::Notification;

use crate::clouds::Seen;
use crate::editor::Editor;
use crate::handlers::status::status_of;
use crate::limits::PROGRESS_INTERVAL;
use crate::wire::{method, status::Status};

mod bar;

use bar::Bar;

enum StatusChanged {}

impl Notification for StatusChanged {
    type Params = Status;
    const METHOD: &'static str = method::STATUS;
}

/// What an editor shows of the model's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    StatusOnly,
    StatusAndProgress,
}

/// What there is to tell.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) provider: ProviderId,
    pub(crate) state: StateReceiver,
    pub(crate) seen: watch::Receiver<Seen>,
}

/// Tells what is known, and each change of it, until the session ends.
pub(crate) async fn announce(editor: Editor, known: Known, show: Show) {
    let Known { provider, mut state, mut seen } = known;
    let mut bar = Bar::new(editor.clone(), show);
    let mut told = state.borrow().clone();
    loop {
        tell(&editor, &told, &provider, &mut seen).await;
        bar.follow(&told).await;
        let next_report = Instant::now() + PROGRESS_INTERVAL;
        let next = loop {
            tokio::select! {
                next = next_state(&mut state, &told, next_report) => break next,
                () = changed(&mut seen) => break Ok(told),
                allowed = bar.answered() => bar.open(allowed, &told).await,
            }
        };
        match next {
            Ok(next) => told = next,
            Err(_) => break,
        }
    }
    bar.end().await;
    // The model stays as it is; who answers may change.
    let last = state.borrow().clone();
    loop {
        changed(&mut seen).await;
        tell(&editor, &last, &provider, &mut seen).await;
    }
}

async fn tell(editor: &Editor, state: &ModelState, provider: &ProviderId, seen: &mut watch::Receiver<Seen>) {
    let seen = seen.borrow_and_update().clone();
    editor.tell::<StatusChanged>(status_of(state, provider, seen)).await;
}

/// Waits for something else to tell, for ever if there will be none.
async fn changed(seen: &mut watch::Receiver<Seen>) {
    if seen.changed().await.is_err() {
        std::future::pending().await
    }
}

/// The next state worth telling: another kind at once, another step of the same kind not before `next_report`.
async fn next_state(
    state: &mut StateReceiver,
    told: &ModelState,
    next_report: Instant,
) -> Result<ModelState, RecvError> {
    let kind = std::mem::discriminant(told);
    let other_kind = state.wait_for(|state| std::mem::discriminant(state) != kind);
    if let Ok(next) = timeout_at(next_report, other_kind).await {
        return next.map(|next| next.clone());
    }
    state.wait_for(|state| state != told).await.map(|next| next.clone())
}

/// Whole percents.
fn percent(done: u64, total: u64) -> Option<u32> {
    let percent = done.min(total).checked_mul(100)?.checked_div(total)?;
    u32::try_from(percent).ok()
}

fn megabytes(bytes: u64) -> u64 {
    bytes / 1_000_000
}

#[cfg(test)]
mod tests;
