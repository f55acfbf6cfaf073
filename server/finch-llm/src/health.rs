//! What is remembered of providers that failed: for how long they are not asked.
//!
//! Pure: time is an argument. One failure of a kind that passes cools a provider down for a short time that doubles with
//! each; a pause that it asks for is kept; a key that is refused holds until the configuration changes.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{LlmError, ProviderId, limits};

/// The providers that failed lately.
#[derive(Debug, Default)]
pub struct Health {
    ill: HashMap<ProviderId, Ill>,
}

#[derive(Debug, Clone)]
struct Ill {
    failures: u32,
    until: Until,
    why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    Time(Instant),
    /// The user mends it.
    Configured,
}

impl Health {
    /// The provider answered: what was before is forgotten.
    pub fn answered(&mut self, provider: &ProviderId) {
        self.ill.remove(provider);
    }

    /// The provider failed. What the request was to blame for, or its caller, says nothing of the provider.
    pub fn failed(&mut self, provider: &ProviderId, error: &LlmError, now: Instant) {
        let failures = self.ill.get(provider).map_or(0, |ill| ill.failures) + 1;
        let until = match error {
            LlmError::Cancelled | LlmError::ContextTooLong { .. } | LlmError::Refused { .. } | LlmError::Loading => {
                return;
            }
            LlmError::Unauthorized { .. } => Until::Configured,
            LlmError::RateLimited { retry_after } => Until::Time(now + (*retry_after).min(limits::RETRY_AFTER_MAX)),
            LlmError::Overloaded | LlmError::Unavailable { .. } | LlmError::Protocol { .. } => {
                let doubled = limits::COOL_DOWN_FIRST * 2_u32.saturating_pow((failures - 1).min(16));
                Until::Time(now + doubled.min(limits::COOL_DOWN_MAX))
            }
        };
        self.ill.insert(provider.clone(), Ill { failures, until, why: error.to_string() });
    }

    /// How long the provider is not to be asked, and why; `None` if it may be.
    #[must_use]
    pub fn pause(&self, provider: &ProviderId, now: Instant) -> Option<(Duration, String)> {
        let Ill { until, why, .. } = self.ill.get(provider)?;
        let pause = match until {
            Until::Configured => Some(Duration::MAX),
            Until::Time(until) => until.checked_duration_since(now).filter(|pause| !pause.is_zero()),
        };
        pause.map(|pause| (pause, why.clone()))
    }

    /// Nobody answered: all of them are left alone until then at least.
    pub fn all_failed<'a>(&mut self, providers: impl Iterator<Item = &'a ProviderId>, until: Instant) {
        for provider in providers {
            if let Some(Ill { until: Until::Time(time), .. }) = self.ill.get_mut(provider) {
                *time = until.max(*time);
            }
        }
    }

    /// The configuration changed: everybody gets another chance.
    pub fn forget(&mut self) {
        self.ill.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(seconds: &[u64], error: &LlmError) -> (Health, ProviderId, Instant) {
        let (mut health, provider, begin) = (Health::default(), ProviderId::new("a"), Instant::now());
        for &at in seconds {
            health.failed(&provider, error, begin + Duration::from_secs(at));
        }
        (health, provider, begin)
    }

    #[track_caller]
    fn check(failures: &[u64], error: &LlmError, at: u64, pause: Option<Duration>) {
        let (health, provider, begin) = fails(failures, error);
        let found = health.pause(&provider, begin + Duration::from_secs(at));
        assert_eq!(found, pause.map(|pause| (pause, error.to_string())));
        assert_eq!(health.pause(&ProviderId::new("b"), begin), None);
    }

    #[test]
    fn what_passes_cools_down_longer_each_time() {
        let error = LlmError::Unavailable { reason: String::new() };
        let second = Duration::from_secs(1);
        check(&[0], &error, 0, Some(5 * second));
        check(&[0], &error, 4, Some(second));
        check(&[0], &error, 5, None);
        check(&[0, 5, 15], &error, 15, Some(20 * second));
        check(&[0; 40], &error, 0, Some(limits::COOL_DOWN_MAX));
    }

    #[test]
    fn a_pause_is_kept_and_a_refused_key_waits_for_the_user() {
        check(&[0], &LlmError::RateLimited { retry_after: Duration::from_secs(40) }, 30, Some(Duration::from_secs(10)));
        let refused = LlmError::Unauthorized { reason: String::new() };
        check(&[0], &refused, 100_000, Some(Duration::MAX));
        let (mut health, provider, begin) = fails(&[0], &refused);
        health.forget();
        assert_eq!(health.pause(&provider, begin), None);
    }

    #[test]
    fn what_the_request_is_to_blame_for_says_nothing() {
        for error in [
            LlmError::Cancelled,
            LlmError::Refused { reason: String::new() },
            LlmError::ContextTooLong { tokens: 2, tokens_max: 1 },
        ] {
            check(&[0], &error, 0, None);
        }
    }

    #[test]
    fn where_nobody_answered_all_rest_for_a_while() {
        let error = LlmError::Overloaded;
        let (mut health, provider, begin) = fails(&[0], &error);
        let minute = Duration::from_secs(60);
        health.all_failed([&provider, &ProviderId::new("b")].into_iter(), begin + minute);
        assert_eq!(health.pause(&provider, begin).unwrap().0, minute);
        assert_eq!(health.pause(&ProviderId::new("b"), begin), None);
        let refused = LlmError::Unauthorized { reason: String::new() };
        let (mut health, provider, begin) = fails(&[0], &refused);
        health.all_failed([&provider].into_iter(), begin + minute);
        assert_eq!(health.pause(&provider, begin).unwrap().0, Duration::MAX);
    }

    #[test]
    fn an_answer_makes_well() {
        let (mut health, provider, begin) = fails(&[0, 0], &LlmError::Overloaded);
        health.answered(&provider);
        assert_eq!(health.pause(&provider, begin), None);
        health.failed(&provider, &LlmError::Overloaded, begin);
        assert_eq!(health.pause(&provider, begin).unwrap().0, limits::COOL_DOWN_FIRST);
    }
}
