//! Where the statement of the cursor's line ends, when no more than that is wanted.
//!
//! It ends with its line unless a bracket is open, the line cannot be the end of one, or it opened a block: then the
//! block is wanted too, and `scope` finds its end.

use crate::extent::Extent;
use crate::outcome::Reason;
use crate::place::{Brackets, Place, is_blank};

use super::{Answer, End, is_in_long_string};

/// Signs at the end of a line that the next line continues.
const CONTINUED: &[&str] = &[
    "(", "[", "{", ":", "\\", "=", "+", "-", "*", "%", "&&", "||", "|", "&", "=>", "->", ".", " and", " or", " not",
    " in",
];
/// Signs at the end of a line that only look like those.
const FINISHED: &[&str] = &["++", "--", "*/", "::*"];

/// The first line behind a statement that is complete.
pub(super) fn ends_with_its_line(answer: &Answer<'_>, n: usize, place: &Place) -> Option<End> {
    if n == 0 || place.extent() != Extent::Line || is_in_long_string(answer, n, place) {
        return None;
    }
    let first = (0..n).find(|&line| !is_blank(answer.lines[line].text))?;
    if first > 0 && !is_blank(place.head()) {
        // The cursor's line was complete: these are the statements after it.
        return None;
    }
    let lines: Vec<String> = (first..n).map(|line| answer.full_line(line, place).trim_end().to_owned()).collect();
    let opened = lines.iter().any(|line| line.ends_with([':', '{']));
    let last = lines.last()?;
    let continued = CONTINUED.iter().any(|end| last.ends_with(end)) && !FINISHED.iter().any(|end| last.ends_with(end));
    let brackets = Brackets::of(&lines.join("\n"));
    if opened || continued || !brackets.open.is_empty() {
        return None;
    }
    let certain = place.ends_with_lines() || last.ends_with([';', '}', ',']);
    if !certain && goes_on(answer, n) { None } else { answer.cut_before(n, Reason::Empty) }
}

/// Whether a line continues the statement above it, such as one of a chain of calls, or may still turn out to.
fn goes_on(answer: &Answer<'_>, n: usize) -> bool {
    let line = answer.lines[n].text.trim_start();
    match line.chars().next() {
        None => !answer.is_complete(n),
        Some(first) => matches!(first, '.' | '?' | ':' | '|' | '&' | '+' | '-' | '*' | '{' | '=' | ')' | ']' | '}'),
    }
}
