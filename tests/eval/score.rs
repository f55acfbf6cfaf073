//! One answer beside what stood there.

use anyhow::Result;

use crate::places::{Kind, Place};
use crate::scene::Answer;

/// Letters and digits that make a line worth comparing with another.
const TELLING_CHARS_MIN: usize = 3;

#[derive(Debug)]
pub(crate) struct Judged {
    /// The first line is what stood there.
    pub(crate) exact: bool,
    /// Everything that is shown is what stood there, and nothing is missing.
    pub(crate) whole: bool,
    /// Of as many lines as were hidden.
    pub(crate) likeness: f64,
    pub(crate) first_word: bool,
    /// Share of the shown characters that would stay.
    pub(crate) kept: f64,
    /// The file parses with the suggestion.
    pub(crate) parses: bool,
    /// Its end stands behind the cursor already.
    pub(crate) duplicates: bool,
    /// At a line's end, the file parses without it and not with it.
    pub(crate) breaks: bool,
    pub(crate) failure: Option<Failure>,
}

/// How an answer is wrong, the first that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    Unexplained,
    Silent,
    Duplicates,
    Breaks,
    /// The first line goes on where the right one ends.
    TooLong,
    /// The first line ends too early.
    TooShort,
    /// The first word is right and a later one is not.
    LaterWord,
    FirstWord,
}

impl Failure {
    pub(crate) const ALL: [Self; 8] = [
        Self::Unexplained,
        Self::Silent,
        Self::Duplicates,
        Self::Breaks,
        Self::TooLong,
        Self::TooShort,
        Self::LaterWord,
        Self::FirstWord,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unexplained => "silent without a reason",
            Self::Silent => "silent",
            Self::Duplicates => "repeats what stands behind",
            Self::Breaks => "breaks a file that parses",
            Self::TooLong => "right but too long",
            Self::TooShort => "right but too short",
            Self::LaterWord => "wrong after the first word",
            Self::FirstWord => "wrong from the first word",
        }
    }
}

pub(crate) fn judge(place: &Place, answer: &Answer) -> Result<Judged> {
    let (said, wanted) = (answer.text.as_str(), place.wanted.as_str());
    let line = |text: &str| text.split('\n').next().unwrap_or("").trim_end().to_owned();
    let (said_line, wanted_line) = (line(said), line(wanted));
    let is_silent = said.is_empty();
    let with = format!("{}{said}{}", place.prefix, &place.suffix[answer.replaced..]);
    let parses = !is_silent && place.language.parses(&with)?;
    let is_at_line_end = place.kind != Kind::Inside;
    let word = |text: &str| text.split_whitespace().next().map(str::to_owned);
    let mut judged = Judged {
        exact: said_line == wanted_line,
        whole: said.trim_end() == wanted.trim_end(),
        likeness: likeness(said, wanted),
        first_word: !is_silent && word(said) == word(wanted),
        kept: kept(said, wanted),
        parses,
        duplicates: !is_silent && duplicates(place, answer),
        breaks: !is_silent && is_at_line_end && !parses && place.language.parses(&place.text())?,
        failure: None,
    };
    judged.failure = match () {
        () if is_silent && answer.reason.is_none() => Some(Failure::Unexplained),
        () if is_silent => Some(Failure::Silent),
        () if judged.duplicates => Some(Failure::Duplicates),
        () if judged.breaks => Some(Failure::Breaks),
        () if judged.exact => None,
        () if said_line.starts_with(&wanted_line) => Some(Failure::TooLong),
        () if wanted_line.starts_with(&said_line) => Some(Failure::TooShort),
        () if judged.first_word => Some(Failure::LaterWord),
        () => Some(Failure::FirstWord),
    };
    Ok(judged)
}

/// Edit similarity over as many lines as were hidden.
fn likeness(said: &str, wanted: &str) -> f64 {
    let said: Vec<&str> = said.split('\n').take(wanted.split('\n').count()).collect();
    strsim::normalized_levenshtein(said.join("\n").trim_end(), wanted.trim_end())
}

/// The longest common subsequence as a share of what was said.
fn kept(said: &str, wanted: &str) -> f64 {
    let wanted: Vec<char> = wanted.chars().collect();
    let mut row = vec![0_usize; wanted.len() + 1];
    let mut said_chars = 0;
    for c in said.chars() {
        said_chars += 1;
        let mut diagonal = 0;
        for (at, &other) in wanted.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if c == other { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row[wanted.len()] as f64 / f64::from(said_chars.max(1))
}

/// Whether the text ends with what stands behind it, and the right one does not.
fn duplicates(place: &Place, answer: &Answer) -> bool {
    let behind = &place.suffix[answer.replaced..];
    repeats(place, &answer.text, behind) && !repeats(place, &place.wanted, &place.suffix)
}

fn repeats(place: &Place, said: &str, behind: &str) -> bool {
    let (tail, below) = behind.split_once('\n').unwrap_or((behind, ""));
    if is_telling(tail.trim()) && said.trim_end().ends_with(tail.trim_end()) {
        return true;
    }
    let line = place.prefix.rsplit('\n').next().unwrap_or("");
    let said = format!("{line}{said}");
    let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let below: Vec<&str> = below.lines().map(str::trim).filter(|line| !line.is_empty()).take(said.len()).collect();
    (1..=below.len()).any(|count| said.ends_with(&below[..count]) && below[..count].iter().any(|line| is_telling(line)))
}

fn is_telling(line: &str) -> bool {
    line.chars().filter(|c| c.is_alphanumeric()).count() >= TELLING_CHARS_MIN
}
