//! What the server has done, in numbers: requests, refusals, tokens, times. All are true counts of this server's life.
//!
//! A request's handler asks for its [`Tally`] and reads the model's answer through [`Tally::watch`]; the rest counts itself,
//! also what a client that went away has cost.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use finch_llm::{Chunk, GenerateStream, LlmError, Usage};

use crate::limits::RATE_SECONDS;

/// Addresses that are counted by name; there are no more of them than these, whatever is asked.
const PATHS: [&str; 13] = [
    "/health",
    "/metrics",
    "/v1/status",
    "/v1/events",
    "/v1/feedback",
    "/v1/shutdown",
    "/v1/models",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
    "/v1/messages/count_tokens",
];
/// Upper bounds of the times to the first token that are told apart, in milliseconds.
pub(crate) const FIRST_MS: [u64; 10] = [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Counters {
    started: Instant,
    running: AtomicU64,
    total: AtomicU64,
    failed: AtomicU64,
    by_answer: Mutex<BTreeMap<(&'static str, u16), u64>>,
    by_refusal: Mutex<BTreeMap<&'static str, u64>>,
    by_error: Mutex<BTreeMap<&'static str, u64>>,
    prompt: AtomicU64,
    cached: AtomicU64,
    generated: AtomicU64,
    first: Mutex<First>,
    rate: Mutex<Rate>,
}

/// Times to the first token.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct First {
    /// How many were within each of [`FIRST_MS`], and beyond them.
    pub(crate) within: [u64; FIRST_MS.len() + 1],
    pub(crate) seconds: f64,
}

/// Generated tokens of each of the last seconds.
#[derive(Debug)]
struct Rate {
    seconds: [(u64, u64); RATE_SECONDS],
}

/// All numbers at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Numbers {
    pub(crate) uptime_s: f64,
    pub(crate) running: u64,
    pub(crate) total: u64,
    pub(crate) failed: u64,
    pub(crate) by_answer: BTreeMap<(&'static str, u16), u64>,
    pub(crate) by_refusal: BTreeMap<&'static str, u64>,
    pub(crate) by_error: BTreeMap<&'static str, u64>,
    pub(crate) prompt: u64,
    pub(crate) cached: u64,
    pub(crate) generated: u64,
    pub(crate) tokens_per_second: f64,
    pub(crate) first: First,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            running: AtomicU64::default(),
            total: AtomicU64::default(),
            failed: AtomicU64::default(),
            by_answer: Mutex::default(),
            by_refusal: Mutex::default(),
            by_error: Mutex::default(),
            prompt: AtomicU64::default(),
            cached: AtomicU64::default(),
            generated: AtomicU64::default(),
            first: Mutex::default(),
            rate: Mutex::new(Rate { seconds: [(0, 0); RATE_SECONDS] }),
        }
    }
}

impl Counters {
    /// A request was not let in.
    pub(crate) fn refused(&self, code: &'static str) {
        *locked(&self.by_refusal).entry(code).or_default() += 1;
    }

    /// A request's answer has begun.
    pub(crate) fn answered(&self, path: &str, status: u16) {
        let known = PATHS.iter().find(|known| **known == path);
        // A model's own address has its id in it.
        let of_a_model = path.starts_with("/v1/models/").then_some(&"/v1/models");
        let path = known.or(of_a_model).copied().unwrap_or("other");
        *locked(&self.by_answer).entry((path, status)).or_default() += 1;
    }

    pub(crate) fn numbers(&self) -> Numbers {
        let uptime = self.started.elapsed();
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Numbers {
            uptime_s: uptime.as_secs_f64(),
            running: get(&self.running),
            total: get(&self.total),
            failed: get(&self.failed),
            by_answer: locked(&self.by_answer).clone(),
            by_refusal: locked(&self.by_refusal).clone(),
            by_error: locked(&self.by_error).clone(),
            prompt: get(&self.prompt),
            cached: get(&self.cached),
            generated: get(&self.generated),
            tokens_per_second: locked(&self.rate).per_second(uptime.as_secs()),
            first: *locked(&self.first),
        }
    }

    /// What one request has cost, beyond what was counted before.
    fn spent(&self, before: Usage, now: Usage) {
        let add = |number: &AtomicU64, before: usize, now: usize| {
            let more = u64::try_from(now.saturating_sub(before)).unwrap_or(u64::MAX);
            number.fetch_add(more, Ordering::Relaxed);
            more
        };
        add(&self.prompt, before.prompt_tokens, now.prompt_tokens);
        add(&self.cached, before.cached_tokens, now.cached_tokens);
        let generated = add(&self.generated, before.generated_tokens, now.generated_tokens);
        if generated > 0 {
            locked(&self.rate).add(self.started.elapsed().as_secs(), generated);
        }
    }

    fn first_token_after(&self, since: Instant) {
        let time = since.elapsed();
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut first = locked(&self.first);
        first.within[FIRST_MS.iter().position(|bound| ms <= *bound).unwrap_or(FIRST_MS.len())] += 1;
        first.seconds += time.as_secs_f64();
    }
}

impl Rate {
    fn add(&mut self, second: u64, tokens: u64) {
        let place = &mut self.seconds[usize::try_from(second).unwrap_or_default() % RATE_SECONDS];
        if place.0 != second {
            *place = (second, 0);
        }
        place.1 += tokens;
    }

    /// Over the last minute, or over the server's life as long as that is shorter.
    fn per_second(&self, now: u64) -> f64 {
        let span = RATE_SECONDS as u64;
        let recent = self.seconds.iter().filter(|(second, _)| now.saturating_sub(*second) < span);
        let tokens: u64 = recent.map(|(_, tokens)| tokens).sum();
        tokens as f64 / (now + 1).min(span) as f64
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request's share of the counts. A cheap handle; the request is under way until the last one is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Tally(Arc<Request>);

#[derive(Debug)]
struct Request {
    counters: Arc<Counters>,
    has_failed: AtomicBool,
}

impl Tally {
    pub(crate) fn new(counters: &Arc<Counters>) -> Self {
        counters.running.fetch_add(1, Ordering::Relaxed);
        counters.total.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Request { counters: Arc::clone(counters), has_failed: AtomicBool::new(false) }))
    }

    /// The request's answer is not what it asked for, by no fault of its own.
    pub(crate) fn has_failed(&self) {
        if !self.0.has_failed.swap(true, Ordering::Relaxed) {
            self.0.counters.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The same stream, counted while it is read.
    pub(crate) fn watch(&self, stream: GenerateStream) -> Watched {
        Watched {
            stream,
            tally: self.clone(),
            since: Instant::now(),
            counted: Usage::default(),
            has_begun: false,
            is_told_by_status: false,
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.counters.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Behind the door every request has one; elsewhere, as in a test of a handler, its counts are nobody's.
/// A model's answer whose tokens are counted as they come. Everything else about it is the stream's.
#[derive(Debug)]
pub(crate) struct Watched {
    stream: GenerateStream,
    tally: Tally,
    since: Instant,
    counted: Usage,
    has_begun: bool,
    is_told_by_status: bool,
}

impl Watched {
    /// The status of the request's answer will say whether this failed, and the door counts those: it may be mended yet.
    pub(crate) fn is_told_by_status(&mut self) {
        self.is_told_by_status = true;
    }

    /// [`GenerateStream::next`].
    pub(crate) async fn next(&mut self) -> Option<Result<Chunk, LlmError>> {
        let next = self.stream.next().await;
        match &next {
            Some(Ok(Chunk::Done(done))) => self.spent(done.usage),
            Some(Ok(_)) => {
                if !std::mem::replace(&mut self.has_begun, true) {
                    self.tally.0.counters.first_token_after(self.since);
                }
                self.spent(self.stream.progress().usage);
            }
            Some(Err(error)) => self.failed(error),
            None => {}
        }
        next
    }

    fn spent(&mut self, usage: Usage) {
        self.tally.0.counters.spent(self.counted, usage);
        let counted = &mut self.counted;
        counted.prompt_tokens = counted.prompt_tokens.max(usage.prompt_tokens);
        counted.cached_tokens = counted.cached_tokens.max(usage.cached_tokens);
        counted.generated_tokens = counted.generated_tokens.max(usage.generated_tokens);
    }

    fn failed(&self, error: &LlmError) {
        *locked(&self.tally.0.counters.by_error).entry(error.kind()).or_default() += 1;
        match error {
            // Nobody wants it any more; too much at once; too much for the model.
            LlmError::Cancelled | LlmError::Overloaded | LlmError::ContextTooLong { .. } => {}
            // Their status is one of a server's error.
            LlmError::Unavailable { .. } | LlmError::Protocol { .. } if self.is_told_by_status => {}
            LlmError::RateLimited { .. }
            | LlmError::Unauthorized { .. }
            | LlmError::Loading
            | LlmError::Unavailable { .. }
            | LlmError::Refused { .. }
            | LlmError::Protocol { .. } => self.tally.has_failed(),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // What was made for a client that went away was made all the same.
        self.spent(self.stream.progress().usage);
    }
}

impl Deref for Watched {
    type Target = GenerateStream;

    fn deref(&self) -> &GenerateStream {
        &self.stream
    }
}

impl DerefMut for Watched {
    fn deref_mut(&mut self) -> &mut GenerateStream {
        &mut self.stream
    }
}

#[cfg(test)]
mod tests;
