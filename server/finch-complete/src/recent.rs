//! Suggestions that the user may still be typing through.
//!
//! An entry answers only if the document before the place of the suggestion, the document behind the cursor and
//! what the user typed in between all fit exactly; the snapshots it compares are ropes, so keeping them is cheap
//! and nothing is hashed. Bounded; the least recently used entry goes first.

use std::collections::VecDeque;

use finch_text::Document;

use crate::limits::RECENT_MAX;
use crate::place::is_blank;
use crate::typed;

/// A suggestion and the document it was made for.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) path: Option<String>,
    pub(crate) document: Document,
    /// Where in the document the text was to be inserted.
    pub(crate) offset: usize,
    pub(crate) text: String,
    pub(crate) provider: String,
    pub(crate) model: String,
}

/// What is left of an earlier suggestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rest {
    pub(crate) id: u64,
    pub(crate) text: String,
    pub(crate) typed: Typed,
    pub(crate) provider: String,
    pub(crate) model: String,
}

/// Whether the user typed some of the suggestion since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Typed {
    Nothing,
    Some,
}

/// The suggestions of late, the most recently used last.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    entries: VecDeque<Entry>,
}

impl Recent {
    pub(crate) fn remember(&mut self, entry: Entry) {
        if self.entries.len() == RECENT_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// Remembers one that goes after the last, if both fit.
    pub(crate) fn remember_behind(&mut self, entry: Entry) {
        let last = self.entries.pop_back();
        self.remember(entry);
        self.entries.extend(last);
    }

    /// The rest of the latest suggestion that fits the document as it is now.
    pub(crate) fn rest(&mut self, path: Option<&str>, document: &Document, offset: usize) -> Option<Rest> {
        let (at, text) = (0..self.entries.len()).rev().find_map(|at| {
            let entry = self.entries.get(at)?;
            let text = if entry.path.as_deref() == path { entry.rest(document, offset) } else { None };
            text.map(|text| (at, text.to_owned()))
        })?;
        let entry = self.entries.remove(at)?;
        let typed = if offset == entry.offset { Typed::Nothing } else { Typed::Some };
        let rest = Rest { id: entry.id, text, typed, provider: entry.provider.clone(), model: entry.model.clone() };
        self.entries.push_back(entry);
        Some(rest)
    }
}

impl Entry {
    fn rest(&self, document: &Document, offset: usize) -> Option<&str> {
        let (then, now) = ((&self.document, self.offset), (document, offset));
        let fits = |typed: &str| self.text.strip_prefix(typed).is_some_and(|rest| !is_blank(rest));
        // A `\r\n` in the document is one byte longer than the `\n` in the text.
        let typed = typed::since(then, now, self.text.len() * 2, fits)?;
        self.text.strip_prefix(&typed)
    }
}

#[cfg(test)]
mod tests;
