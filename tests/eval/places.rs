//! Which part of which file is hidden, by a fixed rule: two runs ask about the same places in the same order.

use crate::corpus::{File, scramble};
use crate::language::Language;

/// Lines at the start and the end of a file that are never asked about.
const HEAD_LINES: usize = 15;
const END_LINES: usize = 5;
/// Bytes of a line worth hiding.
const LINE_BYTES_MIN: usize = 15;
const LINE_BYTES_MAX: usize = 90;
const HIDDEN_LINES: usize = 3;
/// Characters behind the cursor of a place inside a line: what both sides' gates let through.
const TAIL_CHARS_MAX: usize = 8;
const INSIDE_CHARS_MIN: usize = 3;

/// What is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub(crate) enum Kind {
    /// From the end of a word to the end of the line.
    Rest,
    /// What stands in the last brackets of a line; the closing one stays.
    Inside,
    Line,
    ThreeLines,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Rest, Self::Inside, Self::Line, Self::ThreeLines];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest of line",
            Self::Inside => "in brackets",
            Self::Line => "line",
            Self::ThreeLines => "three lines",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) number: usize,
    /// In the corpus.
    pub(crate) file: usize,
    pub(crate) language: Language,
    pub(crate) kind: Kind,
    pub(crate) prefix: String,
    pub(crate) wanted: String,
    pub(crate) suffix: String,
    /// Where in the prefix begins what the last key put there.
    pub(crate) typed: usize,
}

impl Place {
    /// The file with the hole.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.prefix, self.suffix)
    }
}

/// `count` places after the first `skip`, languages and kinds in turn.
pub(crate) fn choose(files: &[File], languages: &[Language], kinds: &[Kind], skip: usize, count: usize) -> Vec<Place> {
    let mut rows: Vec<Vec<Place>> = Vec::new();
    for &kind in kinds {
        for &language in languages {
            rows.push(row(files, language, kind));
        }
    }
    let mut rows: Vec<_> = rows.into_iter().map(Vec::into_iter).collect();
    let mut all = Vec::new();
    loop {
        let before = all.len();
        all.extend(rows.iter_mut().filter_map(Iterator::next));
        if all.len() == before || all.len() >= skip + count {
            break;
        }
    }
    for (number, place) in all.iter_mut().enumerate() {
        place.number = number;
    }
    all.into_iter().skip(skip).take(count).collect()
}

/// One place a file, then a second one of each. Each kind begins with another file.
fn row(files: &[File], language: Language, kind: Kind) -> Vec<Place> {
    let mut order: Vec<usize> = (0..files.len()).filter(|&at| files[at].language == language).collect();
    order.sort_by_cached_key(|&at| scramble(&format!("{}/{}/{}", kind.name(), files[at].path, files[at].package)));
    let mut found = Vec::new();
    for round in 0..2_u64 {
        for &at in &order {
            let file = &files[at];
            let candidates = candidates(&file.text, kind);
            if candidates.is_empty() {
                continue;
            }
            let seed = scramble(&format!("{}/{}/{}/{round}", file.package, file.path, kind.name()));
            let (start, end) = candidates[usize::try_from(seed % candidates.len() as u64).unwrap_or(0)];
            found.push(Place {
                number: 0,
                file: at,
                language,
                kind,
                prefix: file.text[..start].to_owned(),
                wanted: file.text[start..end].to_owned(),
                suffix: file.text[end..].to_owned(),
                typed: typed(&file.text[..start]),
            });
        }
    }
    found.dedup_by(|a, b| a.file == b.file && a.prefix == b.prefix);
    found
}

/// The last key was a character, or the end of a line with the indentation that editors add.
fn typed(prefix: &str) -> usize {
    let line = prefix.trim_end_matches([' ', '\t']);
    match line.strip_suffix('\n') {
        Some(before) => before.len(),
        None => prefix.char_indices().next_back().map_or(0, |(at, _)| at),
    }
}

/// Ranges that can be hidden.
fn candidates(text: &str, kind: Kind) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut start = 0;
    let starts: Vec<usize> = lines
        .iter()
        .map(|line| {
            start += line.len();
            start - line.len()
        })
        .collect();
    let last = lines.len().saturating_sub(END_LINES);
    (HEAD_LINES..last)
        .filter(|&line| is_code(lines[line]))
        .filter_map(|line| {
            let content = lines[line].trim_end();
            let indent = content.len() - content.trim_start().len();
            let (from, to) = match kind {
                Kind::Rest => (rest_of(content, indent)?, content.len()),
                Kind::Inside => inside(content)?,
                Kind::Line => (indent, content.len()),
                Kind::ThreeLines => {
                    let hidden = lines.get(line..line + HIDDEN_LINES)?;
                    let is_whole = hidden.iter().all(|line| !line.trim().is_empty() && line.len() <= LINE_BYTES_MAX);
                    let bytes: usize = hidden.iter().map(|line| line.len()).sum();
                    (indent, is_whole.then_some(bytes - (hidden[2].len() - hidden[2].trim_end().len()))?)
                }
            };
            Some((starts[line] + from, starts[line] + to))
        })
        .collect()
}

fn is_code(line: &str) -> bool {
    let code = line.trim();
    let comment = ["#", "//", "/*", "\"", "'", "*", "use ", "import ", "from "];
    (LINE_BYTES_MIN..LINE_BYTES_MAX).contains(&code.len())
        && code.is_ascii()
        && !comment.iter().any(|head| code.starts_with(head))
}

/// At the end of a word some way into the line.
fn rest_of(content: &str, indent: usize) -> Option<usize> {
    let from = indent + (content.len() - indent) * 2 / 5;
    let bytes = content.as_bytes();
    let word = |at: usize| bytes[at].is_ascii_alphanumeric() || bytes[at] == b'_';
    (from..content.len().checked_sub(4)?).find(|&at| at > 0 && word(at - 1) && !word(at))
}

/// What stands in the last pair of round brackets that closes near the end of the line.
fn inside(content: &str) -> Option<(usize, usize)> {
    let close = content.rfind(')')?;
    let mut depth = 0;
    let open = content[..=close].bytes().rposition(|byte| {
        depth += match byte {
            b')' => 1,
            b'(' => -1,
            _ => 0,
        };
        depth == 0
    })?;
    let is_near_the_end = content[close..].chars().count() <= TAIL_CHARS_MAX;
    (is_near_the_end && close - open > INSIDE_CHARS_MIN).then_some((open + 1, close))
}
