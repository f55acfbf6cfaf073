//! The trees of the documents that were worked on last, so that a key costs a change and not a whole parse.
//!
//! Of a long document only a window around the cursor is read. It begins and ends where something at the top level
//! does, and moves in coarse steps, so that it stays the same from key to key.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use finch_text::Document;

use super::{Import, Language, Syntax, Token, Within};
use crate::limits::{IMPORT_BYTES_MAX, TREE_WINDOW_BYTES, TREE_WINDOW_STEP_BYTES, TREES_MAX};
use crate::place::{indentation, is_blank};

/// The syntax around a cursor.
#[derive(Debug, Clone)]
pub(crate) struct View {
    syntax: Arc<Syntax>,
    /// The cursor's place in the text of the syntax.
    offset: usize,
    /// Where the text of the syntax stands in the document.
    range: Range<usize>,
    document: Document,
}

impl View {
    pub(crate) fn token(&self) -> Token {
        self.syntax.token_at(self.offset)
    }

    /// Names of code near the cursor, the nearest first.
    pub(crate) fn names_in_use(&self) -> Vec<String> {
        self.syntax.names_in_use(self.offset)
    }

    /// What the document imports. Of a long document only a part is read, and its head beside it.
    pub(crate) fn imports(&self) -> Vec<Import> {
        if self.range.start == 0 {
            return self.syntax.imports();
        }
        let head = self.document.slice(0..self.document.floor(IMPORT_BYTES_MAX.min(self.range.start)));
        Syntax::parse(self.syntax.language(), &head).map(|syntax| syntax.imports()).unwrap_or_default()
    }

    pub(crate) fn within(&self) -> Option<Within> {
        self.syntax.within(self.offset)
    }

    /// The longest start of the suggestion, in whole lines, that does not make a document that parses one that does
    /// not, nor a broken one more broken.
    pub(crate) fn harmless<'a>(&self, suggestion: &'a str) -> Option<&'a str> {
        let kept = self.syntax.harmless(self.offset, suggestion);
        let parses =
            |syntax: &Syntax, offset: usize| syntax.inserted(offset, suggestion).is_some_and(|with| !with.is_broken());
        let all = 0..self.document.len();
        // Broken where somebody is typing, it is broken as a whole too.
        if self.range == all
            || self.syntax.is_broken_on_line(self.offset)
            || (kept == Some(suggestion) && parses(&self.syntax, self.offset))
        {
            return kept;
        }
        // The window may be broken only for where it was cut: in doubt, which is seldom, the whole document tells.
        let Some(whole) = Syntax::parse(self.syntax.language(), &self.document.slice(all)) else { return kept };
        let offset = self.range.start + self.offset;
        match (parses(&whole, offset), whole.is_broken()) {
            (true, _) => Some(suggestion),
            (false, true) => kept,
            (false, false) => whole.harmless(offset, suggestion),
        }
    }
}

/// Recent trees, the most recently used last.
#[derive(Debug, Default)]
pub(crate) struct Trees {
    kept: VecDeque<Kept>,
}

#[derive(Debug)]
struct Kept {
    path: Option<String>,
    start: usize,
    /// `None` for a text that took too long: it is tried again when it has changed much.
    syntax: Option<Arc<Syntax>>,
    language: Language,
    bytes: usize,
}

impl Trees {
    /// The syntax around the cursor, read as far as it is not known.
    pub(crate) fn view(
        &mut self,
        language: Language,
        path: Option<&str>,
        document: &Document,
        offset: usize,
    ) -> Option<View> {
        let range = window(document, offset);
        let known = self
            .kept
            .iter()
            .position(|kept| kept.path.as_deref() == path && kept.language == language && kept.start == range.start);
        let known = known.and_then(|at| self.kept.remove(at));
        let text = document.slice(range.clone());
        let syntax = match &known {
            Some(Kept { syntax: Some(syntax), .. }) if syntax.text() == text => Some(Arc::clone(syntax)),
            Some(Kept { syntax: Some(syntax), .. }) => syntax.edited(&text).map(Arc::new),
            Some(Kept { bytes, .. }) if bytes.abs_diff(text.len()) < bytes / 8 => None,
            _ => Syntax::parse(language, &text).map(Arc::new),
        };
        if self.kept.len() == TREES_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept {
            path: path.map(str::to_owned),
            start: range.start,
            syntax: syntax.clone(),
            language,
            bytes: text.len(),
        });
        syntax.map(|syntax| View { syntax, offset: offset - range.start, range, document: document.clone() })
    }
}

/// The bytes that are read for a cursor.
fn window(document: &Document, offset: usize) -> Range<usize> {
    if document.len() <= TREE_WINDOW_BYTES {
        return 0..document.len();
    }
    let half = TREE_WINDOW_BYTES / 2;
    let step = |at: usize| at / TREE_WINDOW_STEP_BYTES * TREE_WINDOW_STEP_BYTES;
    let start = top_level(document, step(offset.saturating_sub(half)), offset);
    let stop = step(offset.saturating_add(half));
    let end = if stop >= document.len() { document.len() } else { top_level(document, stop, document.len()) };
    start..end.max(offset)
}

/// The start of a line from there on that begins something: of those that follow a blank line, one that is
/// indented least.
fn top_level(document: &Document, from: usize, until: usize) -> usize {
    let from = document.floor(from);
    if from == 0 {
        return 0;
    }
    let text = document.slice(from..until.min(from.saturating_add(TREE_WINDOW_STEP_BYTES)));
    let mut best: Option<(usize, usize)> = None;
    let mut above_is_blank = false;
    let mut at = from;
    for line in text.split_inclusive('\n') {
        let begins = line.trim_start().starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '@' | '#' | '/'));
        if above_is_blank && begins && best.is_none_or(|(least, _)| indentation(line) < least) {
            best = Some((indentation(line), at));
        }
        above_is_blank = at > from && is_blank(line);
        at += line.len();
    }
    best.map_or_else(|| document.line_start(document.line_of(from)), |(_, at)| at)
}

#[cfg(test)]
mod tests;
