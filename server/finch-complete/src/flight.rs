//! Requests under way: who listens to them, and how long they go on when nobody does.
//!
//! A client has one flight at most, the newest. It stays here while somebody listens, so that a newer ask of the
//! client takes it over in one step, whether its asker is gone already or not. Invariants: a flight belongs to a turn,
//! and only the newest turn of a client may launch, hear or end one; a flight that nobody listens to is dropped after
//! [`FLIGHT_LINGERS`], or at once where there is no runtime to count the time.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use finch_llm::{Chunk, ClientId, Done, GenerateStream, LlmError, Progress, Provenance, StopReason};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::answer::Ended;
use crate::ask::Ask;
use crate::confidence::Doubts;
use crate::limits::{CLIENTS_MAX, FLIGHT_LINGERS, TYPED_BYTES_MAX};
use crate::outcome::PromptParts;
use crate::place::unify_line_ends;
use crate::typed;

/// One request to the model, and what it said so far.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) ask: Ask,
    pub(crate) prompt: PromptParts,
    stream: GenerateStream,
    /// As it came; its line ends may be cut in two.
    heard: String,
    doubts: Doubts,
    chunks: usize,
    ended: Option<Result<Ended, LlmError>>,
    done: Option<Done>,
    /// What it says is one of several answers: no other ask may go on with it.
    is_sampled: bool,
}

/// What was heard of a flight, with `\n` line ends.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) text: String,
    /// Where in it the model was not sure.
    pub(crate) doubts: Doubts,
    pub(crate) ended: Option<Result<Ended, LlmError>>,
}

impl Said {
    /// The same up to a place in the text, as if that were all.
    pub(crate) fn before(&self, at: usize) -> Self {
        let text = self.text.get(..at).unwrap_or(&self.text).to_owned();
        Self { text, doubts: self.doubts.clone(), ended: None }
    }
}

/// Whether the user types what the model says, as far as both are known.
pub(crate) fn agree(heard: &str, typed: &str) -> bool {
    heard.starts_with(typed) || typed.starts_with(heard)
}

impl Flight {
    pub(crate) fn new(ask: Ask, prompt: PromptParts, stream: GenerateStream) -> Self {
        Self {
            ask,
            prompt,
            stream,
            heard: String::new(),
            doubts: Doubts::default(),
            chunks: 0,
            ended: None,
            done: None,
            is_sampled: false,
        }
    }

    pub(crate) fn sampled(self) -> Self {
        Self { is_sampled: true, ..self }
    }

    /// What was typed at its place since, if that agrees with what was heard and nothing else changed.
    pub(crate) fn typed(&self, ask: &Ask) -> Option<String> {
        if self.is_sampled || self.ask.path != ask.path || self.ask.language != ask.language {
            return None;
        }
        let (then, now) = ((&self.ask.document, self.ask.offset), (&ask.document, ask.offset));
        let heard = unify_line_ends(&self.heard);
        typed::since(then, now, TYPED_BYTES_MAX, |typed| agree(&heard, typed))
    }

    pub(crate) fn said(&self) -> Said {
        Said { text: unify_line_ends(&self.heard), doubts: self.doubts.clone(), ended: self.ended.clone() }
    }

    /// Who answers, where more than one may.
    pub(crate) fn provenance(&self) -> Option<Provenance> {
        self.stream.provenance()
    }

    /// What it has cost.
    pub(crate) fn progress(&self) -> Progress {
        let done = self.done.map(|done| Progress { usage: done.usage, timings: done.timings });
        let mut progress = done.unwrap_or_else(|| self.stream.progress());
        // Each chunk is a token at least, whatever the provider reported.
        progress.usage.generated_tokens = progress.usage.generated_tokens.max(self.chunks);
        progress
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.ended.is_some() {
            return Poll::Ready(());
        }
        // Nothing is lost when this is dropped: a chunk is taken off the stream only when it is ready.
        let next = pin!(self.stream.next()).poll(context);
        next.map(|chunk| self.hear(chunk))
    }

    fn hear(&mut self, chunk: Option<Result<Chunk, LlmError>>) {
        match chunk {
            Some(Ok(Chunk::Text(more))) => {
                self.chunks += 1;
                self.heard.push_str(&more);
            }
            Some(Ok(Chunk::Unsure(probability))) => {
                self.doubts.add(unify_line_ends(&self.heard).len(), probability);
            }
            Some(Ok(Chunk::Reasoning(_) | Chunk::ToolCall(_) | Chunk::Scored(_))) => {}
            Some(Ok(Chunk::Done(done))) => {
                self.done = Some(done);
                self.ended = Some(Ok(match done.reason {
                    StopReason::EndOfText | StopReason::ToolCalls | StopReason::StopText => Ended::Whole,
                    StopReason::TokensMax | StopReason::ContextFull => Ended::TooLong,
                }));
            }
            Some(Err(error)) => self.ended = Some(Err(error)),
            None => {
                let reason = "the answer stopped without an end".to_owned();
                self.ended = Some(Err(LlmError::Protocol { reason }));
            }
        }
    }
}

/// An ask of a client; a later one of the same client takes its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    client: ClientId,
    number: u64,
}

/// What comes of waiting for a flight.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Something was heard.
    News,
    /// Nothing was, in time.
    TimeUp,
    /// A newer ask has taken the flight.
    Gone,
}

/// The flights of all clients.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flights {
    slots: Arc<Mutex<Slots>>,
}

#[derive(Debug, Default)]
struct Slots {
    /// The client that asked last stands last.
    held: Vec<Slot>,
    turns: u64,
}

#[derive(Debug)]
struct Slot {
    turn: Turn,
    flight: Option<Flight>,
    /// What goes on behind this turn: a timer, or a listener.
    behind: Option<AbortHandle>,
    /// Who waits for the flight.
    listener: Option<Waker>,
}

impl Flights {
    /// A new ask of the client: nothing of an older one goes on, but for the flight that is handed over.
    pub(crate) fn begin(&self, client: &ClientId) -> (Turn, Option<Flight>) {
        let mut slots = self.locked();
        slots.turns += 1;
        let turn = Turn { client: client.clone(), number: slots.turns };
        let at = slots.held.iter().position(|slot| slot.turn.client == *client);
        let before = at.or((slots.held.len() >= CLIENTS_MAX).then_some(0)).map(|at| slots.held.remove(at));
        slots.held.push(Slot { turn: turn.clone(), flight: None, behind: None, listener: None });
        drop(slots);
        let flight = before.and_then(|mut slot| {
            let own = slot.turn.client == *client;
            slot.flight.take().filter(|_| own)
        });
        (turn, flight)
    }

    /// Whether the client's flight says what was typed since it began.
    pub(crate) fn fits(&self, ask: &Ask) -> bool {
        let slots = self.locked();
        let slot = slots.held.iter().find(|slot| slot.turn.client == ask.client);
        slot.and_then(|slot| slot.flight.as_ref()).is_some_and(|flight| flight.typed(ask).is_some())
    }

    /// Sends the turn's request, or goes on with one, unless a newer ask came. A newer one waits until this is done, so
    /// that requests are sent in the order of their asks.
    pub(crate) fn launch(&self, turn: &Turn, flight: impl FnOnce() -> Flight) -> bool {
        let mut slots = self.locked();
        let Some(slot) = slots.slot(turn) else { return false };
        debug_assert!(slot.flight.is_none(), "a turn has one flight");
        slot.flight = Some(flight());
        true
    }

    /// Listening to the turn's flight. Dropping the seat leaves the flight to whoever asks next, for a while.
    pub(crate) fn seat(&self, turn: &Turn) -> Seat<'_> {
        Seat { flights: self, turn: Some(turn.clone()) }
    }

    pub(crate) fn look<T>(&self, turn: &Turn, at: impl FnOnce(&Flight) -> T) -> Option<T> {
        self.locked().slot(turn)?.flight.as_ref().map(at)
    }

    /// What was heard so far; `None` if a newer ask has the flight.
    pub(crate) fn said(&self, turn: &Turn) -> Option<Said> {
        self.look(turn, Flight::said)
    }

    /// Waits until more is heard.
    pub(crate) async fn news(&self, turn: &Turn, until: Instant) -> Wait {
        let news = poll_fn(|context| {
            let mut slots = self.locked();
            let Some(slot) = slots.slot(turn) else { return Poll::Ready(Wait::Gone) };
            slot.listener = Some(context.waker().clone());
            let heard = slot.flight.as_mut().map(|flight| flight.poll(context));
            heard.map_or(Poll::Ready(Wait::Gone), |heard| heard.map(|()| Wait::News))
        });
        timeout_at(until, news).await.unwrap_or(Wait::TimeUp)
    }

    /// The flight is over for its listener, who gets it.
    pub(crate) fn land(&self, turn: &Turn) -> Option<Flight> {
        self.locked().slot(turn)?.flight.take()
    }

    /// Nothing goes on any more.
    pub(crate) fn ground_all(&self) {
        let held = std::mem::take(&mut self.locked().held);
        drop(held);
    }

    /// Lets the turn's flight go on for a while without a listener.
    fn linger(&self, turn: &Turn) {
        let grounding = Grounding { slots: Arc::downgrade(&self.slots), turn: turn.clone() };
        if self.locked().slot(turn).is_none_or(|slot| slot.flight.is_none()) {
            return;
        }
        if self.look(turn, |flight| flight.is_sampled) == Some(true) {
            return;
        }
        // Without a runtime it is dropped here and now.
        let Ok(runtime) = Handle::try_current() else { return };
        let timer = runtime.spawn(async move {
            sleep(FLIGHT_LINGERS).await;
            drop(grounding);
        });
        self.follow(turn, timer.abort_handle());
    }

    /// The task is stopped by the client's next ask.
    pub(crate) fn follow(&self, turn: &Turn, task: AbortHandle) {
        let before = match self.locked().slot(turn) {
            Some(slot) => slot.behind.replace(task),
            None => Some(task),
        };
        // Outside of the lock: a task that is stopped may want it.
        if let Some(before) = before {
            before.abort();
        }
    }

    fn locked(&self) -> MutexGuard<'_, Slots> {
        locked(&self.slots)
    }
}

impl Slots {
    fn slot(&mut self, turn: &Turn) -> Option<&mut Slot> {
        self.held.iter_mut().find(|slot| slot.turn == *turn)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(behind) = self.behind.take() {
            behind.abort();
        }
        if let Some(listener) = self.listener.take() {
            listener.wake();
        }
    }
}

/// Held by who listens to a flight.
#[derive(Debug)]
pub(crate) struct Seat<'a> {
    flights: &'a Flights,
    /// Absent once it was left in order.
    turn: Option<Turn>,
}

impl Seat<'_> {
    /// The flight goes on without a listener, or with another.
    pub(crate) fn leave(mut self) {
        self.turn = None;
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(turn) = &self.turn {
            self.flights.linger(turn);
        }
    }
}

/// Ends a turn's flight when it is dropped, be it that its time is up or that the runtime ends.
#[derive(Debug)]
struct Grounding {
    slots: Weak<Mutex<Slots>>,
    turn: Turn,
}

impl Drop for Grounding {
    fn drop(&mut self) {
        let Some(slots) = self.slots.upgrade() else { return };
        let flight = locked(&slots).slot(&self.turn).and_then(|slot| slot.flight.take());
        drop(flight);
    }
}

fn locked(slots: &Mutex<Slots>) -> MutexGuard<'_, Slots> {
    slots.lock().unwrap_or_else(PoisonError::into_inner)
}
