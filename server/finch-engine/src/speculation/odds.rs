//! How often a guess was right, by how much of the text before it had been seen before and what other places say.

use super::lookup::Witnesses;
use crate::limits;

/// Kinds of guesses behind a match of each length.
const KINDS: usize = 4;
/// What guesses are taken to come true before anything is measured, for matches of 1, 2, 3, 5, 9 and 17 tokens on:
/// the first of a draft without witnesses, with such that agree, with such that differ; and the others.
const EXPECTED: [[f32; KINDS]; 6] = [
    [0.45, 0.5, 0.15, 0.3],
    [0.55, 0.8, 0.35, 0.5],
    [0.75, 0.8, 0.55, 0.75],
    [0.8, 0.9, 0.65, 0.8],
    [0.9, 0.95, 0.75, 0.9],
    [0.95, 0.95, 0.85, 0.95],
];
/// What that expectation weighs, in guesses.
const EXPECTED_WEIGHT: f32 = 3.0;
/// A guess that lies so many guesses back weighs a third.
const MEMORY: f32 = 40.0;
/// What a sequence takes over from those before it weighs at most, in guesses.
const INHERITED_WEIGHT: f32 = 10.0;

/// The measured share of right guesses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Odds {
    rates: [[Rate; KINDS]; 6],
}

/// Where the first token of a draft was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grounds {
    /// Tokens before it that had been seen before.
    pub(crate) matched: usize,
    pub(crate) witnesses: Witnesses,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate {
    right: f32,
    all: f32,
}

impl Default for Odds {
    fn default() -> Self {
        let rate = |share: f32| Rate { right: share * EXPECTED_WEIGHT, all: EXPECTED_WEIGHT };
        Self { rates: EXPECTED.map(|kinds| kinds.map(rate)) }
    }
}

impl Odds {
    /// How often the token at this place of a draft was right if those before it were.
    pub(crate) fn of(&self, grounds: Grounds, at: usize) -> f64 {
        let (length, kind) = class(grounds, at);
        let rate = self.rates[length][kind];
        f64::from(rate.right / rate.all)
    }

    /// Learns from a draft of which `accepted` of `drafted` tokens were right. What was behind the first wrong one
    /// was never tried.
    pub(crate) fn learn(&mut self, grounds: Grounds, drafted: usize, accepted: usize) {
        for at in 0..drafted.min(accepted + 1) {
            let (length, kind) = class(grounds, at);
            let rate = &mut self.rates[length][kind];
            let keep = 1.0 - 1.0 / MEMORY;
            rate.right = rate.right * keep + if at < accepted { 1.0 } else { 0.0 };
            rate.all = rate.all * keep + 1.0;
        }
    }

    /// A guess was not even tried: what is known about its kind fades, so that it is tried again some day.
    pub(crate) fn fade(&mut self, grounds: Grounds) {
        let (length, kind) = class(grounds, 0);
        let rate = &mut self.rates[length][kind];
        let fading = 1.0 / limits::UNTRIED_DRAFTS;
        rate.right += (EXPECTED[length][kind] * EXPECTED_WEIGHT - rate.right) * fading;
        rate.all += (EXPECTED_WEIGHT - rate.all) * fading;
    }

    /// What a new sequence begins with: the same shares, held less firmly.
    pub(crate) fn inherited(&self) -> Self {
        let lighter = |rate: Rate| {
            let scale = (INHERITED_WEIGHT / rate.all).min(1.0);
            Rate { right: rate.right * scale, all: rate.all * scale }
        };
        Self { rates: self.rates.map(|kinds| kinds.map(lighter)) }
    }
}

/// Each right guess makes the match longer, and only the first had witnesses.
fn class(grounds: Grounds, at: usize) -> (usize, usize) {
    let length = match grounds.matched + at {
        0..=1 => 0,
        2 => 1,
        3..=4 => 2,
        5..=8 => 3,
        9..=16 => 4,
        _ => 5,
    };
    let kind = match (at, grounds.witnesses) {
        (0, Witnesses::None) => 0,
        (0, Witnesses::Agree) => 1,
        (0, Witnesses::Differ) => 2,
        _ => 3,
    };
    (length, kind)
}

#[cfg(test)]
mod tests {
    use super::{Grounds, Odds};
    use crate::speculation::lookup::Witnesses;

    fn behind(matched: usize) -> Grounds {
        Grounds { matched, witnesses: Witnesses::None }
    }

    #[test]
    fn odds_follow_what_is_measured_and_each_kind_has_its_own() {
        let mut odds = Odds::default();
        let others = [
            behind(20),
            Grounds { witnesses: Witnesses::Agree, ..behind(2) },
            Grounds { witnesses: Witnesses::Differ, ..behind(2) },
        ];
        let before = others.map(|grounds| odds.of(grounds, 0).to_bits());
        for _ in 0..100 {
            odds.learn(behind(2), 1, 0);
        }
        assert!(odds.of(behind(2), 0) < 0.05, "{odds:?}");
        assert_eq!(others.map(|grounds| odds.of(grounds, 0).to_bits()), before);
        for _ in 0..200 {
            odds.learn(behind(2), 1, 1);
        }
        assert!(odds.of(behind(2), 0) > 0.95, "{odds:?}");
    }

    #[test]
    fn only_what_was_tried_counts() {
        let mut odds = Odds::default();
        let before = odds.of(behind(8), 1);
        // Wrong at once: the seven behind it say nothing.
        odds.learn(behind(8), 8, 0);
        assert_eq!(odds.of(behind(8), 1).to_bits(), before.to_bits());
        odds.learn(behind(8), 2, 2);
        assert!(odds.of(behind(8), 1) > before);
    }

    #[test]
    fn a_kind_that_never_pays_is_tried_again_some_day() {
        let mut odds = Odds::default();
        for _ in 0..100 {
            odds.learn(behind(2), 1, 0);
        }
        for _ in 0..2000 {
            odds.fade(behind(2));
        }
        assert!(odds.of(behind(2), 0) > 0.5, "{odds:?}");
    }

    #[test]
    fn an_heir_learns_faster_from_the_same_start() {
        let mut odds = Odds::default();
        for _ in 0..100 {
            odds.learn(behind(2), 1, 1);
        }
        let mut heir = odds.inherited();
        assert!((heir.of(behind(2), 0) - odds.of(behind(2), 0)).abs() < 1e-6);
        odds.learn(behind(2), 1, 0);
        heir.learn(behind(2), 1, 0);
        assert!(heir.of(behind(2), 0) < odds.of(behind(2), 0));
    }
}
