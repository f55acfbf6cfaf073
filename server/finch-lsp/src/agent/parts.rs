//! Puts a question of any length to the user by messages with buttons: in parts that a small window holds.
//!
//! A message may be drawn over the text and not be scrolled, and an editor may not survive one that is larger than its
//! window. Invariant: only the last part can be answered with anything but a refusal, so that whoever says yes has had
//! the whole before him.

use std::collections::HashMap;

use tower_lsp::lsp_types::request::ShowMessageRequest;
use tower_lsp::lsp_types::{MessageActionItem, MessageType, ShowMessageRequestParams};

use crate::editor::{AskError, Editor};
use crate::limits::{MESSAGE_COLUMNS, MESSAGE_ROWS_MAX, PERSON_WAIT};

/// What leads to the next part.
const READ_ON: &str = "Read on";
/// Rows of a message that are not text: the title, and an empty one below it.
const TITLE_ROWS: usize = 2;

pub(super) struct Message<'a> {
    pub(super) typ: MessageType,
    /// Stands above each part.
    pub(super) title: &'a str,
    pub(super) text: &'a str,
    /// The answers, the refusal first.
    pub(super) answers: Vec<String>,
}

/// The title of the answer; none if the user closed the question or refused before its end.
pub(super) async fn ask(editor: &Editor, message: Message<'_>) -> Result<Option<String>, AskError> {
    let Message { typ, title, text, answers } = message;
    let parts = parts(text, MESSAGE_ROWS_MAX - TITLE_ROWS);
    let count = parts.len();
    for (number, part) in (1..).zip(&parts) {
        let is_last = number == count;
        let head = if count == 1 { title.to_owned() } else { format!("{title} ({number} of {count})") };
        let titles = if is_last {
            answers.clone()
        } else {
            answers.first().cloned().into_iter().chain([READ_ON.to_owned()]).collect()
        };
        let action = |title| MessageActionItem { title, properties: HashMap::new() };
        let params = ShowMessageRequestParams {
            typ,
            message: format!("{head}\n\n{part}"),
            actions: Some(titles.into_iter().map(action).collect()),
        };
        let chosen = editor.ask_person::<ShowMessageRequest>(params, PERSON_WAIT).await?;
        let chosen = chosen.map(|action| action.title);
        if is_last {
            return Ok(chosen);
        }
        if chosen.as_deref() != Some(READ_ON) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// The text in pieces of so many rows at most. There is always one.
fn parts(text: &str, rows_max: usize) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let (mut part, mut rows) = (String::new(), 0);
    for line in text.lines().flat_map(|line| pieces(line, MESSAGE_COLUMNS * rows_max)) {
        let needed = columns(line).div_ceil(MESSAGE_COLUMNS).max(1);
        if rows + needed > rows_max {
            parts.push(std::mem::take(&mut part));
            rows = 0;
        } else if rows > 0 {
            part.push('\n');
        }
        part.push_str(line);
        rows += needed;
    }
    parts.push(part);
    parts
}

/// A line in pieces of so many columns at most.
fn pieces(line: &str, columns_max: usize) -> Vec<&str> {
    let (mut pieces, mut start, mut used) = (Vec::new(), 0, 0);
    for (at, c) in line.char_indices() {
        if used + width(c) > columns_max {
            pieces.push(&line[start..at]);
            (start, used) = (at, 0);
        }
        used += width(c);
    }
    pieces.push(&line[start..]);
    pieces
}

fn columns(line: &str) -> usize {
    line.chars().map(width).sum()
}

/// The most that a character takes up. Tabs are widened, and many characters beyond ASCII are wide.
fn width(c: char) -> usize {
    match c {
        '\t' => 8,
        c if c.is_ascii() => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, rows_max: usize, expected: &[&str]) {
        let found = parts(text, rows_max);
        assert_eq!(found, expected);
    }

    #[test]
    fn a_text_is_cut_where_its_rows_are_used_up() {
        check("", 3, &[""]);
        check("a\nb\nc", 3, &["a\nb\nc"]);
        check("a\nb\nc\nd", 3, &["a\nb\nc", "d"]);
        check("a\n\n\nb", 3, &["a\n\n", "b"]);
        let (two_rows, wide) = ("x".repeat(MESSAGE_COLUMNS + 1), "語".repeat(MESSAGE_COLUMNS));
        check(&format!("a\n{two_rows}\nb"), 2, &["a", &two_rows, "b"]);
        check(&format!("{wide}\nb"), 2, &[&wide, "b"]);
    }

    #[test]
    fn a_line_that_is_longer_than_a_part_goes_on_in_the_next() {
        let row = "é".repeat(MESSAGE_COLUMNS / 2);
        check(&row.repeat(5), 2, &[&row.repeat(2), &row.repeat(2), &row]);
    }
}
