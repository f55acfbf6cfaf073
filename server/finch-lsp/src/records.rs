//! What became of the requests for a suggestion: the last one in full, the suggestions with their fate.
//!
//! Bounded and in memory. Invariant: the last record is the one that was asked last, whatever order answers
//! came in. The lock is held for a few copies and never across an await.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use finch_complete::{Outcome, Source, Times};
use finch_llm::Usage;

use crate::limits::{REJECTION_BYTES_MAX, SUGGESTIONS_MAX};
use crate::why::Why;
use crate::wire::explain::Fate;
use crate::wire::suggestion::{DidAccept, DidReject};

/// One request for a suggestion, answered.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Counts the requests.
    order: u64,
    pub(crate) uri: String,
    /// The version asked about, if the text was known.
    pub(crate) version: Option<i64>,
    /// Set exactly when there was no suggestion.
    pub(crate) why: Option<Why>,
    pub(crate) id: Option<u64>,
    /// What else was offered for the place.
    pub(crate) alternatives: Vec<u64>,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) source: Option<Source>,
    pub(crate) usage: Usage,
    pub(crate) times: Times,
}

impl Record {
    pub(crate) fn new(order: u64, uri: &str, version: Option<i64>) -> Self {
        Self {
            order,
            uri: uri.to_owned(),
            version,
            why: None,
            id: None,
            alternatives: Vec::new(),
            provider: String::new(),
            model: String::new(),
            source: None,
            usage: Usage::default(),
            times: Times::default(),
        }
    }

    /// Takes over what the completer found out.
    pub(crate) fn fill(&mut self, outcome: &Outcome) {
        self.why = outcome.reason.clone().map(Why::Completer);
        self.id = Some(outcome.id);
        self.alternatives = outcome.alternatives.iter().map(|alternative| alternative.id).collect();
        self.provider.clone_from(&outcome.provider);
        self.model.clone_from(&outcome.model);
        self.source = Some(outcome.source);
        self.usage = outcome.usage;
        self.times = outcome.timings;
    }
}

#[derive(Debug, Default)]
pub(crate) struct Records {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    last: Option<Record>,
    /// Suggestions that were handed out, oldest first.
    fates: VecDeque<(u64, Fate)>,
}

impl Records {
    pub(crate) fn add(&self, record: Record) {
        let mut held = self.held();
        let offered = record.id.filter(|_| record.why.is_none());
        for id in offered.into_iter().chain(record.alternatives.iter().copied()) {
            held.expect(id);
        }
        if held.last.as_ref().is_none_or(|last| last.order < record.order) {
            held.last = Some(record);
        }
    }

    /// The last request, and what became of its suggestion.
    pub(crate) fn last(&self) -> Option<(Record, Option<Fate>)> {
        let mut held = self.held();
        let record = held.last.clone()?;
        let fate = record.id.filter(|_| record.why.is_none()).and_then(|id| held.fate(id)).cloned();
        Some((record, fate))
    }

    pub(crate) fn shown(&self, id: u64) {
        self.with_fate(id, |fate| fate.shown = true);
    }

    /// Editors may report one acceptance twice, by the command and by the notification; both come to the same.
    pub(crate) fn accepted(&self, accept: &DidAccept) {
        self.with_fate(accept.id, |fate| {
            fate.accepted_length = fate.accepted_length.max(accept.length);
            fate.accepted = Some(accept.kind);
        });
    }

    pub(crate) fn rejected(&self, reject: DidReject) {
        let mut reason = reject.reason;
        reason.truncate(reason.floor_char_boundary(REJECTION_BYTES_MAX));
        self.with_fate(reject.id, |fate| fate.rejected = Some(reason));
    }

    fn with_fate(&self, id: u64, change: impl FnOnce(&mut Fate)) {
        match self.held().fate(id) {
            Some(fate) => change(fate),
            None => tracing::debug!(id, "the client reported on a suggestion that is not remembered"),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// The suggestion was handed out.
    fn expect(&mut self, id: u64) {
        if self.fate(id).is_none() {
            if self.fates.len() >= SUGGESTIONS_MAX {
                self.fates.pop_front();
            }
            self.fates.push_back((id, Fate::default()));
        }
    }

    /// The newest is looked for most.
    fn fate(&mut self, id: u64) -> Option<&mut Fate> {
        self.fates.iter_mut().rev().find(|(known, _)| *known == id).map(|(_, fate)| fate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::suggestion::AcceptKind;

    fn suggested(order: u64, id: u64) -> Record {
        Record { id: Some(id), ..Record::new(order, "file:///a", None) }
    }

    #[test]
    fn the_last_record_is_the_one_that_was_asked_last() {
        let records = Records::default();
        assert!(records.last().is_none());
        records.add(suggested(2, 20));
        records.add(suggested(1, 10));
        assert_eq!(records.last().and_then(|(record, _)| record.id), Some(20));
    }

    #[test]
    fn reports_add_up_to_a_fate() {
        let records = Records::default();
        records.add(suggested(1, 7));
        records.shown(7);
        records.accepted(&DidAccept { id: 7, length: 9, kind: AcceptKind::Line });
        records.accepted(&DidAccept { id: 7, length: 4, kind: AcceptKind::Word });
        records.rejected(DidReject { id: 7, reason: "é".repeat(1000) });
        records.shown(8);
        let fate = records.last().and_then(|(_, fate)| fate).expect("a suggestion has a fate");
        assert!(fate.shown);
        assert_eq!((fate.accepted_length, fate.accepted), (9, Some(AcceptKind::Word)));
        assert_eq!(fate.rejected.map(|reason| reason.len()), Some(REJECTION_BYTES_MAX));
    }

    #[test]
    fn only_so_many_suggestions_are_remembered() {
        let records = Records::default();
        for id in 0..2 * SUGGESTIONS_MAX as u64 {
            records.add(suggested(id, id));
        }
        let held = records.held();
        assert_eq!(held.fates.len(), SUGGESTIONS_MAX);
        assert_eq!(held.fates.front().map(|(id, _)| *id), Some(SUGGESTIONS_MAX as u64));
    }

    #[test]
    fn a_request_without_suggestion_has_no_fate() {
        let records = Records::default();
        records.add(Record { why: Some(Why::Disabled), ..suggested(1, 7) });
        records.shown(7);
        assert!(records.last().is_some_and(|(_, fate)| fate.is_none()));
    }
}
