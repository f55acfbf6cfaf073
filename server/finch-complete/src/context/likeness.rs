//! Which texts are like the one at the cursor: by the names that both use, rare names counting more than common ones.

use std::collections::HashMap;

use crate::limits::{LIKENESS_LINES_BEFORE, LIKENESS_LINES_BEHIND};

/// A name counts for so much on the cursor's line, and less and less above it.
const OWN_LINE_WEIGHT: f64 = 3.0;
const NEAR_WEIGHT: f64 = 2.0;
const BEHIND_WEIGHT: f64 = 0.5;
/// Of longer texts every part counts for less: Okapi BM25's `b`, for lengths that hardly differ.
const LENGTH_SHARE: f64 = 0.5;

/// The names of a text, each once and sorted.
pub(super) fn names(text: &str) -> Vec<u64> {
    let mut found: Vec<u64> = text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| word.len() > 1 && !word.starts_with(|c: char| c.is_ascii_digit()))
        .map(hash)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// FNV-1a.
fn hash(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The names around a cursor and how much each counts.
#[derive(Debug)]
pub(super) struct Query {
    weights: HashMap<u64, f64>,
}

impl Query {
    /// `before` ends at the cursor, `behind` begins there.
    pub(super) fn new(before: &str, behind: &str) -> Self {
        let mut weights: HashMap<u64, f64> = HashMap::new();
        let mut add = |line: &str, weight: f64| {
            for name in names(line) {
                let known = weights.entry(name).or_insert(0.0);
                *known = known.max(weight);
            }
        };
        for (distance, line) in before.rsplit('\n').take(LIKENESS_LINES_BEFORE).enumerate() {
            let share = 1.0 - distance as f64 / LIKENESS_LINES_BEFORE as f64;
            add(line, if distance == 0 { OWN_LINE_WEIGHT } else { NEAR_WEIGHT * share });
        }
        for line in behind.split('\n').take(LIKENESS_LINES_BEHIND) {
            add(line, BEHIND_WEIGHT);
        }
        Self { weights }
    }

    /// How much each of the texts is like what stands at the cursor; 0 is not at all.
    pub(super) fn score(&self, texts: &[&[u64]]) -> Vec<f64> {
        let mut holders: HashMap<u64, usize> = HashMap::new();
        for name in texts.iter().copied().flatten().filter(|name| self.weights.contains_key(*name)) {
            *holders.entry(*name).or_default() += 1;
        }
        let mean = texts.iter().map(|text| text.len()).sum::<usize>() as f64 / texts.len().max(1) as f64;
        let rarity = |name: &u64| {
            let holders = holders.get(name).copied().unwrap_or(0) as f64;
            (1.0 + (texts.len() as f64 - holders + 0.5) / (holders + 0.5)).ln()
        };
        let score = |text: &&[u64]| {
            let shared = text.iter().filter_map(|name| Some(self.weights.get(name)? * rarity(name))).sum::<f64>();
            shared / (1.0 - LENGTH_SHARE + LENGTH_SHARE * text.len() as f64 / mean.max(1.0))
        };
        texts.iter().map(score).collect()
    }
}

/// The share of names that two texts have in common.
pub(super) fn overlap(a: &[u64], b: &[u64]) -> f64 {
    let both = a.iter().filter(|name| b.binary_search(name).is_ok()).count();
    let all = a.len() + b.len() - both;
    both as f64 / all.max(1) as f64
}

#[cfg(test)]
mod tests;
