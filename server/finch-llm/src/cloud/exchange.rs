//! One request and its answer over HTTP: gate, tries, stream.
//!
//! Runs as a task that ends with its reader. Tries again only while nothing of the answer has been shown.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::{Duration, Instant},
};

use reqwest::{Response, header};
use serde_json::Value;
use url::Url;

use super::{
    Departure, Gate, Key, Passage, Waits,
    assembly::broken,
    http::{self, Http},
    reader::Reader,
    status::{self, Refusal},
};
use crate::{
    Chunk, ChunkSender, LlmError, Origin, Progress, ProviderId, ReaderGone, StopReason, Timings, limits,
    retry::{self, Failed, Patience},
    sse::{SseParser, SseTooLong},
};

/// All that a request needs.
pub(super) struct Exchange {
    pub(super) provider: ProviderId,
    pub(super) model: String,
    pub(super) origin: Origin,
    pub(super) http: Http,
    pub(super) gate: Gate,
    pub(super) host: String,
    pub(super) is_loopback: bool,
    pub(super) url: Url,
    pub(super) body: Vec<u8>,
    /// What no error shows.
    pub(super) secrets: Vec<Key>,
    pub(super) waits: Waits,
    pub(super) patience: Patience,
    pub(super) tokens_max: usize,
    /// A reader for each try.
    pub(super) reader: Box<dyn Fn() -> Reader + Send + Sync>,
}

/// How far a request is.
struct Course {
    begun: Instant,
    /// When the first chunk went out; there is no second try after it.
    first_chunk: Option<Instant>,
    /// The pause that the provider asked for with its last refusal.
    asked: Option<Duration>,
}

impl Course {
    fn timings(&self) -> Timings {
        let first = self.first_chunk.unwrap_or_else(Instant::now);
        Timings { queued: Duration::ZERO, prefill: first.duration_since(self.begun), decode: first.elapsed() }
    }
}

impl Exchange {
    /// Until the answer is whole, has failed, or nobody reads it.
    pub(super) async fn run(self, sender: ChunkSender) {
        tokio::select! {
            () = sender.reader_gone() => {}
            outcome = self.answer(&sender) => {
                if let Err(error) = outcome {
                    // A reader that is gone needs no reason.
                    sender.send(Err(self.told(error))).await.ok();
                }
            }
        }
    }

    async fn answer(&self, sender: &ChunkSender) -> Result<(), LlmError> {
        let mut course = Course { begun: Instant::now(), first_chunk: None, asked: None };
        let mut tries = 0;
        loop {
            let Err(error) = self.attempt(sender, &mut course).await else { return Ok(()) };
            tries += 1;
            if course.first_chunk.is_some() {
                return Err(error);
            }
            let failed = Failed { error: &error, asked: course.asked.take(), tries, spent: course.begun.elapsed() };
            match retry::pause(failed, self.patience, chance()) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    async fn attempt(&self, sender: &ChunkSender, course: &mut Course) -> Result<(), LlmError> {
        let departure = Departure {
            provider: &self.provider,
            model: &self.model,
            host: &self.host,
            is_loopback: self.is_loopback,
            bytes: self.body.len(),
            origin: &self.origin,
        };
        let mut passage = (self.gate)(&departure)?;
        let outcome = self.pass(sender, course, &mut passage).await;
        passage.end(outcome.as_ref().copied());
        outcome.map(drop)
    }

    async fn pass(
        &self,
        sender: &ChunkSender,
        course: &mut Course,
        passage: &mut Passage,
    ) -> Result<StopReason, LlmError> {
        let sent = Instant::now();
        let wait = self.first_byte(course);
        let response = self.http.post(self.url.clone(), self.body.clone(), wait).await?;
        if !response.status().is_success() {
            return Err(self.refused(response, course).await);
        }
        if let Some(kind) = other_than_a_stream(&response) {
            return Err(self.no_stream(response, &kind).await);
        }
        self.stream(response, sent + wait, sender, (course, passage)).await
    }

    /// The rest of the patience, and no more than the provider is granted.
    fn first_byte(&self, course: &Course) -> Duration {
        self.waits.first_byte.min(self.patience.total.saturating_sub(course.begun.elapsed()))
    }

    async fn stream(
        &self,
        mut response: Response,
        first_event_by: Instant,
        sender: &ChunkSender,
        (course, passage): (&mut Course, &mut Passage),
    ) -> Result<StopReason, LlmError> {
        let (mut parser, mut events, mut reader) = (SseParser::default(), Vec::new(), (self.reader)());
        let mut last_event = None;
        let too_long = |error: SseTooLong| broken(error.to_string());
        while !reader.has_ended() {
            let wait = match last_event {
                None => first_event_by.saturating_duration_since(Instant::now()),
                Some(_) if reader.may_end() => limits::TAIL_WAIT.min(self.waits.between_bytes),
                Some(_) => self.waits.between_bytes,
            };
            match http::piece(&mut response, wait).await {
                Ok(Some(bytes)) => parser.push(bytes.as_ref(), &mut events).map_err(too_long)?,
                Ok(None) => {
                    std::mem::take(&mut parser).finish(&mut events).map_err(too_long)?;
                    // What has no end of its own may be half of what was said.
                    let last = self.pass_on(&mut events, &mut reader, sender, course).await;
                    last.map_err(|error| match error {
                        LlmError::Protocol { reason } => {
                            LlmError::Unavailable { reason: format!("the stream ended within an event: {reason}") }
                        }
                        error => error,
                    })?;
                    break;
                }
                // The answer is whole; only the end of the stream is missing.
                Err(_) if reader.may_end() => break,
                Err(error) => return Err(error),
            }
            if !events.is_empty() {
                last_event = Some(Instant::now());
            } else if last_event.is_some_and(|event: Instant| event.elapsed() > limits::EVENTLESS_WAIT) {
                return Err(LlmError::Unavailable { reason: "signs of life came and no answer".to_owned() });
            }
            self.pass_on(&mut events, &mut reader, sender, course).await?;
            passage.used(reader.usage());
        }
        passage.used(reader.usage());
        let (chunks, kept) = reader.finish(course.timings())?;
        sender.keep(kept);
        let mut reason = StopReason::EndOfText;
        for chunk in chunks {
            if let Chunk::Done(done) = &chunk {
                reason = done.reason;
            }
            send(sender, chunk, course).await?;
        }
        Ok(reason)
    }

    async fn pass_on(
        &self,
        events: &mut Vec<crate::sse::SseEvent>,
        reader: &mut Reader,
        sender: &ChunkSender,
        course: &mut Course,
    ) -> Result<(), LlmError> {
        for event in events.drain(..) {
            for chunk in reader.read(&event)? {
                send(sender, chunk, course).await?;
            }
        }
        sender.report(Progress { usage: reader.usage(), timings: course.timings() });
        Ok(())
    }

    async fn refused(&self, response: Response, course: &mut Course) -> LlmError {
        let status = response.status().as_u16();
        let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(str::to_owned);
        let body = http::small_body(response, self.waits.between_bytes).await;
        let refusal = Refusal { status, retry_after: retry_after.as_deref(), body: &body };
        course.asked = status::asked_pause(&refusal);
        status::error(refusal, &self.secrets, self.tokens_max)
    }

    /// A success that is no stream: an error in disguise, or somebody else's page.
    async fn no_stream(&self, response: Response, kind: &str) -> LlmError {
        let body = http::small_body(response, self.waits.between_bytes).await;
        let value: Option<Value> = serde_json::from_slice(&body).ok();
        let said = value.and_then(|value| status::in_stream(&value, &self.secrets, self.tokens_max));
        said.unwrap_or_else(|| {
            broken(format!("it answered with {} where a stream was asked for", status::shown(kind, &[])))
        })
    }

    /// The error as it is shown: it names the provider, and the key is not in it.
    fn told(&self, error: LlmError) -> LlmError {
        let told = |reason: String| {
            let reason = Key::scrub_all(&self.secrets, &reason);
            format!("{}: {reason}", self.provider)
        };
        match error {
            LlmError::Unauthorized { reason } => LlmError::Unauthorized { reason: told(reason) },
            LlmError::Unavailable { reason } => LlmError::Unavailable { reason: told(reason) },
            LlmError::Refused { reason } => LlmError::Refused { reason: told(reason) },
            LlmError::Protocol { reason } => LlmError::Protocol { reason: told(reason) },
            LlmError::Cancelled
            | LlmError::Overloaded
            | LlmError::RateLimited { .. }
            | LlmError::ContextTooLong { .. }
            | LlmError::Loading => error,
        }
    }
}

async fn send(sender: &ChunkSender, chunk: Chunk, course: &mut Course) -> Result<(), LlmError> {
    course.first_chunk.get_or_insert_with(Instant::now);
    sender.send(Ok(chunk)).await.map_err(|ReaderGone| LlmError::Cancelled)
}

/// The kind of a body that is said to be something else than events.
fn other_than_a_stream(response: &Response) -> Option<String> {
    let kind = response.headers().get(header::CONTENT_TYPE)?.to_str().unwrap_or("something");
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    (kind != "text/event-stream").then_some(kind)
}

/// A number between 0 and 1 that no two clients share: the hasher's keys are random.
fn chance() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 32;
    f64::from(u32::try_from(bits).unwrap_or_default()) / f64::from(u32::MAX)
}
