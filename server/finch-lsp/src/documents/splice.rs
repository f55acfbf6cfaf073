//! A change as bytes: what was taken out of the text and what was put in. Pure.
//!
//! What a change takes out and puts back unchanged is no part of it, so that an editor which sends whole lines, or the
//! whole text, still tells what was touched.

use std::ops::Range;

use finch_text::{Change, Document, PositionEncoding};

use crate::limits::SPLICE_BYTES_MAX;

/// `text` stands where `range` of the text before it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Splice {
    pub(crate) range: Range<usize>,
    pub(crate) text: String,
}

impl Splice {
    /// The bytes of `document` that `change` replaces.
    pub(crate) fn range_of(change: &Change, document: &Document, encoding: PositionEncoding) -> Range<usize> {
        let Some(range) = change.range else { return 0..document.len() };
        let (start, end) = (document.offset(range.start, encoding), document.offset(range.end, encoding));
        start.min(end)..start.max(end)
    }

    /// The same with what stays the same left out; the whole if there is too much to compare.
    pub(crate) fn trimmed(range: Range<usize>, text: String, before: &Document) -> Self {
        if range.is_empty() || text.is_empty() || range.len().max(text.len()) > SPLICE_BYTES_MAX {
            return Self { range, text };
        }
        let removed = before.slice(range.clone());
        let start = common_start(&removed, &text);
        let end = common_end(&removed[start..], &text[start..]);
        let range = range.start + start..range.start + removed.len() - end;
        Self { range, text: text[start..text.len() - end].to_owned() }
    }

    /// The bytes of a text of `len` bytes that splices after each other touch together; `None` if they touch nothing.
    pub(crate) fn all(splices: &[Self], len: usize) -> Option<Range<usize>> {
        let (mut start, mut behind, mut now) = (usize::MAX, usize::MAX, len);
        for splice in splices {
            start = start.min(splice.range.start);
            behind = behind.min(now.checked_sub(splice.range.end)?);
            now = now - splice.range.len() + splice.text.len();
        }
        let end = len.checked_sub(behind)?;
        (start <= end).then_some(start..end)
    }
}

/// Bytes of whole characters that both begin with.
pub(crate) fn common_start(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

fn common_end(a: &str, b: &str) -> usize {
    a.chars().rev().zip(b.chars().rev()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &str, range: Range<usize>, text: &str, expected: (Range<usize>, &str)) {
        let splice = Splice::trimmed(range, text.to_owned(), &Document::new(before));
        assert_eq!((splice.range, splice.text.as_str()), expected);
    }

    #[track_caller]
    fn check_all(len: usize, splices: &[(Range<usize>, &str)], expected: Option<Range<usize>>) {
        let splices = splices.iter().map(|(range, text)| Splice { range: range.clone(), text: (*text).to_owned() });
        assert_eq!(Splice::all(&splices.collect::<Vec<_>>(), len), expected);
    }

    #[test]
    fn splices_after_each_other_touch_what_is_between_the_first_and_the_last_byte_of_any() {
        check_all(10, &[], None);
        check_all(10, &[(3..5, "x")], Some(3..5));
        check_all(10, &[(3..3, "abc"), (6..6, "d")], Some(3..3));
        check_all(10, &[(8..9, ""), (2..3, "xyz")], Some(2..9));
        check_all(10, &[(0..10, "")], Some(0..10));
        check_all(3, &[(0..9, "")], None);
    }

    #[test]
    fn what_stays_the_same_is_no_part_of_a_change() {
        check("abc", 1..1, "x", (1..1, "x"));
        check("abc", 0..3, "abxc", (2..2, "x"));
        check("abc", 0..3, "", (0..3, ""));
        check("aaa", 0..3, "aa", (2..3, ""));
        check("abc", 0..3, "abc", (3..3, ""));
        check("xéy", 0..4, "xèy", (1..3, "è"));
        check("one\ntwo\n", 0..8, "one\nzwei\n", (4..7, "zwei"));
    }
}
