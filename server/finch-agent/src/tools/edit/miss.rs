//! Why a text is not where it was looked for, and what stands there instead.

use std::collections::BTreeMap;

use similar::DiffableStr;

use crate::{
    limits::{MISS_BYTES_MAX, MISS_LINES_MAX},
    tools::lines::numbered,
};

/// Why nothing was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Miss {
    NotThere,
    /// It stands at these lines, counted from 1.
    Several(Vec<usize>),
}

impl Miss {
    pub(super) fn in_words(&self, text: &str, old: &str) -> String {
        match self {
            Self::NotThere => format!("old_text is not in the file. {}", instead(text, old)),
            Self::Several(lines) => {
                let shown: Vec<String> = lines.iter().take(MISS_LINES_MAX).map(usize::to_string).collect();
                format!(
                    "old_text stands there {} times, at lines {}; take in more lines around the one that is meant, or \
                     set replace_all",
                    lines.len(),
                    shown.join(", ")
                )
            }
        }
    }
}

/// The line of an offset, counted from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// What stands in `text` where most of the lines of `old` are.
pub(super) fn instead(text: &str, old: &str) -> String {
    let (lines, wanted) = (text.tokenize_lines(), old.tokenize_lines());
    let Some(start) = likeliest(&lines, &wanted) else {
        return format!("None of its lines is; the file has {} lines. Read it again.", lines.len());
    };
    let end = (start + wanted.len()).min(lines.len());
    let same = lines[start..end].len() == wanted.len()
        && lines[start..end].iter().zip(&wanted).all(|(line, wanted)| line.trim() == wanted.trim());
    let why = if same { "It differs in white space only." } else { "It differs." };
    let (shown, _) = numbered(lines[start..end].iter().take(MISS_LINES_MAX).copied(), start, MISS_BYTES_MAX);
    format!("{why} What stands there:\n{shown}")
}

/// Where `wanted` would begin if the most of its lines stood in their places. White space around lines does not count.
fn likeliest(lines: &[&str], wanted: &[&str]) -> Option<usize> {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, line) in wanted.iter().enumerate().take(MISS_LINES_MAX).filter(|(_, line)| !line.trim().is_empty()) {
        places.entry(line.trim()).or_default().push(at);
    }
    let mut votes: BTreeMap<usize, usize> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        for place in places.get(line.trim()).into_iter().flatten().filter(|&&place| place <= at) {
            *votes.entry(at - place).or_default() += 1;
        }
    }
    // The first of those with the most votes.
    votes.into_iter().rev().max_by_key(|&(_, votes)| votes).map(|(start, _)| start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, old: &str, part: &str) {
        let said = Miss::NotThere.in_words(text, old);
        assert!(said.contains(part), "{said}");
    }

    #[test]
    fn a_miss_says_what_stands_there_instead() {
        check(
            "fn a() {\n    one();\n}\n",
            "fn a() {\n  one();\n}\n",
            "white space only. What stands there:\n     1\tfn a() {\n     2\t    one();",
        );
        check(
            "x\ny\nfn a() {\n    two();\n}\n",
            "fn a() {\n    one();\n}\n",
            "It differs. What stands there:\n     3\tfn a() {\n     4\t    two();",
        );
        check("a\nb\n", "zebra", "None of its lines is; the file has 2 lines");
        check("", "zebra", "0 lines");
        check("a\r\n", "a \n", "white space");
    }
}
