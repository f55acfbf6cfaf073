//! Where the end of a text was seen before, and what followed there.
//!
//! A plain scan from the latest place back: a few microseconds for a full context, which is thousands of times less
//! than the pass it may save, and nothing to keep up to date. Knows nothing about models.

use std::sync::Arc;

use memchr::memmem;

use crate::limits;

/// A place where the end of the text stood before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where its continuation begins.
    pub(crate) next: usize,
    /// How many tokens, or bytes, before it are the same.
    pub(crate) matched: usize,
    pub(crate) witnesses: Witnesses,
}

/// What other places say that match as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Witnesses {
    /// There are none.
    None,
    /// They go on in the same way.
    Agree,
    /// One goes on in another way.
    Differ,
}

impl Found {
    /// Hears a place that matches as well.
    fn hear(&mut self, agrees: bool) {
        self.witnesses = match (self.witnesses, agrees) {
            (Witnesses::None | Witnesses::Agree, true) => Witnesses::Agree,
            (Witnesses::Differ, true) | (_, false) => Witnesses::Differ,
        };
    }
}

/// The longest match of the end of `tail` in `seen` that something follows; the latest of several.
pub(crate) fn in_tokens(seen: &[u32], tail: &[u32]) -> Option<Found> {
    let &last = tail.last()?;
    let mut best: Option<Found> = None;
    let mut candidates = 0;
    for at in (0..seen.len().saturating_sub(1)).rev() {
        if seen[at] != last {
            continue;
        }
        let matched = common_end(&seen[..=at], tail);
        match &mut best {
            Some(best) if matched == best.matched => best.hear(seen[at + 1] == seen[best.next]),
            Some(best) if matched < best.matched => {}
            _ => best = Some(Found { next: at + 1, matched, witnesses: Witnesses::None }),
        }
        candidates += 1;
        if matched >= limits::MATCH_TOKENS_MAX || candidates == limits::MATCH_CANDIDATES_MAX {
            break;
        }
    }
    best
}

/// The longest match of the end of `tail` in one of the texts, at least `least` bytes long.
///
/// The first text goes first, and of several places in it the latest.
pub(crate) fn in_texts<'t>(texts: &'t [Arc<str>], tail: &[u8], least: usize) -> Option<(&'t str, Found)> {
    let needle = tail.get(tail.len().checked_sub(least.max(1))?..)?;
    let finder = memmem::Finder::new(needle);
    let mut best: Option<(&str, Found)> = None;
    for text in texts {
        let bytes = text.as_bytes();
        let mut here: Option<Found> = None;
        for start in finder.find_iter(bytes).take(limits::MATCH_CANDIDATES_MAX) {
            let next = start + needle.len();
            let matched = common_end(&bytes[..next], tail);
            if next == bytes.len() || !text.is_char_boundary(next) {
                continue;
            }
            let witness = here.filter(|here| here.matched == matched);
            if here.is_none_or(|here| matched >= here.matched) {
                let mut found = Found { next, matched, witnesses: witness.map_or(Witnesses::None, |it| it.witnesses) };
                if let Some(witness) = witness {
                    found.hear(go_on_alike(&bytes[next..], &bytes[witness.next..]));
                }
                here = Some(found);
            }
        }
        if let Some(found) = here
            && best.is_none_or(|(_, best)| found.matched > best.matched)
        {
            best = Some((text, found));
        }
    }
    best
}

/// About a token.
const ALIKE_BYTES: usize = 3;

fn go_on_alike(a: &[u8], b: &[u8]) -> bool {
    a.iter().zip(b).take(ALIKE_BYTES).all(|(a, b)| a == b)
}

fn common_end<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Witnesses, in_texts, in_tokens};

    #[track_caller]
    fn check(seen: &[u32], tail: &[u32], expected: Option<(usize, usize)>) {
        assert_eq!(in_tokens(seen, tail).map(|found| (found.next, found.matched)), expected);
    }

    #[test]
    fn the_longest_match_wins_and_of_equals_the_latest() {
        check(&[1, 2, 3, 9, 2, 3, 8, 1, 2, 3], &[1, 2, 3], Some((3, 3)));
        check(&[7, 2, 3, 9, 5, 2, 3, 8, 0], &[1, 2, 3], Some((7, 2)));
    }

    #[test]
    fn the_end_itself_is_no_match() {
        check(&[3, 9, 3, 8, 1, 3], &[1, 3], Some((3, 1)));
        check(&[1, 2, 3], &[1, 2, 3], None);
        check(&[], &[1, 2], None);
        check(&[1, 2, 3], &[], None);
    }

    #[test]
    fn equal_matches_are_witnesses_for_each_other() {
        let witnesses = |seen: &[u32]| in_tokens(seen, &[1, 2]).map(|found| found.witnesses);
        assert_eq!(witnesses(&[1, 2, 3, 0]), Some(Witnesses::None));
        assert_eq!(witnesses(&[1, 2, 3, 1, 2, 3]), Some(Witnesses::Agree));
        assert_eq!(witnesses(&[1, 2, 3, 1, 2, 4, 1, 2, 3]), Some(Witnesses::Differ));
        // A shorter match has no say.
        assert_eq!(witnesses(&[9, 2, 7, 1, 2, 3, 0]), Some(Witnesses::None));
        let in_text = |text: &str| in_texts(&[text.into()], b"ab", 2).map(|(_, found)| found.witnesses);
        assert_eq!(in_text("ab1 "), Some(Witnesses::None));
        assert_eq!(in_text("ab123x ab123y "), Some(Witnesses::Agree));
        assert_eq!(in_text("ab123 ab223 "), Some(Witnesses::Differ));
    }

    #[test]
    fn a_repetition_is_found_one_period_ago() {
        check(&[5, 6, 5, 6, 5, 6], &[5, 6, 5, 6, 5, 6], Some((4, 4)));
    }

    #[track_caller]
    fn check_texts(texts: &[&str], tail: &str, least: usize, expected: Option<(&str, usize)>) {
        let texts: Vec<Arc<str>> = texts.iter().map(|&text| text.into()).collect();
        let found = in_texts(&texts, tail.as_bytes(), least);
        assert_eq!(found.map(|(text, found)| (&text[found.next..], found.matched)), expected);
    }

    #[test]
    fn a_text_is_searched_for_the_longest_match() {
        check_texts(&["let a = b; let c = d;", "x let a = e;"], "let a = ", 4, Some(("b; let c = d;", 8)));
        check_texts(&["a = 1", "let a = 2"], "let a = ", 4, Some(("2", 8)));
        check_texts(&["a = 1 a = 2"], "a = ", 4, Some(("2", 4)));
    }

    #[test]
    fn a_match_needs_its_length_and_something_behind_it() {
        check_texts(&["a = 1"], "b = ", 4, None);
        check_texts(&["a = "], "a = ", 4, None);
        check_texts(&["a = 1"], "= ", 4, None);
        check_texts(&[], "a = ", 4, None);
    }

    #[test]
    fn half_a_character_is_never_followed() {
        let texts: Vec<Arc<str>> = vec!["aaäx".into()];
        assert_eq!(in_texts(&texts, b"aa\xc3", 3), None);
    }
}
