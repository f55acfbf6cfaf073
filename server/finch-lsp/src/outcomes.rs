//! What becomes of suggestions, on its way to the journal.
//!
//! It gives [`tracker`] the time and a lock, and turns what that finds out into records. Without a journal it does
//! nothing. Invariant: an offer is taken in only while its ask counts, and a change stops asks before it comes here, so
//! an offer always belongs to the text as the tracker knows it.

mod kept;
mod region;
mod standing;
mod tracker;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use finch_complete::Completer;
use finch_learn::record::{Accepted, AcceptedKind, Event, Feedback, Kept, Record, Rejected, Shown, Verdict};
use finch_learn::{Collect, Journal, JournalError};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::delay::Pace;
use crate::documents::Splice;
use crate::limits::{DOCUMENTS_MAX, REJECTION_BYTES_MAX};
use crate::wire::suggestion::{AcceptKind, DidAccept};
use tracker::{Told, Tracker, What};

pub(crate) use tracker::{Offer, Origin};

/// Who says that a suggestion was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Teller {
    /// The client, which tells of everything.
    Client,
    /// The command of the item, which is all that some clients run.
    Command,
}

/// Why feedback was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotRecorded {
    #[error("nothing is recorded: learning.enabled is false in config.toml")]
    Disabled,
    #[error("no suggestion was shown yet")]
    NoneYet,
    #[error("there is no suggestion {id}, or it was too long ago")]
    Unknown { id: u64 },
}

pub(crate) struct Outcomes {
    journal: Option<Journal>,
    /// Learns where suggestions are not wanted. Those it was reconfigured to learn with it.
    completer: Arc<Completer>,
    pace: Arc<Pace>,
    held: Mutex<Held>,
    /// Something may be due earlier than before.
    news: Notify,
}

#[derive(Default)]
struct Held {
    tracker: Tracker,
    /// The languages of open documents.
    languages: HashMap<String, String>,
}

impl Outcomes {
    pub(crate) fn new(journal: Option<Journal>, completer: Arc<Completer>, pace: Arc<Pace>) -> Self {
        Self { journal, completer, pace, held: Mutex::default(), news: Notify::new() }
    }

    pub(crate) fn session(&self) -> String {
        self.journal.as_ref().map(|journal| journal.session().to_owned()).unwrap_or_default()
    }

    pub(crate) fn collects_text(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.collect() == Collect::Text)
    }

    pub(crate) fn language(&self, uri: &str) -> String {
        self.held().languages.get(uri).cloned().unwrap_or_default()
    }

    pub(crate) fn opened(&self, uri: &str, language: String) {
        self.with(|tracker, _| tracker.lost(uri));
        let languages = &mut self.held().languages;
        if languages.len() < DOCUMENTS_MAX || languages.contains_key(uri) {
            languages.insert(uri.to_owned(), language);
        }
    }

    pub(crate) fn changed(&self, uri: &str, splices: &[Splice]) {
        self.with(|tracker, now| tracker.changed(uri, splices, now));
    }

    pub(crate) fn closed(&self, uri: &str) {
        self.with(|tracker, now| tracker.closed(uri, now));
        self.held().languages.remove(uri);
    }

    pub(crate) fn lost(&self, uri: &str) {
        self.with(|tracker, _| tracker.lost(uri));
    }

    pub(crate) fn asked(&self, uri: &str, offset: usize) {
        self.with(|tracker, now| tracker.asked(uri, offset, now));
    }

    /// Takes in what is offered for one place, the first first, if its ask still counts.
    pub(crate) fn offered(&self, offers: impl FnOnce() -> Vec<Offer>, counts: impl FnOnce() -> bool) {
        if self.journal.is_none() {
            return;
        }
        let offers = offers();
        self.with(|tracker, now| {
            if counts() {
                tracker.offered(offers, now);
            }
        });
    }

    pub(crate) fn shown(&self, id: u64) {
        self.with(|tracker, _| tracker.shown(id));
    }

    pub(crate) fn accepted(&self, accept: &DidAccept, teller: Teller) {
        let kind = match accept.kind {
            AcceptKind::Word => AcceptedKind::Word,
            AcceptKind::Line => AcceptedKind::Line,
            AcceptKind::Full => AcceptedKind::Full,
        };
        if self.journal.is_none() {
            self.pace.held().accepted();
        }
        self.with(|tracker, _| match teller {
            Teller::Client => tracker.told_accepted(accept.id, kind, accept.length),
            Teller::Command => tracker.accepted(accept.id, kind, accept.length),
        });
    }

    pub(crate) fn rejected(&self, id: u64, reason: &str) {
        if self.journal.is_none() {
            self.pace.held().rejected();
        }
        let reason = reason[..reason.floor_char_boundary(REJECTION_BYTES_MAX)].to_owned();
        self.with(|tracker, now| tracker.rejected(id, reason, now));
    }

    /// Records what a person says of the last suggestion, or of this one; `done` is told when it is safe.
    ///
    /// # Errors
    /// [`NotRecorded`], and then `done` is told nothing.
    pub(crate) fn feedback(
        &self,
        id: Option<u64>,
        verdict: Verdict,
        note: Option<String>,
        done: impl FnOnce(Result<(), JournalError>) + Send + 'static,
    ) -> Result<u64, NotRecorded> {
        let journal = self.journal.as_ref().ok_or(NotRecorded::Disabled)?;
        let subject = self.held().tracker.subject(id);
        let subject = subject.ok_or_else(|| id.map_or(NotRecorded::NoneYet, |id| NotRecorded::Unknown { id }))?;
        let now_ms = now_ms();
        let feedback = Feedback {
            id: journal.feedback_id(now_ms),
            weight: verdict.weight(),
            note,
            correction: subject.correction,
        };
        journal.record_then(Record::new(now_ms, subject.origin.about.clone(), Event::Feedback(feedback)), done);
        Ok(subject.origin.id)
    }

    /// Does what is due, as long as the session lasts.
    pub(crate) async fn keep_time(self: Arc<Self>) {
        if self.journal.is_none() {
            return;
        }
        loop {
            let due = self.held().tracker.due();
            let time = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.news.notified() => {}
                () = time => self.with(Tracker::tick),
            }
        }
    }

    fn with(&self, work: impl FnOnce(&mut Tracker, Instant)) {
        let Some(journal) = &self.journal else { return };
        let (told, is_sooner) = {
            let tracker = &mut self.held().tracker;
            let before = tracker.due();
            work(tracker, Instant::now());
            let after = tracker.due();
            (tracker.take_told(), after.is_some_and(|after| before.is_none_or(|before| after < before)))
        };
        if is_sooner {
            self.news.notify_one();
        }
        let at_ms = now_ms();
        // Outside of the lock: how much of a text is kept takes its time.
        for told in told {
            match told.what {
                What::Accepted { .. } => {
                    self.completer.accepted(told.origin.id);
                    self.pace.held().accepted();
                }
                What::Rejected { .. } => {
                    self.completer.rejected(told.origin.id);
                    self.pace.held().rejected();
                }
                What::Shown | What::Due { .. } => {}
            }
            let about = told.origin.about.clone();
            journal.record(Record::new(at_ms, about, event_of(told)));
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn event_of(told: Told) -> Event {
    match told.what {
        What::Shown => Event::Shown(Shown { text: told.origin.texts.clone() }),
        What::Accepted { kind, length } => Event::Accepted(Accepted { kind, length }),
        What::Rejected { reason } => Event::Rejected(Rejected { reason }),
        What::Due { after_s, inserted, now } => {
            let share = kept::share(&inserted, &now);
            Event::Kept(Kept { after_s, share, text: Some(now) })
        }
    }
}

/// The wall clock, in milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
