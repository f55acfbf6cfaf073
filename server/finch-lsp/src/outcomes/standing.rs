//! The suggestion that stands at the cursor, and how far the text agrees with it. Pure.
//!
//! It knows how much of its text is in the document already, typed or accepted, and says of each change what it means
//! for the suggestion. Editors that report nothing are understood by this alone, so it is careful: a piece that a person
//! could have typed between two messages is taken for typed.

use std::sync::Arc;

use finch_learn::record::AcceptedKind;
use tokio::time::Instant;

use super::tracker::{Offer, Origin};
use crate::documents::{Splice, common_start};
use crate::limits::INSERTED_CHARACTERS_MIN;

#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) origin: Arc<Origin>,
    pub(crate) uri: String,
    /// Where its text begins in the document.
    pub(crate) start: usize,
    pub(crate) text: String,
    /// Bytes of its text that are in the document.
    pub(crate) done: usize,
    /// What stands behind these and would be replaced.
    right: String,
    /// UTF-16 code units of the suggestion before `text`, from an earlier offer of it.
    units_before: u64,
    pub(crate) since: Instant,
    /// Where in its text the first part begins that was inserted at once.
    pub(crate) from: Option<usize>,
}

/// What a change means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Move {
    /// It has nothing to do with the suggestion.
    Elsewhere,
    /// Some more, or less, of the suggestion is typed.
    Typed,
    /// A part of the suggestion came in at once.
    Inserted(AcceptedKind),
    /// Something else stands in the place of the suggestion: this.
    Over(String),
}

impl Standing {
    pub(crate) fn new(offer: Offer, since: Instant) -> Self {
        let Offer { origin, uri, start, replaced, text } = offer;
        let done = common_start(&replaced, &text);
        let right = replaced[done..].to_owned();
        Self { origin, uri, start, text, done, right, units_before: 0, since, from: None }
    }

    /// The same suggestion was offered again, from where it stands now.
    pub(crate) fn offered_again(&mut self, offer: Offer) {
        let again = Self::new(offer, self.since);
        let same_place = again.start + again.done == self.cursor();
        if same_place && again.text[again.done..] == self.text[self.done..] {
            return;
        }
        let left = units(&again.text);
        let units_before = (self.units_before + units(&self.text)).saturating_sub(left);
        *self = Self { units_before, ..again };
    }

    /// Where the user types on.
    pub(crate) fn cursor(&self) -> usize {
        self.start + self.done
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.done == self.text.len()
    }

    /// UTF-16 code units of the suggestion that are in the document, from its start.
    pub(crate) fn length(&self) -> u64 {
        self.units_before + units(&self.text[..self.done])
    }

    /// All of them.
    pub(crate) fn whole_length(&self) -> u64 {
        self.units_before + units(&self.text)
    }

    /// Whether a change puts something else in its place.
    pub(crate) fn would_be_over(&self, splice: &Splice) -> bool {
        matches!(self.clone().follow(splice), Move::Over(_))
    }

    /// Follows one change of its document.
    pub(crate) fn follow(&mut self, splice: &Splice) -> Move {
        let range = &splice.range;
        let end = self.cursor() + self.right.len();
        let at_start = range.is_empty() && range.start == self.start;
        if range.end <= self.start && !at_start {
            self.start = self.start - range.len() + splice.text.len();
            return Move::Elsewhere;
        }
        if range.start > end || (range.start == end && !self.right.is_empty()) {
            return Move::Elsewhere;
        }
        let mut there = format!("{}{}", &self.text[..self.done], self.right);
        let within = range.start.saturating_sub(self.start)..range.end.min(end) - self.start;
        let is_whole = there.is_char_boundary(within.start) && there.is_char_boundary(within.end);
        if range.start < self.start || range.end > end || !is_whole {
            return Move::Over(splice.text.clone());
        }
        there.replace_range(within, &splice.text);
        let done = common_start(&there, &self.text);
        let Some(right) = self.right_of(&there[done..]) else { return Move::Over(there) };
        let before = std::mem::replace(&mut self.done, done);
        self.right = right;
        match self.text.get(before..done).and_then(|piece| kind_of(piece, &self.text[before..])) {
            Some(kind) => {
                self.from.get_or_insert(before);
                Move::Inserted(kind)
            }
            None => Move::Typed,
        }
    }

    /// What is to be replaced, if `rest`, which stands behind the agreeing text, is that and nothing else.
    fn right_of(&self, rest: &str) -> Option<String> {
        // An editor may close a bracket that was typed.
        let opened = rest.strip_suffix(self.right.as_str()).unwrap_or("");
        let is_closer = matches!(opened, ")" | "]" | "}" | "\"" | "'" | "`");
        (self.right.ends_with(rest) || is_closer).then(|| rest.to_owned())
    }
}

/// How much of a suggestion a piece at its beginning is, if it was inserted at once and not typed.
fn kind_of(piece: &str, rest: &str) -> Option<AcceptedKind> {
    let visible = piece.chars().filter(|character| !character.is_whitespace()).count();
    if visible == 0 || piece.chars().count() < INSERTED_CHARACTERS_MIN {
        return None;
    }
    if piece.len() == rest.len() {
        return Some(AcceptedKind::Full);
    }
    if piece.ends_with('\n') || rest[piece.len()..].starts_with(['\n', '\r']) {
        return Some(AcceptedKind::Line);
    }
    is_word(piece, rest).then_some(AcceptedKind::Word)
}

/// Whether the piece ends where a word of the rest does, and holds only that one.
fn is_word(piece: &str, rest: &str) -> bool {
    let class = |character: char| match character {
        '_' => 0,
        c if c.is_alphanumeric() => 0,
        c if c.is_whitespace() => 1,
        _ => 2,
    };
    let changes = |text: &str| {
        let classes: Vec<u8> = text.chars().map(class).collect();
        classes.windows(2).filter(|pair| pair[0] != pair[1]).count()
    };
    let with_next: String = rest.chars().take(piece.chars().count() + 1).collect();
    let is_blank_first = piece.starts_with(char::is_whitespace);
    let is_blank_last = piece.ends_with(char::is_whitespace);
    let ends_there = changes(&with_next) == changes(piece) + 1;
    ends_there && changes(piece) <= usize::from(is_blank_first) + usize::from(is_blank_last)
}

/// UTF-16 code units as the suggestion was sent: with line ends of one character.
fn units(text: &str) -> u64 {
    text.chars().filter(|character| *character != '\r').map(|character| character.len_utf16() as u64).sum()
}

#[cfg(test)]
mod tests;
