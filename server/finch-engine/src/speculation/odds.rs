//! How often a guess was right, by how much of the text before it had been seen before.

use crate::limits;

/// What guesses are taken to come true, before anything is measured, for matches of 2, 3, 5, 9 and 17 tokens on.
const EXPECTED: [f32; 5] = [0.45, 0.6, 0.75, 0.85, 0.95];
/// What that expectation weighs, in guesses.
const EXPECTED_WEIGHT: f32 = 3.0;
/// A guess that lies so many guesses back weighs a third.
const MEMORY: f32 = 40.0;
/// What a sequence takes over from those before it weighs at most, in guesses.
const INHERITED_WEIGHT: f32 = 10.0;

/// The measured share of right guesses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Odds {
    rates: [Rate; 5],
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate {
    right: f32,
    all: f32,
}

impl Default for Odds {
    fn default() -> Self {
        Self { rates: EXPECTED.map(|share| Rate { right: share * EXPECTED_WEIGHT, all: EXPECTED_WEIGHT }) }
    }
}

impl Odds {
    /// The share of right guesses behind `matched` tokens.
    pub(crate) fn of(&self, matched: usize) -> f64 {
        let rate = self.rates[class(matched)];
        f64::from(rate.right / rate.all)
    }

    /// Learns from a draft behind `matched` tokens of which `accepted` of `drafted` were right. What was behind the
    /// first wrong one was never tried.
    pub(crate) fn learn(&mut self, matched: usize, drafted: usize, accepted: usize) {
        for at in 0..drafted.min(accepted + 1) {
            let rate = &mut self.rates[class(matched + at)];
            let keep = 1.0 - 1.0 / MEMORY;
            rate.right = rate.right * keep + if at < accepted { 1.0 } else { 0.0 };
            rate.all = rate.all * keep + 1.0;
        }
    }

    /// A guess was not even tried: what is known about its kind fades, so that it is tried again some day.
    pub(crate) fn fade(&mut self, matched: usize) {
        let class = class(matched);
        let rate = &mut self.rates[class];
        let fading = 1.0 / limits::UNTRIED_DRAFTS;
        rate.right += (EXPECTED[class] * EXPECTED_WEIGHT - rate.right) * fading;
        rate.all += (EXPECTED_WEIGHT - rate.all) * fading;
    }

    /// What a new sequence begins with: the same shares, held less firmly.
    pub(crate) fn inherited(&self) -> Self {
        let rates = self.rates.map(|rate| {
            let scale = (INHERITED_WEIGHT / rate.all).min(1.0);
            Rate { right: rate.right * scale, all: rate.all * scale }
        });
        Self { rates }
    }
}

fn class(matched: usize) -> usize {
    match matched {
        0..=2 => 0,
        3..=4 => 1,
        5..=8 => 2,
        9..=16 => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::Odds;

    #[test]
    fn odds_follow_what_is_measured_and_each_length_has_its_own() {
        let mut odds = Odds::default();
        let long = odds.of(20);
        for _ in 0..100 {
            odds.learn(2, 1, 0);
        }
        assert!(odds.of(2) < 0.02, "{odds:?}");
        assert_eq!(odds.of(20).to_bits(), long.to_bits());
        for _ in 0..200 {
            odds.learn(2, 1, 1);
        }
        assert!(odds.of(2) > 0.95, "{odds:?}");
    }

    #[test]
    fn only_what_was_tried_counts() {
        let mut odds = Odds::default();
        let before = odds.of(9);
        // Wrong at once: the seven behind it say nothing.
        odds.learn(2, 8, 0);
        assert_eq!(odds.of(9).to_bits(), before.to_bits());
        // A right guess makes the match longer.
        odds.learn(8, 2, 2);
        assert!(odds.of(9) > before);
    }

    #[test]
    fn a_kind_that_never_pays_is_tried_again_some_day() {
        let mut odds = Odds::default();
        for _ in 0..100 {
            odds.learn(2, 1, 0);
        }
        for _ in 0..2000 {
            odds.fade(2);
        }
        assert!(odds.of(2) > 0.4, "{odds:?}");
    }

    #[test]
    fn an_heir_learns_faster_from_the_same_start() {
        let mut odds = Odds::default();
        for _ in 0..100 {
            odds.learn(2, 1, 1);
        }
        let mut heir = odds.inherited();
        assert!((heir.of(2) - odds.of(2)).abs() < 1e-6);
        odds.learn(2, 1, 0);
        heir.learn(2, 1, 0);
        assert!(heir.of(2) < odds.of(2));
    }
}
