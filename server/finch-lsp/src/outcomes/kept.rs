//! How much of an inserted text is left, as the share of its characters in a longest common subsequence. Pure.
//!
//! The subsequence is computed by whole machine words (Hyyrö's recurrence), so that the few kilobytes it is asked for
//! cost well under a millisecond.

use std::collections::HashMap;

/// The share of the characters of `inserted` that are in `now`, in their order: 0 to 1.
pub(crate) fn share(inserted: &str, now: &str) -> f64 {
    let inserted: Vec<char> = inserted.chars().collect();
    if inserted.is_empty() {
        return 1.0;
    }
    common(&inserted, now.chars()) as f64 / inserted.len() as f64
}

/// The length of a longest common subsequence.
fn common(a: &[char], b: impl Iterator<Item = char>) -> usize {
    let words = a.len().div_ceil(64);
    let mut places: HashMap<char, Vec<u64>> = HashMap::new();
    for (at, &character) in a.iter().enumerate() {
        places.entry(character).or_insert_with(|| vec![0; words])[at / 64] |= 1 << (at % 64);
    }
    // A zero bit is a character of `a` that the subsequence gained.
    let mut row = vec![u64::MAX; words];
    for character in b {
        let Some(mask) = places.get(&character) else { continue };
        let mut carry = false;
        for (word, mask) in row.iter_mut().zip(mask) {
            let (sum, first) = word.overflowing_add(*word & mask);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            carry = first || second;
            *word = sum | (*word & !mask);
        }
    }
    (0..a.len()).filter(|at| row[at / 64] >> (at % 64) & 1 == 0).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(inserted: &str, now: &str, expected: f64) {
        assert_eq!(share(inserted, now), expected, "{inserted:?} {now:?}");
    }

    #[test]
    fn what_is_left_counts_wherever_it_moved_to() {
        check("abcd", "abcd", 1.0);
        check("abcd", "", 0.0);
        check("abcd", "xyz", 0.0);
        check("abcd", "abXcd", 1.0);
        check("abcd", "aXd", 0.5);
        check("aaaa", "aa", 0.5);
        check("dcba", "abcd", 0.25);
        check("é𝄞", "𝄞", 0.5);
        check(&"x".repeat(1000), &"x".repeat(250), 0.25);
        check("", "anything", 1.0);
    }

    fn slowly(a: &[char], b: &[char]) -> usize {
        let mut row = vec![0; b.len() + 1];
        for x in a {
            let mut corner = 0;
            for (at, y) in b.iter().enumerate() {
                let above = row[at + 1];
                row[at + 1] = if x == y { corner + 1 } else { above.max(row[at]) };
                corner = above;
            }
        }
        row[b.len()]
    }

    proptest! {
        #[test]
        fn words_count_as_the_table_does(a in "[abc]{0,200}", b in "[abc]{0,200}") {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            prop_assert_eq!(common(&a, b.iter().copied()), slowly(&a, &b));
        }
    }
}
