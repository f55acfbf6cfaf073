//! Where an answer leaves the block of the cursor, judged by indentation and brackets, whatever the language.

use crate::outcome::Reason;
use crate::place::{Brackets, Place, closes_only, indentation, is_blank, is_closing_bracket};

use super::{Answer, End};

/// First words of lines that continue the block above them in languages without brackets.
const CONTINUATIONS: &[&str] = &["else", "elif", "except", "finally", "catch", "rescue", "ensure", "elsif", "elseif"];

/// The first line that belongs to an outer block, or to the next statement when one was being completed.
pub(super) fn leaves_scope(answer: &Answer<'_>, n: usize, place: &Place) -> Option<End> {
    let line = answer.lines[n].text;
    if n == 0 || is_blank(line) {
        return None;
    }
    let on_blank_line = is_blank(place.head());
    let first = if on_blank_line { (0..=n).find(|&n| !is_blank(answer.lines[n].text))? } else { 0 };
    if first == n {
        // Code after leading blank lines: it may stand deeper than the cursor, not further out.
        return if indentation(line) < indentation(place.head()) { answer.cut_before(0, Reason::Empty) } else { None };
    }
    let base = if first == 0 && !place.may_indent() {
        // Whatever space the model adds to it, its first line stands where the cursor stands.
        indentation(place.head())
    } else {
        indentation(&answer.full_line(first, place))
    };
    match indentation(line).cmp(&base) {
        std::cmp::Ordering::Greater => None,
        std::cmp::Ordering::Equal if on_blank_line => None,
        std::cmp::Ordering::Equal => next_statement(answer, n, place, base),
        std::cmp::Ordering::Less => outer_line(answer, n, place),
    }
}

/// A line at the indentation of the cursor's line, which already held code.
fn next_statement(answer: &Answer<'_>, n: usize, place: &Place, base: usize) -> Option<End> {
    let line = answer.lines[n].text.trim();
    let went_deeper = (1..n).any(|n| !is_blank(answer.lines[n].text) && indentation(answer.lines[n].text) > base);
    if !went_deeper && is_blank(answer.lines[0].text) {
        // The cursor's line was complete: these are the statements after it.
        return None;
    }
    if line.starts_with(is_closing_bracket) {
        if !answer.is_complete(n) {
            return None;
        }
        // A line such as `} else {` closes and goes on.
        return if closes_only(line) { closing_line(answer, n, place) } else { None };
    }
    if went_deeper && may_continue(line, answer.is_complete(n)) {
        return None;
    }
    answer.cut_before(n, Reason::Empty)
}

/// Whether the line is the next part of the statement above it, or may still become it.
fn may_continue(line: &str, complete: bool) -> bool {
    let word: String = line.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let whole = complete || word.len() < line.len();
    CONTINUATIONS.iter().any(|&known| if whole { known == word } else { known.starts_with(&word) })
}

/// A line further out than the cursor's block.
fn outer_line(answer: &Answer<'_>, n: usize, place: &Place) -> Option<End> {
    let line = answer.lines[n].text;
    if !line.trim_start().starts_with(is_closing_bracket) {
        return answer.cut_before(n, Reason::Empty);
    }
    if !answer.is_complete(n) {
        return None;
    }
    if closes_only(line) { closing_line(answer, n, place) } else { answer.cut_before(n, Reason::Empty) }
}

/// A line of closing brackets ends the answer: with it if it closes what is open, without it otherwise.
/// Whether it stands behind the cursor already is for the rules to find out.
fn closing_line(answer: &Answer<'_>, n: usize, place: &Place) -> Option<End> {
    let line = answer.lines[n].text;
    let written = place.before().to_owned() + &answer.text[..answer.lines[n].start];
    let closes = Brackets::of(&written)
        .open
        .last()
        .is_some_and(|open| open.indentation == indentation(line) && line.trim_start().starts_with(open.closed_by));
    if closes { answer.cut_after(n, Reason::Empty) } else { answer.cut_before(n, Reason::Empty) }
}
