//! What a search found, gathered from several threads within its bounds.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use grep_searcher::{Searcher, Sink, SinkContext, SinkMatch};

use crate::{
    Outcome, ToolContext, escape,
    limits::{GREP_BYTES_MAX, GREP_LINE_CHARS_MAX, GREP_MATCHES_MAX},
    tools::{
        lines::{cut, without_end},
        walk::{Cut, Patience},
    },
};

/// Files that could not be searched and are named.
const SKIPPED_NAMED_MAX: usize = 5;

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Results {
    found: Mutex<Vec<(PathBuf, String)>>,
    skipped: Mutex<Vec<(PathBuf, String)>>,
    matches: AtomicUsize,
    bytes: AtomicUsize,
}

impl Results {
    fn is_full(&self) -> bool {
        self.matches.load(Ordering::Relaxed) >= GREP_MATCHES_MAX || self.bytes.load(Ordering::Relaxed) >= GREP_BYTES_MAX
    }

    pub(super) fn add(&self, path: &Path, lines: Lines<'_>, patience: &Patience) {
        if !lines.text.is_empty() {
            self.found.lock().unwrap_or_else(PoisonError::into_inner).push((path.to_owned(), lines.text));
        }
        if self.is_full() {
            patience.end();
        }
    }

    pub(super) fn skip(&self, path: &Path, why: &io::Error) {
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        skipped.push((path.to_owned(), why.to_string()));
    }

    pub(super) fn into_outcome(self, cut: Cut, context: &ToolContext) -> Outcome {
        let is_full = self.is_full();
        let mut found = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort();
        let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
        let mut text = if texts.is_empty() { "Nothing fits.\n".to_owned() } else { texts.concat() };
        if is_full {
            text.push_str("(there may be more: narrow the pattern, or name a folder)\n");
        }
        let mut skipped = self.skipped.into_inner().unwrap_or_else(PoisonError::into_inner);
        skipped.sort();
        if let [(first, why), ..] = &skipped[..] {
            let names: Vec<String> =
                skipped.iter().take(SKIPPED_NAMED_MAX).map(|(path, _)| context.name(path)).collect();
            text.push_str(&format!(
                "({} files were not searched: {}; {}: {why})\n",
                skipped.len(),
                names.join(", "),
                context.name(first)
            ));
        }
        text.extend(cut.note());
        Outcome::done(text).of(found.into_iter().map(|(path, _)| path))
    }
}

/// What was found in one file.
pub(super) struct Lines<'a> {
    path: &'a Path,
    context: &'a ToolContext,
    /// The path as it is told; made when the first line is.
    name: Option<String>,
    text: String,
    patience: &'a Patience,
    results: &'a Results,
}

impl<'a> Lines<'a> {
    pub(super) fn new(path: &'a Path, context: &'a ToolContext, patience: &'a Patience, results: &'a Results) -> Self {
        Self { path, context, name: None, text: String::new(), patience, results }
    }

    fn push(&mut self, mark: char, number: Option<u64>, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let line = cut(without_end(&line), GREP_LINE_CHARS_MAX);
        let before = self.text.len();
        let name = self.name.get_or_insert_with(|| self.context.name(self.path));
        self.text.push_str(&format!("{name}{mark}{}{mark}{}\n", number.unwrap_or(0), escape::text(&line)));
        self.results.bytes.fetch_add(self.text.len() - before, Ordering::Relaxed);
    }

    fn goes_on(&self) -> bool {
        !self.results.is_full() && !self.patience.is_over()
    }
}

impl Sink for &mut Lines<'_> {
    type Error = io::Error;

    fn matched(&mut self, _searcher: &Searcher, found: &SinkMatch<'_>) -> io::Result<bool> {
        if self.results.matches.fetch_add(1, Ordering::Relaxed) >= GREP_MATCHES_MAX {
            return Ok(false);
        }
        self.push(':', found.line_number(), found.bytes());
        Ok(self.goes_on())
    }

    fn context(&mut self, _searcher: &Searcher, context: &SinkContext<'_>) -> io::Result<bool> {
        self.push('-', context.line_number(), context.bytes());
        Ok(self.goes_on())
    }

    fn context_break(&mut self, _searcher: &Searcher) -> io::Result<bool> {
        self.text.push_str("--\n");
        Ok(true)
    }
}

/// A file that ends when the search has to.
#[derive(Debug)]
pub(super) struct Stoppable<'a> {
    file: std::fs::File,
    patience: &'a Patience,
}

impl<'a> Stoppable<'a> {
    pub(super) fn new(file: std::fs::File, patience: &'a Patience) -> Self {
        Self { file, patience }
    }
}

impl io::Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.patience.is_over() { Ok(0) } else { self.file.read(buffer) }
    }
}
