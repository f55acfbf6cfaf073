//! One text for another, wherever the lines of the file end as they do.

use std::ops::Range;

use super::miss::{Miss, line_of};

/// Which occurrences are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occurrences {
    /// The one there is; more than one is a miss.
    TheOnly,
    All,
}

/// `text` with `new` in the place of `old`. Line ends in `old` match those of the file, and those of `new` become what
/// they replace; everything else stays as it is, byte for byte.
pub(super) fn replace(text: &str, old: &str, new: &str, which: Occurrences) -> Result<String, Miss> {
    let (old, new) = (old.replace("\r\n", "\n"), new.replace("\r\n", "\n"));
    let flat = Flat::new(text);
    let found: Vec<Range<usize>> =
        flat.text.match_indices(&old).map(|(at, found)| flat.original(at)..flat.original(at + found.len())).collect();
    match (found.len(), which) {
        (0, _) => return Err(Miss::NotThere),
        (1, _) | (_, Occurrences::All) => {}
        (_, Occurrences::TheOnly) => {
            return Err(Miss::Several(found.iter().map(|range| line_of(text, range.start)).collect()));
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for range in found {
        out.push_str(&text[at..range.start]);
        if ends_with_crlf(text, &range) {
            out.push_str(&new.replace('\n', "\r\n"))
        } else {
            out.push_str(&new)
        }
        at = range.end;
    }
    out.push_str(&text[at..]);
    Ok(out)
}

/// Whether what goes into `range` ends its lines with `\r\n`: as what it replaces, or as the line it stands in.
fn ends_with_crlf(text: &str, range: &Range<usize>) -> bool {
    let ends_so = |at: usize| at > 0 && text.as_bytes()[at - 1] == b'\r';
    match text[range.start..].find('\n') {
        Some(at) => ends_so(range.start + at),
        None => text[..range.start].rfind('\n').is_some_and(ends_so),
    }
}

/// A text with `\n` for every `\r\n`, and the way back.
struct Flat {
    text: String,
    /// Where in `text` a `\n` was a `\r\n`.
    crlf: Vec<usize>,
}

impl Flat {
    fn new(original: &str) -> Self {
        let crlf = original.match_indices("\r\n").enumerate().map(|(count, (at, _))| at - count).collect();
        Self { text: original.replace("\r\n", "\n"), crlf }
    }

    fn original(&self, at: usize) -> usize {
        at + self.crlf.partition_point(|&end| end < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, old: &str, new: &str, which: Occurrences, expected: Result<&str, Miss>) {
        assert_eq!(
            replace(text, old, new, which).as_deref().map_err(Clone::clone),
            expected.as_ref().map(|t| &**t).map_err(Clone::clone)
        );
    }

    #[test]
    fn the_one_occurrence_is_replaced() {
        use Occurrences::{All, TheOnly};
        check("a b c", "b", "ö", TheOnly, Ok("a ö c"));
        check("a b b", "b", "x", TheOnly, Err(Miss::Several(vec![1, 1])));
        check("a\nb\nb", "b", "x", TheOnly, Err(Miss::Several(vec![2, 3])));
        check("a b b", "b", "x", All, Ok("a x x"));
        check("a", "b", "x", All, Err(Miss::NotThere));
        check("aaa", "aa", "b", All, Ok("ba"));
    }

    #[test]
    fn line_ends_stay_what_they_are() {
        let only = Occurrences::TheOnly;
        check("a\r\nb\r\nc\r\n", "a\nb", "x\ny\nz", only, Ok("x\r\ny\r\nz\r\nc\r\n"));
        check("a\r\nb\r\n", "a\r\nb\r\n", "x\r\n", only, Ok("x\r\n"));
        check("a\nb\r\nc\nd", "b\nc", "1\n2", only, Ok("a\n1\r\n2\nd"));
        check("a\r\nb", "b", "x\ny", only, Ok("a\r\nx\r\ny"));
        check("a\nb", "b", "x\r\ny", only, Ok("a\nx\ny"));
        check("a\rb", "a\rb", "c", only, Ok("c"));
        check("é\r\nb\r\nü", "\nü", "\nx", only, Ok("é\r\nb\r\nx"));
    }
}
