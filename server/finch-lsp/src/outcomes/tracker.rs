//! What became of suggestions, from what was offered, what the text became, and what the client reports. Pure.
//!
//! Time is passed in. Invariants: each suggestion is shown once and rejected once at most; a rejection is told only of
//! what was seen; an acceptance that is both reported and inferred is told once. Everything is bounded; what does not
//! fit is not measured.

use std::collections::VecDeque;
use std::sync::Arc;

use finch_learn::record::{About, AcceptedKind, Texts};
use tokio::time::Instant;

use super::region::{Edge, Region};
use super::standing::{Move, Standing};
use crate::documents::Splice;
use crate::limits::{KEPT_AFTER_S, REGION_BYTES_MAX, SUGGESTIONS_MAX, VISIBLE_AFTER, WATCHES_MAX};

/// A suggestion, and where it came from.
#[derive(Debug, PartialEq)]
pub(crate) struct Origin {
    pub(crate) id: u64,
    pub(crate) about: About,
    pub(crate) texts: Option<Texts>,
}

/// A suggestion on its way to the client.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) origin: Arc<Origin>,
    pub(crate) uri: String,
    /// The byte where the text that it replaces begins, and that text.
    pub(crate) start: usize,
    pub(crate) replaced: String,
    pub(crate) text: String,
}

/// Something to be written down.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) origin: Arc<Origin>,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    Shown,
    Accepted {
        kind: AcceptedKind,
        length: u64,
    },
    Rejected {
        reason: String,
    },
    /// So long after it was accepted, `now` stands where `inserted` was put.
    Due {
        after_s: u32,
        inserted: String,
        now: String,
    },
}

/// What a person says something about.
#[derive(Debug, PartialEq)]
pub(crate) struct Subject {
    pub(crate) origin: Arc<Origin>,
    /// What stands in its place, if that is something else.
    pub(crate) correction: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Tracker {
    standing: Option<Standing>,
    /// What else was offered there. It counts as unseen, and nothing is told of it, until the client shows it or it is
    /// taken: then it stands instead.
    others: Vec<Standing>,
    /// Oldest first.
    watches: VecDeque<Watch>,
    known: VecDeque<Known>,
    last_shown: Option<u64>,
    /// The client tells what it shows, so nothing else counts as shown.
    tells: bool,
    told: Vec<Told>,
}

/// A suggestion that was offered, and what is known of it.
#[derive(Debug)]
struct Known {
    origin: Arc<Origin>,
    shown: bool,
    accepted: Option<(AcceptedKind, u64)>,
    rejected: bool,
}

/// A place that is followed for a while.
#[derive(Debug)]
struct Watch {
    origin: Arc<Origin>,
    uri: String,
    region: Region,
    since: Instant,
    purpose: Purpose,
}

#[derive(Debug)]
enum Purpose {
    /// To see how much is kept; `next` of the times is the next to come.
    Kept { inserted: String, next: usize },
    /// To see what is typed instead of a suggestion of so many lines.
    Instead { lines: usize },
}

impl Tracker {
    /// What there is to be written down since the last time.
    pub(crate) fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// Suggestions for one place go to the client, which shows the first of them.
    pub(crate) fn offered(&mut self, offers: Vec<Offer>, now: Instant) {
        let mut offers = offers.into_iter();
        let Some(first) = offers.next() else { return };
        self.offered_first(first, now);
        self.others.clear();
        for offer in offers {
            self.know(&offer.origin);
            self.others.push(Standing::new(offer, now));
        }
    }

    fn offered_first(&mut self, offer: Offer, now: Instant) {
        self.ripen(now);
        match &mut self.standing {
            Some(standing) if standing.origin.id == offer.origin.id && standing.uri == offer.uri => {
                standing.offered_again(offer);
                return;
            }
            Some(standing) if standing.is_complete() => self.end("typed-through", None, now),
            // Another suggestion in the same place is nobody's rejection.
            Some(_) | None => {}
        }
        self.know(&offer.origin);
        self.standing = Some(Standing::new(offer, now));
    }

    fn know(&mut self, origin: &Arc<Origin>) {
        if self.known(origin.id).is_none() {
            if self.known.len() >= SUGGESTIONS_MAX {
                self.known.pop_front();
            }
            let origin = Arc::clone(origin);
            self.known.push_back(Known { origin, shown: false, accepted: None, rejected: false });
        }
    }

    /// Another of the offered ones stands now, if it is one; the one before may come back.
    fn turn_to(&mut self, id: u64) {
        let at = self.others.iter().position(|other| other.origin.id == id);
        if let (Some(at), Some(standing)) = (at, &mut self.standing) {
            std::mem::swap(standing, &mut self.others[at]);
        }
    }

    /// Follows a change in those that do not stand. One that came in at once, or is all there, stands from now on: the
    /// user took it, and of the one before it nothing is told.
    fn follow_others(&mut self, splice: &Splice) -> Option<Move> {
        let mut taken = None;
        let is_standing_over = self.standing.as_ref().is_some_and(|standing| standing.would_be_over(splice));
        self.others.retain_mut(|other| match other.follow(splice) {
            Move::Over(_) => false,
            said => {
                if is_standing_over && taken.is_none() && (matches!(said, Move::Inserted(_)) || other.is_complete()) {
                    taken = Some((other.origin.id, said));
                }
                true
            }
        });
        let (id, said) = taken?;
        self.turn_to(id);
        self.others.clear();
        Some(said)
    }

    /// A suggestion is asked for, here.
    pub(crate) fn asked(&mut self, uri: &str, offset: usize, now: Instant) {
        self.ripen(now);
        if let Some(standing) = &self.standing {
            let is_here = standing.uri == uri && standing.cursor() == offset;
            match (standing.is_complete(), is_here) {
                (true, _) => self.end("typed-through", None, now),
                (false, false) => self.end("moved-on", None, now),
                (false, true) => {}
            }
        }
    }

    /// A document changed.
    pub(crate) fn changed(&mut self, uri: &str, splices: &[Splice], now: Instant) {
        self.ripen(now);
        for splice in splices {
            self.watches.retain_mut(|watch| watch.uri != uri || watch.region.follow(splice).is_ok());
            let Some(standing) = self.standing.as_mut().filter(|standing| standing.uri == uri) else { continue };
            if standing.is_complete() {
                self.end("typed-through", None, now);
                continue;
            }
            let before = standing.done;
            let taken = self.follow_others(splice);
            let Some(standing) = &mut self.standing else { continue };
            match taken.unwrap_or_else(|| standing.follow(splice)) {
                Move::Inserted(kind) => self.inserted(kind, now),
                Move::Over(instead) => self.end("typed-over", Some(instead), now),
                Move::Typed if standing.done < before && standing.from.is_some() => {
                    // What was accepted is being edited.
                    self.standing = None;
                }
                Move::Typed | Move::Elsewhere => {}
            }
        }
    }

    /// A document was closed.
    pub(crate) fn closed(&mut self, uri: &str, now: Instant) {
        self.ripen(now);
        if self.standing.as_ref().is_some_and(|standing| standing.uri == uri) {
            self.end("closed", None, now);
        }
        self.lost(uri);
    }

    /// The text of a document is not known any more.
    pub(crate) fn lost(&mut self, uri: &str) {
        self.standing.take_if(|standing| standing.uri == uri);
        self.watches.retain(|watch| watch.uri != uri);
    }

    /// The client shows it.
    pub(crate) fn shown(&mut self, id: u64) {
        self.tells = true;
        self.turn_to(id);
        self.see(id);
    }

    /// A client that tells what it shows says that this much was accepted.
    pub(crate) fn told_accepted(&mut self, id: u64, kind: AcceptedKind, length: u64) {
        self.tells = true;
        self.accepted(id, kind, length);
    }

    /// This much was accepted; all of it if the length is 0.
    pub(crate) fn accepted(&mut self, id: u64, kind: AcceptedKind, length: u64) {
        self.turn_to(id);
        let standing = self.standing.as_ref().filter(|standing| standing.origin.id == id);
        let length = match (length, standing) {
            (0, Some(standing)) => standing.whole_length(),
            (length, _) => length,
        };
        // If its text is not there yet, the change to come says where.
        let is_over = standing.is_some_and(Standing::is_complete);
        self.accept(id, kind, length);
        if is_over {
            self.standing = None;
        }
    }

    /// The client says that it was not wanted.
    pub(crate) fn rejected(&mut self, id: u64, reason: String, now: Instant) {
        self.tells = true;
        self.see(id);
        self.reject(id, reason);
        if let Some(standing) = self.standing.take_if(|standing| standing.origin.id == id) {
            self.watch_instead(standing, String::new(), now);
        }
    }

    /// What the last suggestion that was seen, or this one, is and became.
    pub(crate) fn subject(&mut self, id: Option<u64>) -> Option<Subject> {
        let id = id.or(self.last_shown)?;
        let origin = Arc::clone(&self.known(id)?.origin);
        let watch = self.watches.iter().rev().find(|watch| watch.origin.id == id);
        let correction = watch.and_then(|watch| match &watch.purpose {
            Purpose::Kept { inserted, .. } => (watch.region.text != *inserted).then(|| watch.region.text.clone()),
            Purpose::Instead { lines } => {
                let instead: String = watch.region.text.split_inclusive('\n').take(*lines).collect();
                (!instead.trim().is_empty()).then_some(instead)
            }
        });
        Some(Subject { origin, correction })
    }

    /// When there will be something to do if nothing else happens.
    pub(crate) fn due(&self) -> Option<Instant> {
        let watched = self.watches.iter().map(Watch::due);
        let seen = self.standing.iter().filter(|standing| self.is_unseen(standing));
        watched.chain(seen.map(|standing| standing.since + VISIBLE_AFTER)).min()
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.ripen(now);
        let mut due = Vec::new();
        self.watches.retain_mut(|watch| {
            while watch.due() <= now {
                let Purpose::Kept { inserted, next } = &mut watch.purpose else { return false };
                let after_s = KEPT_AFTER_S[*next];
                let what = What::Due { after_s, inserted: inserted.clone(), now: watch.region.text.clone() };
                due.push(Told { origin: Arc::clone(&watch.origin), what });
                *next += 1;
                if *next == KEPT_AFTER_S.len() {
                    return false;
                }
            }
            true
        });
        // What somebody inserted who did not say that he accepted it is no acceptance.
        for told in due {
            if self.known(told.origin.id).is_none_or(|known| known.accepted.is_some()) {
                self.told.push(told);
            }
        }
    }

    fn is_unseen(&self, standing: &Standing) -> bool {
        let is_seen = |known: &Known| known.origin.id == standing.origin.id && known.shown;
        !self.tells && !self.known.iter().any(is_seen)
    }

    /// A suggestion that stood long enough was seen, if the client is not one that would say so.
    fn ripen(&mut self, now: Instant) {
        let ripe = |standing: &&Standing| self.is_unseen(standing) && now >= standing.since + VISIBLE_AFTER;
        if let Some(id) = self.standing.as_ref().filter(ripe).map(|standing| standing.origin.id) {
            self.see(id);
        }
    }

    /// A part of the standing suggestion came into the text at once.
    fn inserted(&mut self, kind: AcceptedKind, now: Instant) {
        let Some(standing) = &self.standing else { return };
        let (origin, length, complete) = (Arc::clone(&standing.origin), standing.length(), standing.is_complete());
        let from = standing.from.unwrap_or(standing.done);
        let text = standing.text[from..standing.done].to_owned();
        let region = Region { start: standing.start + from, text: text.clone(), edge: Edge::Fixed };
        let uri = standing.uri.clone();
        self.watches.retain(|watch| watch.origin.id != origin.id);
        let id = origin.id;
        self.watch(Watch { origin, uri, region, since: now, purpose: Purpose::Kept { inserted: text, next: 0 } });
        if !self.tells {
            self.accept(id, kind, length);
        }
        if complete {
            self.standing = None;
        }
    }

    /// The standing suggestion stands no more.
    fn end(&mut self, reason: &str, instead: Option<String>, now: Instant) {
        if let Some(standing) = self.standing.take() {
            self.reject(standing.origin.id, reason.to_owned());
            if !standing.is_complete() {
                let instead = instead.unwrap_or_else(|| standing.text[..standing.done].to_owned());
                self.watch_instead(standing, instead, now);
            }
        }
    }

    fn watch_instead(&mut self, standing: Standing, text: String, now: Instant) {
        if standing.from.is_none() {
            let region = Region { start: standing.start, text, edge: Edge::Growing };
            let purpose = Purpose::Instead { lines: standing.text.split_inclusive('\n').count() };
            self.watch(Watch { origin: standing.origin, uri: standing.uri, region, since: now, purpose });
        }
    }

    fn watch(&mut self, watch: Watch) {
        if watch.region.text.len() > REGION_BYTES_MAX / 2 {
            return;
        }
        if self.watches.len() >= WATCHES_MAX {
            self.watches.pop_front();
        }
        self.watches.push_back(watch);
    }

    fn see(&mut self, id: u64) {
        let Some(known) = self.known(id) else { return };
        let first = !std::mem::replace(&mut known.shown, true);
        let origin = Arc::clone(&known.origin);
        self.last_shown = Some(id);
        if first {
            self.told.push(Told { origin, what: What::Shown });
        }
    }

    fn accept(&mut self, id: u64, kind: AcceptedKind, length: u64) {
        self.see(id);
        let Some(known) = self.known(id) else { return };
        if known.accepted.is_none_or(|(most, longest)| kind > most || length > longest) {
            known.accepted = Some(known.accepted.map_or((kind, length), |(k, l)| (k.max(kind), l.max(length))));
            let origin = Arc::clone(&known.origin);
            self.told.push(Told { origin, what: What::Accepted { kind, length } });
        }
    }

    fn reject(&mut self, id: u64, reason: String) {
        let Some(known) = self.known(id) else { return };
        if known.shown && !known.rejected && known.accepted.is_none() {
            known.rejected = true;
            let origin = Arc::clone(&known.origin);
            self.told.push(Told { origin, what: What::Rejected { reason } });
        }
    }

    fn known(&mut self, id: u64) -> Option<&mut Known> {
        self.known.iter_mut().rev().find(|known| known.origin.id == id)
    }
}

impl Watch {
    fn due(&self) -> Instant {
        let after_s = match &self.purpose {
            Purpose::Kept { next, .. } => KEPT_AFTER_S[*next],
            Purpose::Instead { .. } => KEPT_AFTER_S[KEPT_AFTER_S.len() - 1],
        };
        self.since + std::time::Duration::from_secs(after_s.into())
    }
}

#[cfg(test)]
mod tests;
