//! Parts of documents that the user was at lately: where something was edited, looked at or saved.
//!
//! A part that overlaps with a newer one gives way to it; of the rest the oldest goes first.

use std::collections::VecDeque;
use std::ops::Range;

use finch_text::Document;

use crate::limits::{CHUNK_LINES, CHUNKS_MAX, OPENED_CHUNKS_MAX};

/// Some lines of a document as it was then.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub(super) path: String,
    pub(super) document: Document,
    pub(super) lines: Range<usize>,
}

/// The most recent last.
#[derive(Debug, Default)]
pub(super) struct Ring {
    chunks: VecDeque<Chunk>,
}

impl Ring {
    pub(super) fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.chunks.iter()
    }

    /// The head of the document is what somebody who opens it sees.
    pub(super) fn opened(&mut self, path: &str, document: &Document) {
        let count = document.line_count().div_ceil(CHUNK_LINES).min(OPENED_CHUNKS_MAX);
        for number in (0..count).rev() {
            self.put(path, document, number * CHUNK_LINES..(number + 1) * CHUNK_LINES);
        }
    }

    pub(super) fn visited(&mut self, path: &str, document: &Document, line: usize) {
        let half = CHUNK_LINES / 2;
        // Typing along a line or on to the next one only brings the same part up to date.
        if let Some(last) = self.chunks.back_mut()
            && last.path == path
            && last.lines.contains(&line)
            && (last.lines.start == 0 || line - last.lines.start >= half / 2)
            && last.lines.end - line >= half / 2
        {
            last.document = document.clone();
            return;
        }
        let start = line.saturating_sub(half);
        self.put(path, document, start..start + CHUNK_LINES);
    }

    /// The last part of the document becomes the newest of all.
    pub(super) fn saved(&mut self, path: &str) {
        if let Some(at) = self.chunks.iter().rposition(|chunk| chunk.path == path)
            && let Some(chunk) = self.chunks.remove(at)
        {
            self.chunks.push_back(chunk);
        }
    }

    fn put(&mut self, path: &str, document: &Document, lines: Range<usize>) {
        let lines = lines.start..lines.end.min(document.line_count());
        let half = lines.len() / 2;
        let overlaps = |chunk: &Chunk| {
            let shared = chunk.lines.end.min(lines.end).saturating_sub(chunk.lines.start.max(lines.start));
            chunk.path == path && shared > half
        };
        self.chunks.retain(|chunk| !overlaps(chunk));
        if self.chunks.len() >= CHUNKS_MAX {
            self.chunks.pop_front();
        }
        self.chunks.push_back(Chunk { path: path.to_owned(), document: document.clone(), lines });
    }
}

#[cfg(test)]
mod tests;
