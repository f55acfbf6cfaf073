//! `GET /v1/events`: how far the local model is, told for as long as a client is there. The stream is the client's presence.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use finch_llm::{ModelState, StateReceiver, Task};
use futures_util::stream;
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};

use crate::limits::{CLIENT_CHARS_MAX, EVENT_GAP, EVENT_KEEP_ALIVE, RETRY_AFTER};
use crate::serve::{Desk, Refusal};
use crate::wire::{CapabilitiesWire, Event, StateWire};
use crate::{Asked, Host, LOCAL};

#[derive(Debug, Deserialize)]
pub(crate) struct Who {
    client: Option<String>,
}

pub(crate) async fn events(
    State(host): State<Host>,
    Extension(desk): Extension<Arc<Desk>>,
    uri: Uri,
    who: Result<Query<Who>, QueryRejection>,
) -> Response {
    let name = match who {
        Ok(Query(Who { client: None })) => "unnamed".to_owned(),
        Ok(Query(Who { client: Some(name) })) if is_name(&name) => name,
        Ok(_) | Err(_) => {
            let message = format!("a client's name has 1 to {CLIENT_CHARS_MAX} visible characters");
            return Refusal::new(StatusCode::BAD_REQUEST, "bad_client", message).answer(uri.path());
        }
    };
    let Some(listens) = desk.presence.attach(name) else {
        let message = "too many clients listen for events";
        return Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_clients", message)
            .retry_after(RETRY_AFTER)
            .answer(uri.path());
    };
    let state = host.state.clone();
    let listener = Listener { host, desk, state, last: None, _listens: listens };
    let keep_alive = KeepAlive::new().interval(EVENT_KEEP_ALIVE);
    Sse::new(stream::unfold(listener, Listener::next)).keep_alive(keep_alive).into_response()
}

fn is_name(name: &str) -> bool {
    (1..=CLIENT_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

/// One client's stream.
struct Listener {
    host: Host,
    desk: Arc<Desk>,
    state: StateReceiver,
    /// What was told last, and when.
    last: Option<(ModelState, Instant)>,
    _listens: crate::serve::Listens,
}

impl Listener {
    async fn next(mut self) -> Option<(Result<sse::Event, axum::Error>, Self)> {
        let told = self.last.take();
        if let Some((before, at)) = told {
            tokio::select! {
                () = self.desk.stop.drain() => return None,
                () = another(&mut self.state) => {}
            }
            let is_same_step = std::mem::discriminant(&before) == std::mem::discriminant(&*self.state.borrow());
            if is_same_step {
                // Every percent of a download is news, not every packet.
                tokio::select! {
                    () = self.desk.stop.drain() => return None,
                    () = sleep_until(at + EVENT_GAP) => {}
                }
            }
        }
        let state = self.state.borrow_and_update().clone();
        let event = sse::Event::default().json_data(event(&self.host, &state));
        self.last = Some((state, Instant::now()));
        Some((event, self))
    }
}

/// Waits for another state. Who tells them may have told the last one; the client is there all the same.
async fn another(state: &mut StateReceiver) {
    if state.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// What is told of a state.
fn event(host: &Host, state: &ModelState) -> Event {
    let capabilities = match state {
        ModelState::Ready { .. } => host
            .models
            .find(Asked { model: LOCAL, task: Task::Completion })
            .map(|found| CapabilitiesWire::from(found.provider.capabilities())),
        ModelState::Absent { .. }
        | ModelState::Starting
        | ModelState::Downloading { .. }
        | ModelState::Importing { .. }
        | ModelState::Loading { .. }
        | ModelState::Failed { .. } => None,
    };
    Event { state: StateWire::from(state.clone()), capabilities }
}
