//! How many prompt tokens go into one pass on this machine: enough to be fast, few enough to lose.

use std::time::Duration;

use crate::limits;

/// The measured speed of prompt passes.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Tokens in a second, smoothed.
    tokens_per_s: Option<f64>,
}

impl Pace {
    /// The tokens of the next pass.
    pub(crate) fn chunk(&self) -> usize {
        match self.tokens_per_s {
            None => limits::CHUNK_TOKENS_FIRST,
            // A float that is too large or no number saturates, and is clamped.
            Some(speed) => ((speed * limits::PASS_TIME.as_secs_f64()) as usize)
                .clamp(limits::CHUNK_TOKENS_MIN, limits::CHUNK_TOKENS_MAX),
        }
    }

    /// Learns from a pass.
    pub(crate) fn learn(&mut self, tokens: usize, time: Duration) {
        // Short passes are slower a token; they say nothing about long ones.
        if tokens < limits::CHUNK_TOKENS_MIN || time.is_zero() {
            return;
        }
        let speed = tokens as f64 / time.as_secs_f64();
        self.tokens_per_s = Some(self.tokens_per_s.map_or(speed, |before| (before + speed) / 2.0));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pace;

    #[test]
    fn a_pass_takes_about_the_time_it_may() {
        let mut pace = Pace::default();
        assert_eq!(pace.chunk(), 64);
        pace.learn(64, Duration::from_millis(200));
        assert_eq!(pace.chunk(), 80);
        for _ in 0..20 {
            pace.learn(32, Duration::from_millis(1000));
        }
        assert_eq!(pace.chunk(), 16);
        for _ in 0..40 {
            pace.learn(64, Duration::from_micros(1));
        }
        assert_eq!(pace.chunk(), 512);
    }

    #[test]
    fn a_short_pass_teaches_nothing() {
        let mut pace = Pace::default();
        pace.learn(1, Duration::from_secs(1));
        pace.learn(64, Duration::ZERO);
        assert_eq!(pace.chunk(), 64);
    }
}
