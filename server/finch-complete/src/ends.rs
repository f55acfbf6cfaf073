//! Where an answer ends, found while it arrives.
//!
//! An answer is read line by line, and at each line a table of ends is asked in order; the first that applies
//! cuts the answer and the model stops working. The verdict on a line never depends on what comes after it: an
//! answer is cut at the same place however it is split into chunks. What remains is polished in `rules`.

use crate::characters;
use crate::extent::Extent;
use crate::limits::{
    CYCLE_BYTES_MAX, CYCLE_LINES_MAX, CYCLE_RUN_BYTES_MIN, CYCLE_TIMES_MIN, LEADING_BLANK_LINES_MAX, LINE_BYTES_MAX,
    TAIL_OVERLAP_CHARS_MIN, TELLING_CHARS_MIN,
};
use crate::outcome::{Reason, Rule};
use crate::place::{Place, is_blank, telling_chars};

mod scope;
mod statement;

/// Where to cut an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    /// The bytes of the answer that stay.
    pub(crate) at: usize,
    /// Why there is no suggestion if nothing worth showing stays.
    pub(crate) silence: Reason,
}

/// Whether the model may still add to the last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastLine {
    Open,
    Complete,
}

/// An answer, split into lines.
pub(crate) struct Answer<'a> {
    pub(crate) text: &'a str,
    lines: Vec<Line<'a>>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) text: &'a str,
    /// Where it starts in the answer.
    pub(crate) start: usize,
    /// Whether more of it may come.
    pub(crate) end: LastLine,
}

type Find = fn(&Answer<'_>, usize, &Place) -> Option<End>;

/// Asked in this order for each line.
const ENDS: &[Find] = &[
    statement::ends_with_its_line,
    unwanted_character,
    loop_in_line,
    line_goes_on,
    comment_ends,
    reaches_tail,
    line_too_long,
    blank_line,
    scope::leaves_scope,
    reaches_line_below,
    repeats_lines,
    lines_max,
];

/// The place where the answer ends, if it is known yet.
pub(crate) fn find(text: &str, place: &Place, last: LastLine) -> Option<End> {
    let answer = Answer::new(text, last);
    (0..answer.lines.len()).find_map(|n| ENDS.iter().find_map(|find| find(&answer, n, place)))
}

impl<'a> Answer<'a> {
    fn new(text: &'a str, last: LastLine) -> Self {
        let mut lines: Vec<Line<'a>> = Vec::new();
        let mut start = 0;
        for line in text.split('\n') {
            lines.push(Line { text: line, start, end: LastLine::Complete });
            start += line.len() + 1;
        }
        if let Some(line) = lines.last_mut() {
            line.end = last;
        }
        Self { text, lines }
    }

    fn cut_before(&self, n: usize, silence: Reason) -> Option<End> {
        self.lines.get(n).map(|line| End { at: line.start.saturating_sub(1), silence })
    }

    fn cut_after(&self, n: usize, silence: Reason) -> Option<End> {
        self.lines.get(n).map(|line| End { at: line.start + line.text.len(), silence })
    }

    fn is_complete(&self, n: usize) -> bool {
        self.lines[n].end == LastLine::Complete
    }

    /// Line `n` as it would stand in the document.
    fn full_line(&self, n: usize, place: &Place) -> String {
        let head = if n == 0 { place.head() } else { "" };
        head.to_owned() + self.lines[n].text
    }
}

fn unwanted_character(answer: &Answer<'_>, n: usize, _: &Place) -> Option<End> {
    let found = characters::are_unwanted(answer.lines[n].text);
    found.then_some(End { at: 0, silence: Reason::Filtered(Rule::Characters) })
}

/// A few bytes over and over: the model does not find out of a loop.
fn loop_in_line(answer: &Answer<'_>, n: usize, _: &Place) -> Option<End> {
    let line = answer.lines[n].text.as_bytes();
    let looping = (1..=CYCLE_BYTES_MAX).any(|unit| has_run(line, unit));
    looping.then_some(End { at: 0, silence: Reason::Filtered(Rule::Repetition) })
}

/// Whether a unit of so many bytes follows itself often enough. Rulers such as `-----` do not count.
fn has_run(line: &[u8], unit: usize) -> bool {
    let wanted = (unit * CYCLE_TIMES_MIN).max(CYCLE_RUN_BYTES_MIN);
    let mut run = unit;
    for at in unit..line.len() {
        run = if line[at] == line[at - unit] { run + 1 } else { unit };
        if run >= wanted && line[at + 1 - unit..=at].iter().any(u8::is_ascii_alphanumeric) {
            return true;
        }
    }
    false
}

fn line_goes_on(answer: &Answer<'_>, n: usize, place: &Place) -> Option<End> {
    if n > 0 && place.line_goes_on() { answer.cut_before(n, Reason::Empty) } else { None }
}

/// A comment is finished, never followed by code: the user is writing text. After a complete one, code may follow.
fn comment_ends(answer: &Answer<'_>, n: usize, place: &Place) -> Option<End> {
    let finishes_comment = n == 1 && place.in_comment() && !is_blank(answer.lines[0].text);
    if finishes_comment { answer.cut_before(1, Reason::Empty) } else { None }
}

/// The answer goes on to write what already stands behind the cursor.
fn reaches_tail(answer: &Answer<'_>, n: usize, place: &Place) -> Option<End> {
    let tail = place.tail().trim();
    if n > 0 || telling_chars(tail) == 0 || tail.chars().count() < TAIL_OVERLAP_CHARS_MIN {
        return None;
    }
    let at = answer.lines[n].text.find(tail)?;
    Some(End { at, silence: Reason::DuplicateSuffix })
}

fn line_too_long(answer: &Answer<'_>, n: usize, _: &Place) -> Option<End> {
    let too_long = answer.lines[n].text.len() > LINE_BYTES_MAX;
    if too_long { answer.cut_before(n, Reason::Filtered(Rule::TooLong)) } else { None }
}

fn blank_line(answer: &Answer<'_>, n: usize, place: &Place) -> Option<End> {
    if n == 0 || !answer.is_complete(n) || !is_blank(answer.lines[n].text) {
        return None;
    }
    let before_code = is_blank(place.head()) && is_blank(&answer.text[..answer.lines[n].start]);
    let allowed = before_code && n < LEADING_BLANK_LINES_MAX;
    let in_body = place.extent() == Extent::Function && may_go_on(answer.lines[n - 1].text);
    if allowed || in_body || is_in_long_string(answer, n, place) { None } else { answer.cut_before(n, Reason::Empty) }
}

/// Whether a body may go on behind a line and a blank one. It does not behind a second, nor where it is left.
fn may_go_on(line: &str) -> bool {
    let leaves = ["return", "raise", "throw", "break", "continue", "pass"];
    !is_blank(line) && !leaves.iter().any(|word| line.trim_start().starts_with(word))
}

/// A docstring that the answer opened may hold blank lines.
fn is_in_long_string(answer: &Answer<'_>, n: usize, place: &Place) -> bool {
    let written = place.head().to_owned() + &answer.text[..answer.lines[n].start];
    ["\"\"\"", "'''"].iter().any(|quotes| written.matches(quotes).count() % 2 == 1)
}

/// The answer arrives at the code below the cursor.
fn reaches_line_below(answer: &Answer<'_>, n: usize, place: &Place) -> Option<End> {
    let mut below = place.below();
    let first = below.next()?;
    if !answer.is_complete(n) {
        return None;
    }
    let line = answer.full_line(n, place);
    if line.trim_end() == first.trim_end() {
        return answer.cut_before(n, Reason::DuplicateSuffix);
    }
    // Two of them in a row are recognised however they are indented.
    let (above, second) = (answer.full_line(n.checked_sub(1)?, place), below.next()?);
    let both = above.trim() == first.trim() && line.trim() == second.trim();
    let telling = telling_chars(first) + telling_chars(second) >= TELLING_CHARS_MIN;
    if both && telling { answer.cut_before(n - 1, Reason::DuplicateSuffix) } else { None }
}

/// The last lines are the lines before them once more.
fn repeats_lines(answer: &Answer<'_>, n: usize, place: &Place) -> Option<End> {
    if !answer.is_complete(n) {
        return None;
    }
    let lines: Vec<String> = (0..=n).map(|line| answer.full_line(line, place)).collect();
    let period = (1..=CYCLE_LINES_MAX).find(|&period| {
        let Some(first) = (n + 1).checked_sub(2 * period) else { return false };
        let (once, again) = lines[first..].split_at(period);
        once == again && telling_chars(&once.concat()) >= TELLING_CHARS_MIN
    })?;
    answer.cut_before(n + 1 - period, Reason::Filtered(Rule::Repetition))
}

fn lines_max(answer: &Answer<'_>, n: usize, place: &Place) -> Option<End> {
    if n >= place.extent().lines_max() { answer.cut_before(n, Reason::Empty) } else { None }
}
