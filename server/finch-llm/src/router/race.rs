//! One request on its way from provider to provider, until one of them says something.
//!
//! The next is asked when one fails, or for completions when it is late. The first chunk decides: from then on the
//! answer is that provider's, and a failure is told and not mended. Others that were asked are dropped, which cancels
//! them.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{Choice, Listed, Place, RouterEvent, Setup, Shared, locked, provenance};
use crate::limits;
use crate::{Chunk, ChunkSender, GenerateStream, LlmError, Origin, Provider, Task};

/// Sends the request to a provider; may be called once for each.
pub(crate) type Send = Box<dyn Fn(&dyn Provider) -> GenerateStream + std::marker::Send + Sync>;

pub(crate) struct Race {
    shared: Arc<Shared>,
    origin: Origin,
    choice: Choice,
    /// How long a provider may be silent before the next is asked too.
    patience: Option<Duration>,
    send: Send,
}

struct Runner {
    listed: Listed,
    stream: GenerateStream,
    since: Instant,
    is_first: bool,
}

/// A provider that came to nothing.
struct Failure {
    listed: Listed,
    error: LlmError,
}

enum Step {
    /// Somebody speaks: this is the first chunk.
    Won(usize, Chunk),
    Lost(usize, LlmError),
    Late,
}

impl Race {
    pub(crate) fn new(shared: Arc<Shared>, setup: &Setup, origin: Origin, choice: Choice, send: Send) -> Self {
        let hedges = origin.task == Task::Completion;
        let patience = hedges.then(|| locked(&shared.pace).wait(setup.hedge)).flatten();
        Self { shared, origin, choice, patience, send }
    }

    /// Until the answer is whole, everybody has failed, or nobody reads it.
    pub(crate) async fn run(mut self, sender: ChunkSender) {
        let order = std::mem::take(&mut self.choice.order);
        tokio::select! {
            () = sender.reader_gone() => {}
            () = self.answer(order, &sender) => {}
        }
    }

    async fn answer(&self, order: Vec<Listed>, sender: &ChunkSender) {
        let (mut running, mut failures) = (Vec::new(), Vec::new());
        let mut rest = order.into_iter();
        running.extend(rest.next().map(|listed| self.start(listed, true)));
        while !running.is_empty() {
            match self.step(&mut running).await {
                Step::Won(at, chunk) => {
                    let winner = running.swap_remove(at);
                    drop(running);
                    return self.relay(winner, chunk, &failures, sender).await;
                }
                Step::Lost(at, error) => {
                    let Runner { listed, .. } = running.swap_remove(at);
                    if error == LlmError::Cancelled {
                        return end(sender, error).await;
                    }
                    self.fell(&listed, &error);
                    failures.push(Failure { listed, error });
                    running.extend(rest.next().map(|listed| self.start(listed, false)));
                }
                Step::Late => match rest.next() {
                    Some(listed) => running.push(self.start(listed, false)),
                    None => self.shared.want_consent(&self.origin, self.choice.waits.as_ref()),
                },
            }
        }
        self.shared.want_consent(&self.origin, self.choice.waits.as_ref());
        end(sender, self.failed(failures)).await;
    }

    fn start(&self, listed: Listed, is_first: bool) -> Runner {
        let stream = (self.send)(listed.provider.as_ref());
        Runner { listed, stream, since: Instant::now(), is_first }
    }

    /// What comes first: a chunk, a failure, or the end of the patience with who was asked last.
    async fn step(&self, running: &mut [Runner]) -> Step {
        let asked = running.iter().map(|runner| runner.since).max().unwrap_or_else(Instant::now);
        let late = self.patience.map(|patience| asked + patience).filter(|late| *late > Instant::now());
        let next = poll_fn(|context| {
            for (at, runner) in running.iter_mut().enumerate() {
                let polled = pin!(runner.stream.next()).poll(context);
                match polled {
                    Poll::Ready(Some(Ok(chunk))) => return Poll::Ready(Step::Won(at, chunk)),
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Step::Lost(at, error)),
                    Poll::Ready(None) => return Poll::Ready(Step::Lost(at, silent())),
                    Poll::Pending => {}
                }
            }
            Poll::Pending
        });
        match late {
            Some(late) => tokio::select! {
                biased;
                step = next => step,
                () = sleep_until(late) => Step::Late,
            },
            None => next.await,
        }
    }

    /// Passes on what the winner says.
    async fn relay(&self, mut winner: Runner, first: Chunk, failures: &[Failure], sender: &ChunkSender) {
        if winner.is_first {
            locked(&self.shared.pace).took(winner.since.elapsed());
        }
        let provenance = provenance(&winner.listed);
        sender.comes_from(provenance.clone());
        self.shared.tell(RouterEvent::Answered {
            provenance,
            task: self.origin.task,
            instead_of: (!winner.is_first).then(|| summary(failures, "it was late")),
        });
        let mut next = Some(Ok(first));
        while let Some(chunk) = next {
            sender.report(winner.stream.progress());
            match &chunk {
                Ok(Chunk::Done(_)) => {
                    sender.keep(winner.stream.kept());
                    locked(&self.shared.health).answered(&winner.listed.provider.id());
                }
                Ok(_) => {}
                Err(error) => self.fell(&winner.listed, error),
            }
            if sender.send(chunk).await.is_err() {
                return;
            }
            next = winner.stream.next().await;
        }
    }

    fn fell(&self, listed: &Listed, error: &LlmError) {
        tracing::info!(provider = %listed.provider.id(), kind = error.kind(), "a provider did not answer: {error}");
        // What computes here says itself whether it is ready.
        if listed.place != Place::Here {
            locked(&self.shared.health).failed(&listed.provider.id(), error, super::now());
        }
    }

    /// One error for all of them.
    fn failed(&self, mut failures: Vec<Failure>) -> LlmError {
        let now = super::now();
        if self.origin.task == Task::Completion {
            let ids: Vec<_> = failures.iter().map(|failure| failure.listed.provider.id()).collect();
            locked(&self.shared.health).all_failed(ids.iter(), now + limits::NOTICE_INTERVAL);
        }
        let error = match failures.len() {
            1 => failures.swap_remove(0).error,
            _ => LlmError::Unavailable { reason: summary(&failures, "nobody was asked") },
        };
        if !matches!(error, LlmError::Loading) {
            self.shared.all_failed(&error.to_string(), now);
        }
        error
    }
}

fn summary(failures: &[Failure], otherwise: &str) -> String {
    let told = |failure: &Failure| {
        let (id, error) = (failure.listed.provider.id(), failure.error.to_string());
        // A cloud's errors name it already.
        if error.contains(&format!("{id}: ")) { error } else { format!("{id}: {error}") }
    };
    let told: Vec<String> = failures.iter().map(told).collect();
    if told.is_empty() { otherwise.to_owned() } else { told.join("; ") }
}

fn silent() -> LlmError {
    LlmError::Protocol { reason: "the answer stopped without an end".to_owned() }
}

async fn end(sender: &ChunkSender, error: LlmError) {
    // A reader that is gone needs no reason.
    sender.send(Err(error)).await.ok();
}
