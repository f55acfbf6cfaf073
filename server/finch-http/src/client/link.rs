//! The link to a daemon: found or started, followed while it lasts, and made anew.
//!
//! In reading order: [`keep`] makes one link after the other; `Course` counts how they ended, and says whether and when
//! the next one is tried; then what is heard by a link.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use finch_llm::sse::SseParser;
use finch_llm::{Capabilities, LlmError, ModelState};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::Shared;
use crate::endpoint::Token;
use crate::limits::{
    EARLY_ENDS_MAX, EVENT_WAIT, LINK_GOOD_AFTER, LINK_TRIES_MAX, LINK_WAIT, RELINK_BACKOFF, RELINK_BACKOFF_MAX,
    RELINK_PAUSE,
};
use crate::wire::Event;

/// A daemon that has proved to be one.
#[derive(Debug)]
pub struct Link {
    /// Such as `http://127.0.0.1:11435`.
    pub url: String,
    pub token: Token,
    holds: watch::Sender<Holds>,
}

/// Whether requests can be sent by a link, and whether what was sent will be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holds {
    Yes,
    /// The connection was closed, or broke. A daemon that ends in order gives its answers to their ends, and the
    /// connections of one that died break by themselves.
    Ended,
    /// Nothing comes any more.
    Silent,
}

impl Link {
    #[must_use]
    pub fn new(url: String, token: Token) -> Self {
        Self { url, token, holds: watch::Sender::new(Holds::Yes) }
    }

    async fn is_at_least(&self, worst: Holds) {
        let mut holds = self.holds.subscribe();
        // The sender is this link's own and is there as long as the link.
        holds.wait_for(|holds| *holds >= worst).await.ok();
    }

    /// Waits until nothing that was sent will be answered.
    pub(super) async fn silent(&self) {
        self.is_at_least(Holds::Silent).await;
    }

    /// A connection broke. If the daemon is gone, so is the link in a moment: waits for that.
    pub(super) async fn doubt(&self) {
        timeout(RELINK_PAUSE, self.is_at_least(Holds::Ended)).await.ok();
    }
}

/// There is no daemon to be had, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoDaemon {
    /// None runs, and this process is not to start one.
    #[error("none runs, and none is to be started")]
    NotWanted,
    #[error("{0}")]
    Unusable(String),
    /// There is one, and it cannot be asked now: it begins, ends, or is held up. Worth another look as long as that lasts.
    #[error("{0}")]
    HeldUp(String),
    /// So many ended one after the other before their model was ready. Who loads that model may end like them.
    #[error("the daemon ended {0} times before its model was ready; its log says why")]
    Dies(u32),
}

/// Finds the daemon, or starts it, and says where it is. Has its own deadline.
pub type Ensure = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Link, NoDaemon>> + Send>> + Send + Sync>;

/// Whether requests can be sent.
#[derive(Debug, Clone)]
pub(super) enum Up {
    /// There was no link yet.
    Not,
    /// There was one, and it is being made anew.
    Broken,
    /// There is one, and the model behind it cannot answer.
    Waiting(LlmError),
    Ready(Arc<Link>),
}

pub(super) async fn keep(shared: &Shared, ensure: &Ensure) -> NoDaemon {
    let mut course = Course::default();
    loop {
        let began = Instant::now();
        let next = match shared.look(ensure).await {
            Ok(link) => {
                let linked = Instant::now();
                let (told, end) = shared.follow(Arc::new(link)).await;
                course.link_ended(told, end, linked.elapsed())
            }
            Err(no) => course.none_found(no),
        };
        if course.held > 0 {
            shared.wait_no_more();
        }
        match next {
            Ok(pause) => sleep(pause.max(RELINK_PAUSE.saturating_sub(began.elapsed()))).await,
            Err(no) => {
                shared.up.send_replace(Up::Not);
                return no;
            }
        }
    }
}

/// What was told by a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    /// The daemon refused, or kept silent.
    Refused,
    /// The connection broke before anything was told.
    Nothing,
    /// That a model is on its way.
    Loads,
    /// That there is none.
    Settled,
    /// That the model is ready, once at least.
    Ready,
}

/// How a link came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The daemon closed it, as it does where it is told to end.
    InOrder,
    Broke,
    /// Nothing came any more.
    Silent,
}

/// How it went so far: what has failed one after the other.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// Looks that found no daemon.
    absent: u32,
    /// Looks that found one which cannot be asked yet.
    held: u32,
    /// Links by which nothing came, of a daemon that lives.
    mute: u32,
    /// Daemons that died before their model was ready.
    early: u32,
}

impl Course {
    /// How long it is waited before the next look, if there is one.
    fn none_found(&mut self, no: NoDaemon) -> Result<Duration, NoDaemon> {
        if let NoDaemon::HeldUp(why) = &no {
            if self.held == 0 {
                tracing::info!("there is a daemon, and it is waited for: {why}");
            }
            self.held = self.held.saturating_add(1);
            return Ok(backoff(self.held));
        }
        self.held = 0;
        self.absent += 1;
        if self.absent >= LINK_TRIES_MAX {
            return Err(no);
        }
        tracing::debug!("no daemon yet: {no}");
        Ok(Duration::ZERO)
    }

    /// The same after a link.
    pub(super) fn link_ended(&mut self, told: Told, end: End, lasted: Duration) -> Result<Duration, NoDaemon> {
        if told == Told::Ready || (told == Told::Settled && lasted >= LINK_GOOD_AFTER) {
            *self = Self::default();
            return Ok(Duration::ZERO);
        }
        (self.held, self.absent) = (0, 0);
        if told == Told::Refused || end == End::Silent {
            self.mute += 1;
            if self.mute > LINK_TRIES_MAX {
                return Err(NoDaemon::Unusable("the daemon refuses, or says nothing; see its log".to_owned()));
            }
            return Ok(backoff(self.mute));
        }
        if told > Told::Nothing && end == End::InOrder {
            // Somebody wanted it to end, and it would have loaded the model.
            return Ok(RELINK_BACKOFF);
        }
        // That it began to load says nothing: it may die of just that, again and again.
        self.early += 1;
        if self.early >= EARLY_ENDS_MAX {
            return Err(NoDaemon::Dies(self.early));
        }
        Ok(backoff(self.early))
    }
}

/// Twice as long each time, up to a bound.
fn backoff(count: u32) -> Duration {
    let doublings = count.saturating_sub(1).min(8);
    RELINK_BACKOFF.saturating_mul(1 << doublings).min(RELINK_BACKOFF_MAX)
}

impl Shared {
    /// Finds a daemon. Requests wait for that only so long.
    async fn look(&self, ensure: &Ensure) -> Result<Link, NoDaemon> {
        let mut looking = ensure();
        if let Ok(found) = timeout(LINK_WAIT, &mut looking).await {
            return found;
        }
        self.wait_no_more();
        looking.await
    }

    /// Lets who asks hear at once that the model is not there, and ask somebody else.
    fn wait_no_more(&self) {
        self.up.send_if_modified(|up| {
            let is_waited_for = matches!(up, Up::Broken);
            if is_waited_for {
                *up = Up::Waiting(LlmError::Loading);
            }
            is_waited_for
        });
    }

    /// Follows what a daemon tells until it breaks.
    async fn follow(&self, link: Arc<Link>) -> (Told, End) {
        let (told, end) = self.listen(&link).await;
        link.holds.send_replace(if end == End::Silent { Holds::Silent } else { Holds::Ended });
        self.up.send_if_modified(|up| match up {
            Up::Not => false,
            _ => {
                *up = Up::Broken;
                true
            }
        });
        if told > Told::Nothing {
            tracing::info!("the link to the daemon broke; it is made anew");
            self.state.send_replace(ModelState::Starting);
        }
        (told, end)
    }

    /// What it told, and how that ended.
    async fn listen(&self, link: &Arc<Link>) -> (Told, End) {
        let request = self.http.get(format!("{}/v1/events?client={}", link.url, self.name));
        let sent = timeout(EVENT_WAIT, request.bearer_auth(link.token.expose()).send()).await;
        let mut response = match sent {
            Ok(Ok(response)) if response.status().is_success() => response,
            Ok(Ok(response)) => {
                tracing::warn!("the daemon refused with status {}", response.status().as_u16());
                return (Told::Refused, End::InOrder);
            }
            Ok(Err(_)) => return (Told::Nothing, End::Broke),
            Err(_) => return (Told::Refused, End::Silent),
        };
        let (mut parser, mut events, mut told) = (SseParser::default(), Vec::new(), Told::Nothing);
        loop {
            // Comments come when there is nothing to tell: a daemon that is silent for so long is gone.
            let bytes = match timeout(EVENT_WAIT, response.chunk()).await {
                Ok(Ok(Some(bytes))) => bytes,
                Ok(Ok(None)) => return (told, End::InOrder),
                Ok(Err(_)) => return (told, End::Broke),
                Err(_) => return (told, End::Silent),
            };
            if parser.push(&bytes, &mut events).is_err() {
                return (if told == Told::Nothing { Told::Refused } else { told }, End::Broke);
            }
            for event in events.drain(..) {
                let Ok(event) = serde_json::from_str::<Event>(&event.data) else { continue };
                let heard = self.hear(link, event);
                told = if told == Told::Ready { told } else { heard };
            }
        }
    }

    fn hear(&self, link: &Arc<Link>, event: Event) -> Told {
        let (state, capabilities): (ModelState, Option<Capabilities>) = event.into();
        let waiting = match &state {
            ModelState::Ready { .. } => None,
            ModelState::Absent { next } => Some(unavailable("no model is installed", next)),
            ModelState::Failed { error, next } => Some(unavailable(error, next)),
            _ => Some(LlmError::Loading),
        };
        // What a model can do holds while it is loaded anew, so that nobody takes it for gone.
        let is_lost = matches!(state, ModelState::Absent { .. } | ModelState::Failed { .. });
        if let Some(capabilities) = capabilities.or(is_lost.then(Capabilities::none)) {
            *self.capabilities.write().unwrap_or_else(PoisonError::into_inner) = capabilities;
        }
        let told = match waiting {
            None => Told::Ready,
            Some(LlmError::Loading) => Told::Loads,
            Some(_) => Told::Settled,
        };
        let was_broken = matches!(*self.up.borrow(), Up::Broken);
        match waiting {
            None => drop(self.up.send_replace(Up::Ready(Arc::clone(link)))),
            // While the new daemon loads what the old one had, requests wait.
            Some(LlmError::Loading) if was_broken => {}
            Some(why) => drop(self.up.send_replace(Up::Waiting(why))),
        }
        self.state.send_replace(state);
        told
    }
}

fn unavailable(problem: &str, next: &str) -> LlmError {
    LlmError::Unavailable { reason: format!("{problem}; {next}") }
}
