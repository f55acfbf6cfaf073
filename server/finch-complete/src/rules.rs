//! What becomes of an answer that was cut to its end: each rule changes it or drops it, in the order of a table.
//!
//! Pure functions of the text and the place; every rule leaves a text that is worth showing or says why not.

use crate::ask::Trigger;
use crate::limits::{REPEATED_LINES_ABOVE_MAX, SHOWN_CHARS_MIN, TAIL_OVERLAP_CHARS_MIN, TELLING_CHARS_MIN};
use crate::outcome::{Reason, Rule};
use crate::place::{Brackets, Place, indentation, is_blank, is_closing_bracket, telling_chars};
use crate::secrets;

mod below;
mod indent;

type Apply = fn(String, &Place, Trigger) -> Result<String, Reason>;

const RULES: &[Apply] = &[
    start_where_the_cursor_stands,
    indent::indent_like_the_file,
    drop_the_start_of_the_tail,
    below::drop_tags_closed_already,
    below::drop_the_lines_below,
    drop_brackets_closed_already,
    trim_the_end,
    drop_an_unclosed_string,
    drop_the_lines_above,
    drop_bare_punctuation,
    drop_what_is_too_short,
    drop_secrets,
];

/// The text to show, or why there is none.
pub(crate) fn polish(text: String, place: &Place, trigger: Trigger) -> Result<String, Reason> {
    RULES.iter().try_fold(something(text, Reason::Empty)?, |text, rule| rule(text, place, trigger))
}

fn something(text: impl Into<String>, otherwise: Reason) -> Result<String, Reason> {
    let text = text.into();
    if is_blank(&text) { Err(otherwise) } else { Ok(text) }
}

/// The cursor stands after indentation or a space already: the text does not begin with it once more.
fn start_where_the_cursor_stands(text: String, place: &Place, _: Trigger) -> Result<String, Reason> {
    let head = place.head();
    if head.is_empty() {
        return Ok(text);
    }
    if !is_blank(head) {
        let after_space = head.ends_with([' ', '\t']);
        return if after_space { something(text.trim_start_matches([' ', '\t']), Reason::Empty) } else { Ok(text) };
    }
    let code = text.trim_start();
    let space = &text[..text.len() - code.len()];
    if space.contains('\n') {
        return Ok(code.to_owned());
    }
    Ok(if place.may_indent() { text } else { without_added_space(space, code, head) })
}

/// Takes the space that a model put before its first line off the lines below too, if they are all shifted by it.
///
/// A space of the head's own width is the head once more; the lines below are where they should be.
fn without_added_space(space: &str, code: &str, head: &str) -> String {
    let (added, own) = (indentation(space), indentation(head));
    let mut below = code.lines().skip(1).filter(|line| !is_blank(line));
    let shifted = added != own && below.all(|line| indentation(line) >= own + added && line.starts_with(space));
    if shifted { code.replace(&format!("\n{space}"), "\n") } else { code.to_owned() }
}

/// The text does not end with what stands right behind the cursor.
fn drop_the_start_of_the_tail(text: String, place: &Place, _: Trigger) -> Result<String, Reason> {
    let tail = place.tail().trim_end();
    let written = text.trim_end();
    let heads = (1..=tail.len()).rev().filter(|&end| tail.is_char_boundary(end)).map(|end| &tail[..end]);
    let overlap = heads.map(str::trim_end).find(|head| written.ends_with(head) && is_overlap(written, head, tail));
    match overlap.and_then(|head| written.strip_suffix(head)) {
        Some(kept) => something(kept, Reason::DuplicateSuffix),
        None => Ok(text),
    }
}

/// Whether an end that the text has in common with the tail's start is written twice, and not by chance.
fn is_overlap(text: &str, head: &str, tail: &str) -> bool {
    let Some(first) = head.trim_start().chars().next() else { return false };
    match first {
        // Brackets are counted by the next rule.
        ')' | ']' | '}' => false,
        // Quotes in pairs belong to the text.
        '"' | '\'' | '`' => text.matches(first).count() % 2 == 1,
        _ => telling_chars(head) == 0 || head == tail || head.chars().count() >= TAIL_OVERLAP_CHARS_MIN,
    }
}

/// The text does not close a bracket that is closed behind the cursor already.
fn drop_brackets_closed_already(text: String, place: &Place, _: Trigger) -> Result<String, Reason> {
    let cursor = place.before().len();
    let mut brackets = Brackets::of(place.before());
    let mut still_needed = needed_on_line(&brackets, place);
    let mut cut = None;
    brackets.read(&text, |open, at| {
        if open.at >= cursor || cut.is_some() {
            return;
        }
        // Lines that stand deeper below are the block's that the rest of this line opens, not the bracket's.
        let opens_block = text[at - cursor..].lines().next().is_some_and(|line| line.trim_end().ends_with(['{', ':']));
        let closed_already = match (place.line_goes_on(), opens_block) {
            (true, _) => still_needed == 0,
            (false, true) => place.is_closed_at_once(open),
            (false, false) => place.is_closed_below(open),
        };
        still_needed = still_needed.saturating_sub(1);
        if closed_already {
            cut = Some(at - cursor);
        }
    });
    let text = cut.map_or(text.as_str(), |at| &text[..at]);
    // A statement does not end inside brackets that close behind it.
    let inside = place.tail().trim_start().starts_with([')', ']']);
    let text = if inside { text.trim_end().trim_end_matches(';') } else { text };
    something(text, Reason::DuplicateSuffix)
}

/// How many brackets of the cursor's line are open before the cursor and not closed behind it on that line.
fn needed_on_line(before: &Brackets, place: &Place) -> usize {
    let line_start = place.before().len() - place.head().len();
    let opened = before.open.iter().filter(|open| open.at >= line_start).count();
    let mut closed = 0;
    before.clone().read(place.tail(), |open, _| closed += usize::from(open.at < place.before().len()));
    opened.saturating_sub(closed)
}

/// No whitespace at the end, but for the space before what stands behind the cursor.
fn trim_the_end(text: String, place: &Place, _: Trigger) -> Result<String, Reason> {
    let trimmed = text.trim_end();
    let joins = place.tail().chars().next().is_some_and(|next| {
        !next.is_whitespace() && !is_closing_bracket(next) && !matches!(next, ';' | ',' | ':' | '.')
    });
    let space = if joins && text.ends_with(' ') { " " } else { "" };
    something(trimmed.to_owned() + space, Reason::Empty)
}

/// A string over several lines that the text opens is closed by it too: half a docstring swallows the code below.
fn drop_an_unclosed_string(text: String, place: &Place, _: Trigger) -> Result<String, Reason> {
    let unclosed = ["\"\"\"", "'''"].into_iter().find(|quotes| {
        let odd = |text: &str| text.matches(quotes).count() % 2 == 1;
        odd(&text) && !odd(place.before())
    });
    let Some(at) = unclosed.and_then(|quotes| text.rfind(quotes)) else { return Ok(text) };
    let line_start = text[..at].rfind('\n').unwrap_or(0);
    something(text[..line_start].trim_end(), Reason::Filtered(Rule::Unclosed))
}

/// The text is not what the user has just written.
fn drop_the_lines_above(text: String, place: &Place, _: Trigger) -> Result<String, Reason> {
    let full = place.head().to_owned() + &text;
    let lines: Vec<&str> = full.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let mut above: Vec<&str> = place.above().take(REPEATED_LINES_ABOVE_MAX).map(str::trim_end).collect();
    above.reverse();
    let repeats = match lines.as_slice() {
        [line] => above.last() == Some(line),
        lines => above.windows(lines.len()).any(|window| window == lines),
    };
    let telling = telling_chars(&full) >= TELLING_CHARS_MIN;
    if repeats && telling { Err(Reason::Filtered(Rule::RepeatsAbove)) } else { Ok(text) }
}

/// A key that inserts `")` where the user wanted a tab is a nuisance.
fn drop_bare_punctuation(text: String, _: &Place, trigger: Trigger) -> Result<String, Reason> {
    let closes =
        |c: char| c.is_whitespace() || is_closing_bracket(c) || matches!(c, ';' | ',' | ':' | '"' | '\'' | '`');
    let bare = trigger == Trigger::Automatic && text.chars().all(closes);
    if bare { Err(Reason::Filtered(Rule::Punctuation)) } else { Ok(text) }
}

/// To accept it costs as much as to type it.
fn drop_what_is_too_short(text: String, _: &Place, trigger: Trigger) -> Result<String, Reason> {
    let chars = text.chars().filter(|c| !c.is_whitespace()).count();
    let too_short = trigger == Trigger::Automatic && chars < SHOWN_CHARS_MIN;
    if too_short { Err(Reason::Filtered(Rule::TooShort)) } else { Ok(text) }
}

/// A key that a model knows is somebody's.
fn drop_secrets(text: String, place: &Place, _: Trigger) -> Result<String, Reason> {
    if secrets::are_in(&text, place.head()) { Err(Reason::Filtered(Rule::Secret)) } else { Ok(text) }
}
