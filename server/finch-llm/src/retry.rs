//! Whether a failed request is tried again, and when: by the kind of its error.
//!
//! Pure: time and chance are arguments. Only for requests of whose answer nothing has been shown.

use std::time::Duration;

use crate::{LlmError, limits};

/// What became of the last try.
#[derive(Debug, Clone, Copy)]
pub struct Failed<'a> {
    pub error: &'a LlmError,
    /// The pause that the provider asked for beside its error.
    pub asked: Option<Duration>,
    /// Tries made, this one included.
    pub tries: u32,
    /// Since the first one began.
    pub spent: Duration,
}

/// How long a caller waits for the first chunk, all tries together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    pub total: Duration,
    /// How often one provider is asked.
    pub tries: u32,
}

/// The pause before the next try; `None` if there is none. `chance` is between 0 and 1 and spreads the clients that
/// failed together.
///
/// What a key, a name or the request itself is to blame for stays so. A provider that asks for a pause is not asked
/// again before it is over.
#[must_use]
pub fn pause(failed: Failed<'_>, patience: Patience, chance: f64) -> Option<Duration> {
    let Failed { error, asked, tries, spent } = failed;
    if tries >= patience.tries.min(limits::TRIES_MAX) {
        return None;
    }
    let chance = chance.clamp(0.0, 1.0);
    let pause = match error {
        LlmError::RateLimited { retry_after } => *retry_after + limits::BACKOFF_FIRST.mul_f64(chance),
        LlmError::Unavailable { .. } | LlmError::Overloaded | LlmError::Loading => {
            let doubled = limits::BACKOFF_FIRST * 2_u32.saturating_pow(tries.saturating_sub(1));
            // Chance spreads less than doubling adds, so that each pause is longer than the one before it.
            let pause = doubled.mul_f64(0.75 + chance / 2.0);
            asked.map_or(pause, |asked| asked + pause)
        }
        LlmError::Cancelled
        | LlmError::Unauthorized { .. }
        | LlmError::ContextTooLong { .. }
        | LlmError::Refused { .. }
        | LlmError::Protocol { .. } => return None,
    };
    (spent + pause < patience.total).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason() -> String {
        "x".to_owned()
    }

    #[track_caller]
    fn check(error: &LlmError, tries: u32, spent_s: u64, pause_ms: Option<u128>) {
        let patience = Patience { total: Duration::from_secs(30), tries: 3 };
        let failed = Failed { error, asked: None, tries, spent: Duration::from_secs(spent_s) };
        let found = pause(failed, patience, 0.5);
        assert_eq!(found.map(|pause| pause.as_millis()), pause_ms);
    }

    #[test]
    fn what_will_stay_so_is_not_tried_again() {
        for error in [
            LlmError::Unauthorized { reason: reason() },
            LlmError::Refused { reason: reason() },
            LlmError::Protocol { reason: reason() },
            LlmError::ContextTooLong { tokens: 2, tokens_max: 1 },
            LlmError::Cancelled,
        ] {
            check(&error, 1, 0, None);
        }
    }

    #[test]
    fn what_may_pass_is_tried_three_times() {
        let error = LlmError::Unavailable { reason: reason() };
        check(&error, 1, 0, Some(300));
        check(&error, 2, 1, Some(600));
        check(&error, 3, 2, None);
        check(&error, 1, 30, None);
    }

    #[test]
    fn who_types_on_asks_once() {
        let patience = Patience { total: Duration::from_secs(30), tries: 1 };
        for error in [LlmError::Unavailable { reason: reason() }, LlmError::RateLimited { retry_after: Duration::ZERO }]
        {
            let failed = Failed { error: &error, asked: None, tries: 1, spent: Duration::ZERO };
            assert_eq!(pause(failed, patience, 0.5), None);
        }
    }

    #[test]
    fn a_pause_that_is_asked_for_is_kept_or_is_too_long() {
        let error = |seconds| LlmError::RateLimited { retry_after: Duration::from_secs(seconds) };
        check(&error(7), 1, 0, Some(7150));
        check(&error(31), 1, 0, None);
        check(&error(7), 1, 25, None);
    }

    #[test]
    fn a_busy_provider_may_ask_for_a_pause_too() {
        let error = LlmError::Unavailable { reason: reason() };
        let asked = |seconds| Some(Duration::from_secs(seconds));
        let failed = |seconds| Failed { error: &error, asked: asked(seconds), tries: 1, spent: Duration::ZERO };
        let patience = Patience { total: Duration::from_secs(30), tries: 3 };
        assert_eq!(pause(failed(2), patience, 0.5), Some(Duration::from_millis(2300)));
        assert_eq!(pause(failed(30), patience, 0.5), None);
    }

    #[test]
    fn each_pause_is_longer_than_the_one_before_whatever_chance_says() {
        let error = LlmError::Unavailable { reason: reason() };
        let patience = Patience { total: Duration::from_secs(9), tries: 3 };
        let longest_first = Failed { error: &error, asked: None, tries: 1, spent: Duration::ZERO };
        let shortest_second = Failed { tries: 2, ..longest_first };
        let (first, second) = (pause(longest_first, patience, 1.0), pause(shortest_second, patience, 0.0));
        assert!(first.unwrap().mul_f64(1.1) < second.unwrap(), "{first:?} {second:?}");
    }

    #[test]
    fn chance_spreads_the_tries() {
        let error = LlmError::Unavailable { reason: reason() };
        let failed = Failed { error: &error, asked: None, tries: 1, spent: Duration::ZERO };
        let patience = Patience { total: Duration::from_secs(9), tries: 3 };
        let pause = |chance| pause(failed, patience, chance).unwrap();
        assert!(pause(0.0) < pause(0.5) && pause(0.5) < pause(1.0) && pause(1.0) == pause(7.0));
    }
}
