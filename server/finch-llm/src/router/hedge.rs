//! How long to wait for one provider before the next is asked beside it.

use std::{collections::VecDeque, time::Duration};

use crate::limits::{HEDGE_MAX, HEDGE_MIN, HEDGE_UNKNOWN, PACE_SAMPLES_MAX, PACE_SAMPLES_MIN};

/// When a second provider is asked while the first has said nothing. For completions alone: a person types on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Hedge {
    /// When the first takes longer than it usually does.
    #[default]
    Measured,
    After(Duration),
    Never,
}

/// How long the provider that is asked first has taken for its first chunk, lately.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    samples: VecDeque<Duration>,
}

impl Pace {
    pub(crate) fn took(&mut self, time: Duration) {
        if self.samples.len() >= PACE_SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(time);
    }

    /// The wait; `None` for ever.
    pub(crate) fn wait(&self, hedge: Hedge) -> Option<Duration> {
        match hedge {
            Hedge::Never => None,
            Hedge::After(wait) => Some(wait),
            Hedge::Measured if self.samples.len() < PACE_SAMPLES_MIN => Some(HEDGE_UNKNOWN),
            Hedge::Measured => {
                let mut sorted: Vec<Duration> = self.samples.iter().copied().collect();
                sorted.sort();
                // Nine of ten are faster; half as long again is late.
                let usual = sorted[(sorted.len() * 9 / 10).min(sorted.len() - 1)];
                Some((usual * 3 / 2).clamp(HEDGE_MIN, HEDGE_MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(samples_ms: &[u64], hedge: Hedge, wait_ms: Option<u64>) {
        let mut pace = Pace::default();
        samples_ms.iter().for_each(|&ms| pace.took(Duration::from_millis(ms)));
        assert_eq!(pace.wait(hedge), wait_ms.map(Duration::from_millis));
    }

    #[test]
    fn the_wait_follows_what_was_measured_within_bounds() {
        check(&[], Hedge::Measured, Some(1000));
        check(&[400; 8], Hedge::Measured, Some(600));
        check(&[400, 400, 400, 400, 400, 400, 400, 400, 400, 800], Hedge::Measured, Some(1200));
        check(&[1; 8], Hedge::Measured, Some(300));
        check(&[9000; 8], Hedge::Measured, Some(1500));
        check(&[400; 8], Hedge::After(Duration::from_millis(50)), Some(50));
        check(&[400; 8], Hedge::Never, None);
    }

    #[test]
    fn only_the_last_ones_count() {
        let samples: Vec<u64> = [9000; 40].into_iter().chain([400; PACE_SAMPLES_MAX]).collect();
        check(&samples, Hedge::Measured, Some(600));
    }
}
