//! Comments and strings where this user wants no ghost text: as configured, or as learnt from what was rejected.
//!
//! Evidence fades: a rejection counts for a while, so that silence is not for ever, and accepting ends it at once.

use std::collections::VecDeque;

use tokio::time::Instant;

use crate::limits::{FATES_MAX, QUIET_AFTER_REJECTIONS, QUIET_FADES, QUIET_SHOWN_MAX};
use crate::syntax::Token;

/// Whether text within code is worth a suggestion that nobody asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    Speak,
    /// Until the user has rejected it again and again.
    #[default]
    Learn,
    Silent,
}

/// Where to say nothing unless asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quiet {
    pub comments: Manner,
    pub strings: Manner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Accepted,
    Rejected,
}

/// What became of suggestions in comments and in strings.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    shown: VecDeque<(u64, Token)>,
    fates: VecDeque<(Token, Fate, Instant)>,
}

impl Tally {
    /// A suggestion was made in such a place.
    pub(crate) fn shown(&mut self, id: u64, token: Token) {
        if token == Token::Code {
            return;
        }
        if self.shown.len() == QUIET_SHOWN_MAX {
            self.shown.pop_front();
        }
        self.shown.push_back((id, token));
    }

    /// What became of it. Of several reports about one suggestion the first counts.
    pub(crate) fn ended(&mut self, id: u64, fate: Fate, now: Instant) {
        let at = self.shown.iter().position(|(shown, _)| *shown == id);
        let Some((_, token)) = at.and_then(|at| self.shown.remove(at)) else { return };
        if fate == Fate::Accepted {
            self.fates.retain(|(known, ..)| *known != token);
        }
        if self.fates.len() == FATES_MAX {
            self.fates.pop_front();
        }
        self.fates.push_back((token, fate, now));
    }

    /// Whether to say nothing there unless asked.
    pub(crate) fn is_quiet(&self, token: Token, quiet: Quiet, now: Instant) -> bool {
        let manner = match token {
            Token::Code => Manner::Speak,
            Token::Comment => quiet.comments,
            Token::Text => quiet.strings,
        };
        match manner {
            Manner::Speak => false,
            Manner::Silent => true,
            Manner::Learn => self.was_rejected(token, now),
        }
    }

    fn was_rejected(&self, token: Token, now: Instant) -> bool {
        let counts = |at: Instant| now.saturating_duration_since(at) < QUIET_FADES;
        let count = |wanted: Fate| {
            let known = |(of, fate, at): &&(Token, Fate, Instant)| *of == token && *fate == wanted && counts(*at);
            self.fates.iter().filter(known).count()
        };
        let (accepted, rejected) = (count(Fate::Accepted), count(Fate::Rejected));
        // Fewer than one in twenty.
        rejected >= QUIET_AFTER_REJECTIONS && accepted * 20 < accepted + rejected
    }
}

#[cfg(test)]
mod tests;
