//! What is wrong with a configuration, and where: file, line and column, and a sentence that says what to do.
//!
//! No text of the file is ever shown, for a key may stand anywhere in it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Where something stands in a file; line and column from 1, columns in characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    pub(crate) fn problem(&self, message: &str) -> Problem {
        let Self { file, line, column } = self.clone();
        // Whatever the message quotes, a key that slipped into it is not shown, and it stays one line.
        let message = finch_llm::redact::redact(message).chars().map(shown).collect();
        Problem { file, line, column, message }
    }
}

/// A character of a message; one that would steer a terminal or begin a line of a log is not let through.
fn shown(character: char) -> char {
    if character.is_control() { '\u{fffd}' } else { character }
}

/// Something that is wrong in a file, or has no effect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file.display(), self.line, self.column, self.message)
    }
}

/// A file and its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
}

impl Page<'_> {
    pub(super) fn place(self, span: &Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Place {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    pub(super) fn problem(self, span: &Range<usize>, message: &str) -> Problem {
        self.place(span).problem(message)
    }

    /// What the parser complains of; `section` is where it was read, with no dot behind it, and may be empty.
    pub(super) fn refusal(self, error: &toml::de::Error, section: &str, span: &Range<usize>) -> Problem {
        let key = key(error).map(|key| if section.is_empty() { key.clone() } else { format!("{section}.{key}") });
        let key = key.or_else(|| (!section.is_empty()).then(|| section.to_owned()));
        let what = without_value(error.message());
        let message = key.map_or_else(|| what.clone(), |key| format!("{key}: {what}"));
        self.problem(&error.span().unwrap_or_else(|| span.clone()), &message)
    }
}

/// What serde says, without the value that it says it of.
pub(super) fn without_value(message: &str) -> String {
    let of_value = ["invalid type: ", "invalid value: "].iter().any(|start| message.starts_with(start));
    match message.rsplit_once(", expected ") {
        Some((_, expected)) if of_value => format!("expected {}", plain(expected)),
        _ => message.to_owned(),
    }
}

/// Names of types, in words.
fn plain(expected: &str) -> &str {
    match expected {
        "usize" | "u64" | "u32" => "a whole number from 0",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        "a sequence" => "an array",
        "a map" => "a table",
        other => other,
    }
}

/// The key below the section that was read, which the error shows only in its text.
pub(super) fn key(error: &toml::de::Error) -> Option<String> {
    let shown = error.to_string();
    let key = shown.strip_prefix(error.message())?.trim().strip_prefix("in `")?.strip_suffix('`')?;
    Some(key.to_owned())
}
