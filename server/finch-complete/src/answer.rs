//! From what a model said to what is shown: cut at its end, then polished.
//!
//! The completer calls it when an answer is over; the same text always gives the same suggestion.

use crate::ask::Trigger;
use crate::ends::{self, LastLine};
use crate::limits::TELLING_CHARS_MIN;
use crate::outcome::{Reason, Rule};
use crate::place::{Brackets, Place, is_blank, is_closing_bracket, telling_chars};
use crate::rules;

/// How an answer came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The model said all it had to say.
    Whole,
    /// A bound was reached: the last line may be half a line.
    TooLong,
    /// Time was up: the last line may be half a line.
    Deadline,
    /// What would have come next was a guess.
    Unsure,
}

/// The suggestion that an answer makes, or why it makes none.
pub(crate) fn settle(text: &str, ended: Ended, place: &Place, trigger: Trigger) -> Result<String, Reason> {
    let last = if ended == Ended::Whole { LastLine::Complete } else { LastLine::Open };
    if let Some(end) = ends::find(text, place, last) {
        let kept = &text[..end.at];
        return if is_blank(kept) { Err(end.silence) } else { rules::polish(kept.to_owned(), place, trigger) };
    }
    let kept = match ended {
        Ended::Whole => text,
        Ended::TooLong => whole_part(text, place).ok_or(Reason::Filtered(Rule::TooLong))?,
        Ended::Unsure => whole_part(text, place).ok_or(Reason::Filtered(Rule::Unsure))?,
        Ended::Deadline => whole_part(text, place).ok_or(Reason::Deadline)?,
    };
    rules::polish(kept.to_owned(), place, trigger)
}

/// The whole lines of an unfinished answer; of its only line the whole words in a comment, the whole calls in code.
fn whole_part<'a>(text: &'a str, place: &Place) -> Option<&'a str> {
    let words = || if place.in_comment() { text.rfind(' ') } else { whole_calls(text) };
    let kept = &text[..text.rfind('\n').or_else(words)?];
    (!is_blank(kept)).then_some(kept)
}

/// The end of the last call or group that is complete: what stands behind it may be half a name.
fn whole_calls(text: &str) -> Option<usize> {
    let mut brackets = Brackets::default();
    let mut end = None;
    for (at, c) in text.char_indices() {
        brackets.read(c.encode_utf8(&mut [0; 4]), |_, _| {});
        let closes = is_closing_bracket(c) || c == ';';
        let in_string = ['"', '\'', '`'].iter().any(|quote| text[..at].matches(*quote).count() % 2 == 1);
        if closes && brackets.open.is_empty() && !in_string {
            end = Some(at + 1);
        }
    }
    end.filter(|&end| telling_chars(&text[..end]) >= TELLING_CHARS_MIN)
}

#[cfg(test)]
mod tests;
