//! How long to wait before a request that nobody made himself is worked on. Pure; time is passed in.
//!
//! A request in the middle of a burst of keys is outdated before its answer comes. So it is waited for about as long as
//! the next key takes, where the user types faster than the model answers; not at all where answers are fast or keys are
//! slow, nor for clients that wait themselves. Who rejects again and again is asked less often, until he accepts.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::{DELAY, DELAY_MAX, FAST_ANSWER, GAP_MAX, PACE_COUNT_MAX, PACE_COUNT_MIN, PATIENT_REJECTIONS};

/// What is known of the pace of the user and of the model.
#[derive(Debug, Default)]
pub(crate) struct Delay {
    last_change: Option<Instant>,
    /// Between changes that follow each other, the newest last.
    gaps: VecDeque<Duration>,
    /// Of the model's answers, the newest last.
    latencies: VecDeque<Duration>,
    /// In a row.
    rejections: u32,
}

/// Whether the client waits for a pause in typing before it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    Waits,
    AsksAtOnce,
}

impl Client {
    /// By what it calls itself. Those that are not known are taken to ask with each key.
    pub(crate) fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let waits = ["neovim", "visual studio code", "vscodium", "code - oss", "cursor", "emacs"];
        if waits.iter().any(|known| name.starts_with(known)) { Self::Waits } else { Self::AsksAtOnce }
    }
}

impl Delay {
    /// The text changed.
    pub(crate) fn changed(&mut self, now: Instant) {
        let gap = self.last_change.replace(now).map(|last| now.saturating_duration_since(last));
        if let Some(gap) = gap.filter(|gap| *gap <= GAP_MAX) {
            keep(&mut self.gaps, gap);
        }
    }

    /// The model answered.
    pub(crate) fn answered(&mut self, latency: Duration) {
        keep(&mut self.latencies, latency);
    }

    pub(crate) fn accepted(&mut self) {
        self.rejections = 0;
    }

    pub(crate) fn rejected(&mut self) {
        self.rejections = self.rejections.saturating_add(1);
    }

    /// How long to wait from now on.
    pub(crate) fn wait(&self, client: Client, now: Instant) -> Duration {
        let wait = match client {
            Client::Waits => Duration::ZERO,
            Client::AsksAtOnce => self.for_pace(now),
        };
        let doublings = self.rejections / PATIENT_REJECTIONS;
        if doublings == 0 {
            return wait.min(DELAY_MAX);
        }
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        wait.max(DELAY).saturating_mul(factor).min(DELAY_MAX)
    }

    fn for_pace(&self, now: Instant) -> Duration {
        let latency = median(&self.latencies);
        if latency.is_some_and(|latency| latency <= FAST_ANSWER) {
            return Duration::ZERO;
        }
        match (median(&self.gaps), latency) {
            // The answer comes before the next key.
            (Some(gap), Some(latency)) if gap >= latency => Duration::ZERO,
            (Some(gap), Some(_)) => {
                let since = self.last_change.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
                // A little longer: half of the keys take more than the median.
                (gap + gap / 4).saturating_sub(since)
            }
            (None, _) | (_, None) => DELAY,
        }
    }
}

fn keep(known: &mut VecDeque<Duration>, new: Duration) {
    if known.len() == PACE_COUNT_MAX {
        known.pop_front();
    }
    known.push_back(new);
}

fn median(known: &VecDeque<Duration>) -> Option<Duration> {
    let mut sorted: Vec<Duration> = known.iter().copied().collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().filter(|_| sorted.len() >= PACE_COUNT_MIN)
}

/// The same for several tasks.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    held: Mutex<Delay>,
}

impl Pace {
    pub(crate) fn held(&self) -> MutexGuard<'_, Delay> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
