//! What the grammar of a language says about a text: where it is broken, what it defines and which names it uses.
//!
//! Everything here works on a text that may be cut out of a document and that is broken most of the time, since
//! somebody is typing in it: errors are counted and compared, never taken for a verdict. Bounded in bytes and time.

use std::ops::{ControlFlow, Range};

use tree_sitter::{InputEdit, Node, ParseOptions, ParseState, Parser, Point, Tree, TreeCursor};

use crate::limits::{SYNTAX_BYTES_MAX, SYNTAX_STEPS_MAX};

mod definitions;
mod harm;
mod language;
mod names;
mod tables;
mod token;
mod trees;

pub use definitions::{Definition, DefinitionKind};
pub use language::Language;
pub use names::Import;
pub use token::Token;
pub(crate) use token::Within;
pub(crate) use trees::{Trees, View};

/// A text and its syntax tree.
#[derive(Debug, Clone)]
pub struct Syntax {
    language: Language,
    text: String,
    tree: Tree,
}

/// Whether a walk goes on under a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walk {
    Under,
    Past,
    Stop,
}

impl Syntax {
    /// Reads a text; `None` if it is too long or takes too long.
    #[must_use]
    pub fn parse(language: Language, text: &str) -> Option<Self> {
        let tree = parse(language, text, None)?;
        Some(Self { language, text: text.to_owned(), tree })
    }

    /// The same text after a change. What did not change is not read again.
    #[must_use]
    pub fn edited(&self, text: &str) -> Option<Self> {
        let (old, new) = difference(&self.text, text);
        self.changed(text.to_owned(), old, new)
    }

    /// The text with more of it put in at the offset.
    pub(crate) fn inserted(&self, offset: usize, more: &str) -> Option<Self> {
        let (before, behind) = self.text.split_at_checked(offset)?;
        let text = [before, more, behind].concat();
        self.changed(text, offset..offset, offset..offset + more.len())
    }

    fn changed(&self, text: String, old: Range<usize>, new: Range<usize>) -> Option<Self> {
        let mut tree = self.tree.clone();
        tree.edit(&InputEdit {
            start_byte: old.start,
            old_end_byte: old.end,
            new_end_byte: new.end,
            start_position: point(&self.text, old.start),
            old_end_position: point(&self.text, old.end),
            new_end_position: point(&text, new.end),
        });
        let tree = parse(self.language, &text, Some(&tree))?;
        Some(Self { language: self.language, text, tree })
    }

    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many places in the range the grammar cannot explain, or only by something that is missing.
    #[must_use]
    pub fn errors(&self, range: Range<usize>) -> usize {
        let mut errors = 0;
        self.walk(range, |node| {
            errors += usize::from(node.is_error() || node.is_missing());
            if node.has_error() { Walk::Under } else { Walk::Past }
        });
        errors
    }

    /// Whether such a place begins on the line of the offset.
    pub(crate) fn is_broken_on_line(&self, offset: usize) -> bool {
        let (before, behind) = self.text.split_at_checked(offset).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = offset + behind.find('\n').unwrap_or(behind.len());
        let mut found = false;
        self.walk(start..end, |node| {
            found |= (node.is_error() || node.is_missing()) && node.start_byte() >= start;
            match (found, node.has_error()) {
                (true, _) => Walk::Stop,
                (false, true) => Walk::Under,
                (false, false) => Walk::Past,
            }
        });
        found
    }

    /// Whether there is any such place in the text.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.root().has_error()
    }

    fn root(&self) -> Node<'_> {
        self.tree.root_node()
    }

    /// Visits the nodes that touch the range, each before those under it.
    fn walk<'t>(&'t self, range: Range<usize>, mut visit: impl FnMut(Node<'t>) -> Walk) {
        let mut cursor = self.tree.walk();
        loop {
            let node = cursor.node();
            if node.start_byte() > range.end {
                return;
            }
            let verdict = if node.end_byte() < range.start { Walk::Past } else { visit(node) };
            if verdict == Walk::Stop || !next(&mut cursor, verdict) {
                return;
            }
        }
    }
}

/// Steps to the node that comes next in the text; false behind the last one.
fn next(cursor: &mut TreeCursor<'_>, verdict: Walk) -> bool {
    if verdict == Walk::Under && cursor.goto_first_child() {
        return true;
    }
    while !cursor.goto_next_sibling() {
        if !cursor.goto_parent() {
            return false;
        }
    }
    true
}

fn parse(language: Language, text: &str, old: Option<&Tree>) -> Option<Tree> {
    if text.len() > SYNTAX_BYTES_MAX {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&language.grammar()).ok()?;
    // Work is counted, not time: what is found does not depend on what else the machine does.
    let mut steps = 0;
    let mut goes_on = |_: &ParseState| {
        steps += 1;
        if steps <= SYNTAX_STEPS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut goes_on);
    let bytes = text.as_bytes();
    parser.parse_with_options(&mut |at, _| bytes.get(at..).unwrap_or_default(), old, Some(options))
}

/// The bytes in which two texts differ: between the start and the end that they share.
fn difference(old: &str, new: &str) -> (Range<usize>, Range<usize>) {
    let (old, new) = (old.as_bytes(), new.as_bytes());
    let start = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let ends = old[start..].iter().rev().zip(new[start..].iter().rev());
    let end = ends.take_while(|(old, new)| old == new).count();
    (start..old.len() - end, start..new.len() - end)
}

fn point(text: &str, at: usize) -> Point {
    let before = &text.as_bytes()[..at];
    let row = before.iter().filter(|byte| **byte == b'\n').count();
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    Point { row, column: at - line_start }
}

#[cfg(test)]
mod tests;
