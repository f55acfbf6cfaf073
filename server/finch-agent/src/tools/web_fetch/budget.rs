//! How much a fetch may bring and how long it may take, redirects and unpacking included.

use std::time::{Duration, Instant};

use crate::limits::{FETCH_BYTES_MAX, FETCH_TIME_MAX};

/// What is left of a fetch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    bytes_left: usize,
    deadline: Instant,
}

/// A fetch that has used its budget up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Spent {
    #[error("the page took longer than {} s", FETCH_TIME_MAX.as_secs())]
    Time,
}

impl Budget {
    /// The budget of a fetch that begins at `now` and may take so long.
    pub(super) fn new(now: Instant, time: Duration) -> Self {
        Self { bytes_left: FETCH_BYTES_MAX, deadline: now + time }
    }

    /// Takes account of a piece, unpacked, and says how much of it counts.
    ///
    /// # Errors
    /// [`Spent::Time`] if it came too late.
    pub(super) fn take(&mut self, bytes: usize, now: Instant) -> Result<usize, Spent> {
        if self.time_left(now).is_zero() {
            return Err(Spent::Time);
        }
        let taken = bytes.min(self.bytes_left);
        self.bytes_left -= taken;
        Ok(taken)
    }

    /// How long the next wait may be.
    pub(super) fn time_left(&self, now: Instant) -> Duration {
        self.deadline.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_is_bounded_in_bytes_and_in_time() {
        let start = Instant::now();
        let mut budget = Budget::new(start, FETCH_TIME_MAX);
        assert_eq!(budget.take(FETCH_BYTES_MAX - 1, start), Ok(FETCH_BYTES_MAX - 1));
        assert_eq!(budget.take(10, start), Ok(1));
        assert_eq!(budget.take(10, start), Ok(0));
        // One byte a second does not go on for ever.
        let mut slow = Budget::new(start, FETCH_TIME_MAX);
        let seconds = (1..).take_while(|&second| slow.take(1, start + Duration::from_secs(second)).is_ok()).count();
        assert_eq!(seconds, 19);
    }
}
