//! The link to a daemon: found or started, followed while it lasts, and made anew.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};

use finch_llm::sse::SseParser;
use finch_llm::{Capabilities, LlmError, ModelState};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::Shared;
use crate::endpoint::Token;
use crate::limits::{EVENT_WAIT, LINK_TRIES_MAX, RELINK_PAUSE};
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
    let mut tries = 0;
    loop {
        let began = Instant::now();
        match ensure().await {
            Ok(link) => {
                if shared.follow(Arc::new(link)).await {
                    tries = 0;
                }
            }
            Err(no) if tries + 1 >= LINK_TRIES_MAX => {
                shared.up.send_replace(Up::Not);
                return no;
            }
            Err(no) => tracing::debug!("no daemon yet: {no}"),
        }
        tries += 1;
        if tries > LINK_TRIES_MAX {
            shared.up.send_replace(Up::Not);
            return NoDaemon::Unusable("the daemon ends as soon as it is asked; see its log".to_owned());
        }
        // A daemon that dies at once is not started again and again without a pause.
        sleep(RELINK_PAUSE.saturating_sub(began.elapsed())).await;
    }
}

impl Shared {
    /// Follows what a daemon tells until it breaks; true if it told something.
    async fn follow(&self, link: Arc<Link>) -> bool {
        let (heard, holds) = self.listen(&link).await;
        link.holds.send_replace(holds);
        self.up.send_if_modified(|up| match up {
            Up::Not => false,
            _ => {
                *up = Up::Broken;
                true
            }
        });
        if heard {
            tracing::info!("the link to the daemon broke; it is made anew");
            self.state.send_replace(ModelState::Starting);
        }
        heard
    }

    /// Whether it told something, and what became of the link.
    async fn listen(&self, link: &Arc<Link>) -> (bool, Holds) {
        let request = self.http.get(format!("{}/v1/events?client={}", link.url, self.name));
        let sent = timeout(EVENT_WAIT, request.bearer_auth(link.token.expose()).send()).await;
        let mut response = match sent {
            Ok(Ok(response)) if response.status().is_success() => response,
            Ok(Ok(response)) => {
                tracing::warn!("the daemon refused with status {}", response.status().as_u16());
                return (false, Holds::Ended);
            }
            Ok(Err(_)) => return (false, Holds::Ended),
            Err(_) => return (false, Holds::Silent),
        };
        let (mut parser, mut events, mut heard) = (SseParser::default(), Vec::new(), false);
        loop {
            // Comments come when there is nothing to tell: a daemon that is silent for so long is gone.
            let bytes = match timeout(EVENT_WAIT, response.chunk()).await {
                Ok(Ok(Some(bytes))) => bytes,
                Ok(Ok(None) | Err(_)) => return (heard, Holds::Ended),
                Err(_) => return (heard, Holds::Silent),
            };
            if parser.push(&bytes, &mut events).is_err() {
                return (heard, Holds::Ended);
            }
            for event in events.drain(..) {
                let Ok(event) = serde_json::from_str::<Event>(&event.data) else { continue };
                heard = true;
                self.hear(link, event);
            }
        }
    }

    fn hear(&self, link: &Arc<Link>, event: Event) {
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
        let was_broken = matches!(*self.up.borrow(), Up::Broken);
        match waiting {
            None => drop(self.up.send_replace(Up::Ready(Arc::clone(link)))),
            // While the new daemon loads what the old one had, requests wait.
            Some(LlmError::Loading) if was_broken => {}
            Some(why) => drop(self.up.send_replace(Up::Waiting(why))),
        }
        self.state.send_replace(state);
    }
}

fn unavailable(problem: &str, next: &str) -> LlmError {
    LlmError::Unavailable { reason: format!("{problem}; {next}") }
}
