//! What the user changed lately, as differences.
//!
//! Changes near each other are one edit, from the text before the first of them to the text after the last. Text that
//! was only added is no edit here: it stands in the document for all to see.

use std::collections::VecDeque;
use std::ops::Range;

use finch_text::Document;

use crate::limits::{EDIT_GAP_LINES, EDIT_LINES_MAX, EDITS_MAX};

/// The text of some lines, before and after.
#[derive(Debug, Clone)]
struct Edit {
    path: String,
    before: Document,
    after: Document,
    /// Lines above and below that are the same in both.
    above: usize,
    below: usize,
}

/// One edit as a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hunk {
    pub(super) path: String,
    /// Lines of the document after it.
    pub(super) lines: Range<usize>,
    pub(super) text: String,
}

/// The most recent last.
#[derive(Debug, Default)]
pub(super) struct Edits {
    edits: VecDeque<Edit>,
}

impl Edits {
    pub(super) fn changed(&mut self, path: &str, before: &Document, after: &Document, range: Range<usize>, len: usize) {
        let above = before.line_of(range.start);
        let below = after.line_count() - 1 - after.line_of(range.start + len);
        if let Some(last) = self.edits.back_mut().filter(|last| last.is_near(path, above)) {
            last.above = last.above.min(above);
            last.below = last.below.min(below);
            last.after = after.clone();
            return;
        }
        if self.edits.len() >= EDITS_MAX {
            self.edits.pop_front();
        }
        self.edits.push_back(Edit {
            path: path.to_owned(),
            before: before.clone(),
            after: after.clone(),
            above,
            below,
        });
    }

    /// The document is closed or another text.
    pub(super) fn lost(&mut self, path: &str) {
        self.edits.retain(|edit| edit.path != path);
    }

    /// Edits that took something away, the most recent first.
    pub(super) fn hunks(&self) -> impl Iterator<Item = Hunk> {
        self.edits.iter().rev().filter_map(Edit::hunk)
    }
}

impl Edit {
    /// Whether a change of the text after this edit belongs to it.
    fn is_near(&self, path: &str, line: usize) -> bool {
        let last = (self.after.line_count() - 1).saturating_sub(self.below);
        self.path == path && line + EDIT_GAP_LINES >= self.above && line <= last + EDIT_GAP_LINES
    }

    fn hunk(&self) -> Option<Hunk> {
        let lines = |document: &Document| -> Vec<String> {
            let end = document.line_count().saturating_sub(self.below).max(self.above);
            (self.above..end.min(self.above + 2 * EDIT_LINES_MAX)).filter_map(|line| document.line(line)).collect()
        };
        let (old, new) = (lines(&self.before), lines(&self.after));
        let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
        let (old, new) = (&old[same..], &new[same..]);
        let ends = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
        let (old, new) = (&old[..old.len() - ends], &new[..new.len() - ends]);
        let takes_away = old.iter().any(|line| !line.trim().is_empty());
        if !takes_away || old.len() + new.len() > EDIT_LINES_MAX {
            return None;
        }
        let signed =
            |sign: char, lines: &[String]| lines.iter().map(|line| format!("{sign}{line}\n")).collect::<String>();
        let first = self.above + same;
        Some(Hunk {
            path: self.path.clone(),
            lines: first..first + new.len(),
            text: signed('-', old) + &signed('+', new),
        })
    }
}

#[cfg(test)]
mod tests;
