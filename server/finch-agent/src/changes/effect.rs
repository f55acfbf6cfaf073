//! What a change set asks of the owner of the documents, as plain data.

use std::{ops::Range, path::PathBuf, sync::Arc};

use super::lines::pieces;
use crate::view::Encoding;

/// One text replaced by another: bytes of the text the edit is against, at the borders of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextEdit {
    pub range: Range<usize>,
    pub text: String,
}

/// The text that edits are against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Against {
    pub text: Arc<str>,
    /// The editor's version of it; none if it was read from disk.
    pub version: Option<i64>,
    pub encoding: Encoding,
}

/// One step towards the change. Steps stand in the order in which they are to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Makes a file that must not be there yet; one that comes back has the encoding that it had.
    Create { path: PathBuf, text: Arc<str>, encoding: Encoding },
    /// Changes a file. The edits stand in order and do not meet.
    Edit { path: PathBuf, against: Against, edits: Vec<TextEdit> },
    /// Renames a file, which must not replace another, and then changes it.
    Rename { from: PathBuf, to: PathBuf, against: Against, edits: Vec<TextEdit> },
    /// Removes a file that must still hold this text.
    Remove { path: PathBuf, against: Against },
}

/// The text with these edits made, which stand in order and do not meet.
#[must_use]
pub fn edited(text: &str, edits: &[TextEdit]) -> String {
    let mut text = text.to_owned();
    for edit in edits.iter().rev() {
        text.replace_range(edit.range.clone(), &edit.text);
    }
    text
}

/// The smallest edits, line by line, that turn one text into another.
pub(crate) fn edits(old: &str, new: &str) -> Vec<TextEdit> {
    pieces(old, new).into_iter().map(|piece| trimmed(old, new, piece.old, piece.new)).collect()
}

/// An edit without what both texts begin and end with, so that a cursor in the line stays where it is.
fn trimmed(old: &str, new: &str, mut at: Range<usize>, mut from: Range<usize>) -> TextEdit {
    let (before, after) = (&old[at.clone()], &new[from.clone()]);
    let start: usize = before.chars().zip(after.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let (before, after) = (&before[start..], &after[start..]);
    let end: usize =
        before.chars().rev().zip(after.chars().rev()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    // An edit in the middle of `\r\n` is no place an editor knows.
    if splits_line_end(old, at.start + start) || splits_line_end(old, at.end - end) {
        return TextEdit { range: at, text: new[from].to_owned() };
    }
    at = at.start + start..at.end - end;
    from = from.start + start..from.end - end;
    TextEdit { range: at, text: new[from].to_owned() }
}

fn splits_line_end(text: &str, at: usize) -> bool {
    at > 0 && text.as_bytes()[at - 1] == b'\r' && text.as_bytes().get(at) == Some(&b'\n')
}
