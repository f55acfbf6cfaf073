//! From what is known to what goes into one prompt, within its budget.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use finch_llm::Excerpt;
use finch_text::Document;

use super::definitions::Asked;
use super::edits::Hunk;
use super::likeness::{Query, names, overlap};
use super::{ContextSource, Known, SourceCost, Sources};
use crate::exclude::Excludes;
use crate::limits::{
    CONTEXT_BYTES_PER_TOKEN_TENTHS, CONTEXT_WAIT, DEFINITIONS_PERCENT, DIAGNOSTIC_BYTES_MAX, DIAGNOSTIC_LINES_NEAR,
    DIAGNOSTICS_SHOWN_MAX, EDITS_PERCENT, EDITS_SHOWN_MAX, HELD_LINES, LIKE_TWINS_MAX, PASSAGE_LINES, PASSAGE_STEP,
    PASSAGES_MAX, REFERENCE_BYTES_MAX,
};
use crate::place::unify_line_ends;
use crate::syntax::View;

/// A place to gather for.
pub(crate) struct Wanted<'a> {
    pub(crate) path: Option<&'a str>,
    pub(crate) document: &'a Document,
    pub(crate) offset: usize,
    /// Bytes of the document that the prompt holds anyway.
    pub(crate) window: Range<usize>,
    pub(crate) view: Option<&'a View>,
    /// Files of which nothing goes into a prompt.
    pub(crate) excludes: &'a Excludes,
    pub(crate) sources: Sources,
    /// Prompt tokens that the context may take.
    pub(crate) tokens_max: usize,
}

/// What goes before the text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gathered {
    pub(crate) repository: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) excerpts: Vec<Excerpt>,
    pub(crate) costs: Vec<SourceCost>,
}

/// What was gathered last, and for where.
#[derive(Debug)]
pub(super) struct Held {
    path: Option<String>,
    window_start: usize,
    line: usize,
    sources: Sources,
    tokens_max: usize,
    generation: u64,
    gathered: Gathered,
}

/// Some lines of a document that may be shown.
struct Passage<'a> {
    path: &'a str,
    lines: Range<usize>,
    text: String,
    names: Vec<u64>,
}

impl Known {
    pub(super) fn gather(&mut self, wanted: &Wanted<'_>) -> Gathered {
        let line = wanted.document.line_of(wanted.offset);
        if let Some(held) = self.held.as_ref().filter(|held| held.serves(wanted, line, self.generation)) {
            return held.gathered.clone();
        }
        let path = wanted.path.map(|path| self.short(path).into_owned());
        let mut gathered = Gathered::default();
        if wanted.sources.path {
            gathered.path = path;
            gathered.repository.clone_from(&self.repository);
        }
        if wanted.sources.has_excerpts() {
            self.fill(wanted, &mut gathered);
        }
        let mut kept = gathered.clone();
        for cost in &mut kept.costs {
            cost.took = Duration::ZERO;
        }
        self.held = Some(Held {
            path: wanted.path.map(str::to_owned),
            window_start: wanted.window.start,
            line,
            sources: wanted.sources,
            tokens_max: wanted.tokens_max,
            generation: self.generation,
            gathered: kept,
        });
        gathered
    }

    /// Definitions first, for they change least, then passages, the likest last, then what is volatile. What is volatile
    /// is short and comes to its share first.
    fn fill(&mut self, wanted: &Wanted<'_>, gathered: &mut Gathered) {
        let room = wanted.tokens_max * CONTEXT_BYTES_PER_TOKEN_TENTHS / 10;
        let until = Instant::now() + CONTEXT_WAIT;
        let mut left = room;
        let mut found = Vec::new();
        for source in
            [ContextSource::Diagnostics, ContextSource::Edits, ContextSource::Definitions, ContextSource::Recent]
        {
            if !wanted.sources.has(source) {
                continue;
            }
            let started = Instant::now();
            let (excerpts, share) = match source {
                ContextSource::Diagnostics => (self.diagnostics(wanted), room),
                ContextSource::Edits => (self.edits(wanted), room * EDITS_PERCENT / 100),
                ContextSource::Definitions => {
                    (self.definitions(wanted, until, left.min(room * DEFINITIONS_PERCENT / 100)), room)
                }
                ContextSource::Recent => (self.passages(wanted), room),
                ContextSource::Path => continue,
            };
            let (excerpts, bytes) = fitting(excerpts, share.min(left));
            left -= bytes;
            found.push((source, excerpts, bytes, started.elapsed()));
        }
        found.sort_by_key(|(source, ..)| match source {
            ContextSource::Path | ContextSource::Definitions => 0,
            ContextSource::Recent => 1,
            ContextSource::Diagnostics => 2,
            ContextSource::Edits => 3,
        });
        for (source, excerpts, bytes, took) in found {
            let start = gathered.excerpts.len();
            gathered.excerpts.extend(excerpts.into_iter().rev());
            gathered.costs.push(SourceCost { source, excerpts: start..gathered.excerpts.len(), bytes, took });
        }
    }

    fn definitions(&mut self, wanted: &Wanted<'_>, until: Instant, bytes_max: usize) -> Vec<Excerpt> {
        let Some(view) = wanted.view else { return Vec::new() };
        // What cannot be read in time is read for a later key.
        for (path, document) in self.open.iter().rev() {
            if Instant::now() > until {
                break;
            }
            self.definitions.read(path, document);
        }
        let (names, imports) = (view.names_in_use(), view.imports());
        let asked = Asked { path: wanted.path, names: &names, imports: &imports, window: wanted.window.clone() };
        let mut by_file: Vec<(String, String)> = Vec::new();
        let mut foreign = Vec::new();
        let mut left = bytes_max;
        for shown in self.definitions.of(&asked) {
            if wanted.excludes.excludes(&shown.path) {
                continue;
            }
            let name = self.short(&shown.path).into_owned();
            if self.is_foreign(&shown.path) {
                foreign.push(name.clone());
            }
            let known = by_file.iter_mut().find(|(file, _)| *file == name);
            let bytes = shown.text.len() + 1 + if known.is_none() { name.len() + 2 } else { 0 };
            if bytes > left {
                continue;
            }
            left -= bytes;
            match known {
                Some((_, text)) => *text = format!("{text}\n{}", shown.text),
                None => by_file.push((name, shown.text)),
            }
        }
        by_file
            .into_iter()
            .map(|(name, text)| {
                let is_foreign = foreign.contains(&name);
                Excerpt { name, text: text.into(), is_foreign }
            })
            .collect()
    }

    /// Whether a file is outside of the folder that is worked in.
    fn is_foreign(&self, path: &str) -> bool {
        self.within(path).is_none()
    }

    /// Parts of documents that are like the text at the cursor, the likest first.
    fn passages(&self, wanted: &Wanted<'_>) -> Vec<Excerpt> {
        let mut passages = self.own_passages(wanted);
        let is_other = |path: &str| Some(path) != wanted.path && !wanted.excludes.excludes(path);
        for chunk in self.ring.chunks().filter(|chunk| is_other(&chunk.path)) {
            cut(&chunk.path, &chunk.document, chunk.lines.clone(), &mut passages);
        }
        let document = wanted.document;
        let before = document.slice(wanted.offset.saturating_sub(REFERENCE_BYTES_MAX / 8)..wanted.offset);
        let behind = document.slice(wanted.offset..wanted.offset + REFERENCE_BYTES_MAX / 8);
        let texts: Vec<&[u64]> = passages.iter().map(|passage| passage.names.as_slice()).collect();
        let scores = Query::new(&unify_line_ends(&before), &unify_line_ends(&behind)).score(&texts);
        let mut order: Vec<usize> = (0..passages.len()).filter(|&at| scores[at] > 0.0).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let mut chosen: Vec<&Passage<'_>> = Vec::new();
        for passage in order.into_iter().map(|at| &passages[at]) {
            let is_shown = chosen.iter().any(|other| {
                (other.path == passage.path
                    && other.lines.start < passage.lines.end
                    && passage.lines.start < other.lines.end)
                    || overlap(&other.names, &passage.names) > LIKE_TWINS_MAX
            });
            if !is_shown {
                chosen.push(passage);
            }
            if chosen.len() == PASSAGES_MAX {
                break;
            }
        }
        let excerpt = |passage: &&Passage<'_>| Excerpt {
            name: self.short(passage.path).into_owned(),
            text: Arc::from(passage.text.as_str()),
            is_foreign: self.is_foreign(passage.path),
        };
        chosen.iter().map(excerpt).collect()
    }

    /// The document itself, as far as the prompt does not hold it.
    fn own_passages<'a>(&self, wanted: &Wanted<'a>) -> Vec<Passage<'a>> {
        let document = wanted.document;
        let path = wanted.path.unwrap_or_default();
        let first = document.line_of(wanted.offset.saturating_sub(REFERENCE_BYTES_MAX));
        let last = document.line_of(wanted.offset.saturating_add(REFERENCE_BYTES_MAX)) + 1;
        let mut found = Vec::new();
        cut(path, document, first..document.line_of(wanted.window.start), &mut found);
        cut(path, document, document.line_of(wanted.window.end) + 1..last, &mut found);
        found
    }

    fn edits(&self, wanted: &Wanted<'_>) -> Vec<Excerpt> {
        let line = wanted.document.line_of(wanted.offset);
        let is_here =
            |path: &str, lines: &Range<usize>| Some(path) == wanted.path && lines.start <= line && line <= lines.end;
        let is_wanted = |hunk: &Hunk| !is_here(&hunk.path, &hunk.lines) && !wanted.excludes.excludes(&hunk.path);
        let hunks = self.edits.hunks().filter(is_wanted).take(EDITS_SHOWN_MAX);
        let name = |path: &str| format!("{}.diff", self.short(path));
        let excerpt = |hunk: Hunk| {
            let is_foreign = self.is_foreign(&hunk.path);
            Excerpt { name: name(&hunk.path), text: hunk.text.into(), is_foreign }
        };
        hunks.map(excerpt).collect()
    }

    fn diagnostics(&self, wanted: &Wanted<'_>) -> Vec<Excerpt> {
        let own = self.diagnostics.iter().find(|(path, _)| Some(path.as_str()) == wanted.path);
        let Some((path, diagnostics)) = own else { return Vec::new() };
        let line = wanted.document.line_of(wanted.offset);
        // The line that is being typed is always wrong.
        let mut near: Vec<_> = diagnostics
            .iter()
            .filter(|found| found.line != line && found.line.abs_diff(line) <= DIAGNOSTIC_LINES_NEAR)
            .collect();
        near.sort_by_key(|found| found.line.abs_diff(line));
        near.truncate(DIAGNOSTICS_SHOWN_MAX);
        let text: String = near
            .into_iter()
            .map(|found| {
                let first = found.message.lines().next().unwrap_or_default();
                let code = wanted.document.line(found.line).unwrap_or_default();
                let message = &first[..first.floor_char_boundary(DIAGNOSTIC_BYTES_MAX)];
                format!("{}: {message}\n", code.trim())
            })
            .collect();
        if text.is_empty() {
            return Vec::new();
        }
        let is_foreign = self.is_foreign(path);
        vec![Excerpt { name: format!("{}.errors", self.short(path)), text: text.into(), is_foreign }]
    }
}

/// Those that fit, the first ones first, and their bytes.
fn fitting(mut excerpts: Vec<Excerpt>, bytes_max: usize) -> (Vec<Excerpt>, usize) {
    let mut left = bytes_max;
    excerpts.retain(|excerpt| {
        // A name stands on a line of its own.
        let bytes = excerpt.name.len() + excerpt.text.len() + 2;
        let fits = bytes <= left;
        left -= if fits { bytes } else { 0 };
        fits
    });
    (excerpts, bytes_max - left)
}

impl Held {
    fn serves(&self, wanted: &Wanted<'_>, line: usize, generation: u64) -> bool {
        self.path.as_deref() == wanted.path
            && self.window_start == wanted.window.start
            && self.sources == wanted.sources
            && self.tokens_max == wanted.tokens_max
            && self.generation == generation
            && self.line.abs_diff(line) <= HELD_LINES
    }
}

/// Cuts lines into passages that overlap.
fn cut<'a>(path: &'a str, document: &Document, lines: Range<usize>, found: &mut Vec<Passage<'a>>) {
    let end = lines.end.min(document.line_count());
    let mut start = lines.start;
    while start < end {
        let stop = (start + PASSAGE_LINES).min(end);
        let text = document.slice(document.line_start(start)..document.line_start(stop));
        let text = unify_line_ends(text.trim_end());
        found.push(Passage { path, lines: start..stop, names: names(&text), text });
        if stop == end {
            break;
        }
        start += PASSAGE_STEP;
    }
}

#[cfg(test)]
mod tests;
