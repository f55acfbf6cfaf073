//! The part of the document that goes into the prompt.
//!
//! Stateless: the window follows from the document, the cursor and the budget alone. Its start moves in coarse
//! steps, so that from key to key the prompt keeps its head and the provider finds it in its cache; the price
//! is a window that is sometimes shorter than the budget allows. Nothing here costs more in a larger document.

use std::ops::Range;
use std::sync::Arc;

use finch_text::Document;

use crate::limits::{
    BYTES_PER_TOKEN_TENTHS, CONTEXT_PERCENT, LINE_SHARE, MARKER_TOKENS, REFERENCE_BYTES_MAX, WINDOW_STEPS,
};
use crate::place::unify_line_ends;

/// How much text fits into a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) prefix_bytes: usize,
    pub(crate) suffix_bytes: usize,
    /// What goes before the document's own text.
    pub(crate) context_tokens: usize,
}

impl Budget {
    pub(crate) fn new(prompt_tokens_max: usize, suffix_tokens_max: usize, has_context: bool) -> Self {
        let suffix_tokens = suffix_tokens_max.min(prompt_tokens_max / 2);
        let context_tokens = if has_context { prompt_tokens_max * CONTEXT_PERCENT / 100 } else { 0 };
        let taken = suffix_tokens + context_tokens + MARKER_TOKENS;
        Self {
            prefix_bytes: bytes_of(prompt_tokens_max.saturating_sub(taken)),
            suffix_bytes: bytes_of(suffix_tokens),
            context_tokens,
        }
    }

    /// What the context leaves free goes to the text before the cursor.
    pub(crate) fn with_context_of(self, bytes: usize) -> Self {
        let free = bytes_of(self.context_tokens).saturating_sub(bytes);
        Self { prefix_bytes: self.prefix_bytes + free, ..self }
    }
}

/// Bytes that probably fit into so many tokens.
fn bytes_of(tokens: usize) -> usize {
    tokens.saturating_mul(BYTES_PER_TOKEN_TENTHS) / 10
}

/// The text around the cursor that fits into a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    /// Its bytes in the document.
    pub(crate) range: Range<usize>,
    pub(crate) prefix: String,
    pub(crate) suffix: String,
}

pub(crate) fn cut(document: &Document, offset: usize, budget: Budget) -> Window {
    let start = start(document, offset, budget.prefix_bytes);
    let end = end(document, offset, budget.suffix_bytes);
    Window {
        range: start..end,
        prefix: unify_line_ends(&document.slice(start..offset)),
        suffix: unify_line_ends(&document.slice(offset..end)),
    }
}

/// The document before and behind the cursor, far beyond the window: what the answer may repeat.
///
/// Two texts, so that what stands behind the cursor is not taken for what follows it.
pub(crate) fn around(document: &Document, offset: usize) -> Vec<Arc<str>> {
    let start = document.floor(offset.saturating_sub(REFERENCE_BYTES_MAX));
    let end = document.floor(offset.saturating_add(REFERENCE_BYTES_MAX).min(document.len()));
    let text = |range| Arc::from(unify_line_ends(&document.slice(range)));
    vec![text(start..offset), text(offset..end)]
}

/// The window's start: a line's start if one is near, and the same for all cursors within one step.
fn start(document: &Document, offset: usize, budget: usize) -> usize {
    if offset <= budget {
        return 0;
    }
    let step = (budget / WINDOW_STEPS).max(1);
    let stop = (offset - budget).div_ceil(step).saturating_mul(step);
    let line = document.line_of(stop);
    let line_start = document.line_start(line);
    if line_start == stop {
        return stop;
    }
    // Invariant: what decides here stands before the cursor's line, so typing on it changes nothing.
    let next_line = document.line_start(line + 1);
    if line < document.line_of(offset) && next_line - stop <= step / LINE_SHARE {
        next_line
    } else {
        document.floor(stop)
    }
}

/// The window's end: a line's end if the budget reaches beyond one.
fn end(document: &Document, offset: usize, budget: usize) -> usize {
    let limit = document.floor(offset.saturating_add(budget));
    let line = document.line_of(limit);
    if limit == document.len() || line == document.line_of(offset) {
        return limit;
    }
    document.line_start(line)
}

#[cfg(test)]
mod tests;
