//! From what a model said to what is shown: cut at its end, then polished.
//!
//! The completer calls it when an answer is over; the same text always gives the same suggestion.

use crate::ask::Trigger;
use crate::ends::{self, LastLine};
use crate::outcome::{Reason, Rule};
use crate::place::{Place, is_blank};
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
        Ended::Deadline => whole_part(text, place).ok_or(Reason::Deadline)?,
    };
    rules::polish(kept.to_owned(), place, trigger)
}

/// The whole lines of an unfinished answer; in a comment also the whole words of its only line.
fn whole_part<'a>(text: &'a str, place: &Place) -> Option<&'a str> {
    let end = text.rfind('\n').or_else(|| if place.in_comment() { text.rfind(' ') } else { None })?;
    let kept = &text[..end];
    (!is_blank(kept)).then_some(kept)
}

#[cfg(test)]
mod tests;
