//! Which request for a suggestion still counts.
//!
//! Invariants: one ask at a time counts, the newest; an ask stops counting in the very call that changes or
//! closes its document, so an answer that is given belongs to the newest text; and every ask leaves exactly one
//! record, `cancelled` if nothing else was said before it is dropped.

use std::sync::Arc;

use finch_complete::Reason;
use tokio_util::sync::CancellationToken;

use crate::records::{Record, Records};
use crate::why::Why;

#[derive(Debug, Default)]
pub(crate) struct Asks {
    newest: Option<(String, CancellationToken)>,
    count: u64,
}

impl Asks {
    /// Starts an ask and stops the one before it.
    pub(crate) fn begin(&mut self, uri: &str, version: Option<i64>, records: &Arc<Records>) -> Ticket {
        self.stop();
        let token = CancellationToken::new();
        self.newest = Some((uri.to_owned(), token.clone()));
        self.count += 1;
        Ticket { token, records: Arc::clone(records), record: Some(Record::new(self.count, uri, version)) }
    }

    /// The document's text is another one now, or gone.
    pub(crate) fn stop_for(&mut self, uri: &str) {
        if self.newest.as_ref().is_some_and(|(asked, _)| asked == uri) {
            self.stop();
        }
    }

    pub(crate) fn stop(&mut self) {
        if let Some((_, token)) = self.newest.take() {
            token.cancel();
        }
    }
}

/// One ask, on its way to an answer.
#[derive(Debug)]
pub(crate) struct Ticket {
    token: CancellationToken,
    records: Arc<Records>,
    /// Present until it is handed in.
    record: Option<Record>,
}

impl Ticket {
    /// Runs `work` unless the ask stops counting first.
    pub(crate) async fn run<F: Future>(&self, work: F) -> Option<F::Output> {
        let done = self.token.run_until_cancelled(work).await;
        // Stopped in the instant the work was done: still stopped.
        done.filter(|_| !self.token.is_cancelled())
    }

    /// Whether its document is as it was and no newer ask came.
    pub(crate) fn counts(&self) -> bool {
        !self.token.is_cancelled()
    }

    /// Ends the ask with what became of it.
    pub(crate) fn finish(mut self, complete: impl FnOnce(&mut Record)) {
        if let Some(mut record) = self.record.take() {
            complete(&mut record);
            self.records.add(record);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(mut record) = self.record.take() {
            record.why = Some(Why::Completer(Reason::Cancelled));
            self.records.add(record);
        }
    }
}
