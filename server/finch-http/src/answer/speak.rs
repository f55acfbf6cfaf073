//! An answer as a stream of server-sent events: chunks in, a dialect's events out.
//!
//! The status goes out with the first chunk, so a request that fails at once has a status of its own. A failure in the
//! middle is an event, and behind it comes nothing: no event that could pass for an end.

use std::{collections::VecDeque, convert::Infallible, future::Future};

use crate::counters::Watched;
use axum::response::{
    IntoResponse, Response, Sse,
    sse::{self, KeepAlive},
};
use finch_llm::{Chunk, Done, LlmError, Progress, Provenance};
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    answer::whole::stopped,
    error::ApiError,
    limits::{FIRST_CHUNK_WAIT, KEEP_ALIVE},
};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// JSON without a name.
    Data(Value),
    /// JSON with the name of its kind.
    Named(&'static str, Value),
    /// The end, as OpenAI's clients know it.
    End,
}

impl From<Event> for sse::Event {
    fn from(event: Event) -> Self {
        match event {
            Event::Data(value) => Self::default().data(value.to_string()),
            Event::Named(name, value) => Self::default().event(name).data(value.to_string()),
            Event::End => Self::default().data("[DONE]"),
        }
    }
}

/// How a dialect tells an answer.
pub(crate) trait Dialect: Send + 'static {
    /// Before anything is said: by whom, and what it has cost so far.
    fn open(&mut self, by: &Provenance, progress: Progress) -> Vec<Event>;

    /// By whom it is said, where that was not known when it was opened.
    fn known(&mut self, by: &Provenance);

    /// What is said. Never [`Chunk::Done`].
    fn say(&mut self, chunk: Chunk) -> Result<Vec<Event>, LlmError>;

    /// Has to be over before the end is told.
    fn before_end(&mut self, _done: &Done) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// The end.
    fn end(&mut self, done: Done) -> Vec<Event>;

    /// The answer failed.
    fn fail(&mut self, error: &ApiError) -> Vec<Event>;
}

/// Answers with a stream.
///
/// # Errors
/// What fails before anything is said.
pub(crate) async fn speak(mut stream: Watched, by: Provenance, dialect: impl Dialect) -> Result<Response, ApiError> {
    let first = match timeout(FIRST_CHUNK_WAIT, stream.next()).await {
        Ok(Some(Ok(chunk))) => Some(chunk),
        Ok(Some(Err(error))) => return Err(error.into()),
        Ok(None) => return Err(stopped().into()),
        Err(_) => None,
    };
    let mut speaker =
        Speaker { stream, dialect, events: VecDeque::new(), is_by_known: first.is_some(), is_over: false };
    let by = speaker.stream.provenance().unwrap_or(by);
    let progress = speaker.stream.progress();
    let opening = speaker.dialect.open(&by, progress);
    speaker.events.extend(opening);
    if let Some(chunk) = first {
        speaker.take(Some(Ok(chunk))).await;
    }
    let events = futures_util::stream::unfold(speaker, |mut speaker| async move {
        let event = speaker.next().await?;
        Some((Ok::<_, Infallible>(sse::Event::from(event)), speaker))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

struct Speaker<D> {
    stream: Watched,
    dialect: D,
    /// To be sent before the next chunk is read.
    events: VecDeque<Event>,
    is_by_known: bool,
    is_over: bool,
}

impl<D: Dialect> Speaker<D> {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.is_over {
                return None;
            }
            let heard = self.stream.next().await;
            self.take(heard).await;
        }
    }

    async fn take(&mut self, heard: Option<Result<Chunk, LlmError>>) {
        if let (false, Some(Ok(_))) = (self.is_by_known, &heard) {
            self.is_by_known = true;
            if let Some(by) = self.stream.provenance() {
                self.dialect.known(&by);
            }
        }
        let events = match heard {
            Some(Ok(Chunk::Done(done))) => {
                self.is_over = true;
                self.dialect.before_end(&done).await;
                Ok(self.dialect.end(done))
            }
            Some(Ok(chunk)) => self.dialect.say(chunk),
            Some(Err(error)) => Err(error),
            None => Err(stopped()),
        };
        let events = events.unwrap_or_else(|error| {
            self.is_over = true;
            self.dialect.fail(&error.into())
        });
        self.events.extend(events);
    }
}
