//! How much to suggest at a place: the rest of a statement, the rest of a block, or a whole body.
//!
//! A person who is in the middle of a statement wants its end soon; one who stands on an empty line wants what
//! comes next; one who has just written the head of a function wants the function.

use crate::limits::{BLOCK_LINES_MAX, LINES_MAX};
use crate::place::{Brackets, Place, indentation, is_blank};
use crate::syntax::{Token, View, Within};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// To the end of the statement, which is the line's end where no bracket is open.
    Line,
    /// To the end of the block, or to a blank line.
    Block,
    /// To the end of a body that is empty yet, blank lines included.
    Function,
}

/// Words that begin a body of declarations or of a function.
const HEADS: &[&str] = &[
    "class",
    "constructor",
    "def",
    "enum",
    "fn",
    "func",
    "function",
    "impl",
    "interface",
    "mod",
    "namespace",
    "struct",
    "trait",
];

/// Words before `(…) {` that are no function's name.
const CONDITIONS: &[&str] = &["catch", "else", "elif", "for", "if", "match", "select", "switch", "while", "with"];

impl Extent {
    /// As the tree has it where there is one, else as indentation and brackets have it.
    pub(crate) fn at(place: &Place, view: Option<&View>) -> Self {
        let head = place.head();
        if place.line_goes_on() || place.token() != Token::Code {
            return Self::Line;
        }
        if !is_blank(head) {
            return Self::below(head).unwrap_or(Self::Line);
        }
        let within = view.and_then(View::within).unwrap_or_else(|| {
            let in_list = Brackets::of(place.before()).open.last().is_some_and(|open| open.closed_by != '}');
            if in_list { Within::List } else { Within::Body }
        });
        if within == Within::List {
            return Self::Line;
        }
        let above = place.above().next().unwrap_or_default();
        let is_empty = place.below().next().is_none_or(|below| indentation(below) <= indentation(above));
        Self::below(above).filter(|_| is_empty).unwrap_or(Self::Block)
    }

    /// How much belongs below a line, if it opens something.
    fn below(line: &str) -> Option<Self> {
        let line = line.trim();
        if !line.ends_with(['{', ':']) {
            return None;
        }
        let words = || line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        let is_condition = words().find(|word| *word != "async").is_some_and(|word| CONDITIONS.contains(&word));
        let is_method = line.ends_with(") {") && !is_condition;
        let is_head = !is_condition && words().any(|word| HEADS.contains(&word));
        if line.ends_with(':') && !is_head && !is_condition && !starts_block(line) {
            return None;
        }
        Some(if is_head || is_method { Self::Function } else { Self::Block })
    }

    /// Lines of one suggestion.
    pub(crate) fn lines_max(self) -> usize {
        match self {
            Self::Block => BLOCK_LINES_MAX,
            Self::Line | Self::Function => LINES_MAX,
        }
    }
}

/// A colon ends many lines; only behind some words it opens a block.
fn starts_block(line: &str) -> bool {
    ["try", "finally", "except", "case", "default", "async"].iter().any(|word| line.starts_with(word))
}

#[cfg(test)]
mod tests;
