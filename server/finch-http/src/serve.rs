//! The server: one listener, guarded, bounded, and stopped without losing what is under way.

mod body;
mod connection;
mod desk;
mod door;
mod framing;
mod guard;
mod held;
mod json_shape;
mod listen;
mod places;
mod presence;
mod refusal;
mod seats;
mod socket;
mod stop;
mod visit;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::Extension;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use futures_util::FutureExt as _;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

pub(crate) use connection::Connection;
pub(crate) use desk::Desk;
pub(crate) use presence::Listens;
pub(crate) use refusal::Refusal;
pub(crate) use visit::Visit;

use crate::limits::{CUT_WAIT, DRAIN_WAIT};
use crate::wire::ShutdownRequest;
use crate::{Host, events, feedback, health, messages, metrics, openai, status};

/// Why the server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to, from outside or by a client that may.
    Stopped,
    /// No client was there for long enough.
    Idle,
}

/// Serves until it is told to stop or is idle for too long, then lets what is under way end.
///
/// # Errors
/// When the listener is not of this machine alone, or fails for good.
pub async fn serve(
    listener: TcpListener,
    host: Host,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Ended> {
    serve_with(openai::routes().merge(messages::routes()), listener, host, stop).await
}

/// The same with other addresses that generate.
async fn serve_with(
    api: Router<Host>,
    listener: TcpListener,
    host: Host,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Ended> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let message = format!(
            "{address} can be reached from other machines, and a daemon serves this one alone; let it listen on 127.0.0.1"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let idle_max = host.idle_max;
    let desk = Arc::new(Desk::new());
    let router = router(api, host, &desk);
    let connections = TaskTracker::new();
    let _cut = desk.stop.cut_at_the_end();
    let mut stop = pin!(stop.fuse());
    let idle = async {
        match idle_max {
            Some(long) => desk.presence.nobody_for(long).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        error = listen::accept(&listener, &router, &desk, &connections) => return Err(error),
        () = &mut stop => {
            desk.stop.ask();
            Ended::Stopped
        }
        () = desk.stop.asked() => Ended::Stopped,
        () = idle => Ended::Idle,
    };
    drop(listener);
    desk.stop.start_drain();
    connections.close();
    let is_drained = tokio::select! {
        () = connections.wait() => true,
        () = tokio::time::sleep(DRAIN_WAIT) => false,
        () = &mut stop => false,
        () = desk.stop.asked_again() => false,
    };
    if !is_drained {
        tracing::info!(connections = connections.len(), "what is still under way is cut");
        desk.stop.cut_now();
        if tokio::time::timeout(CUT_WAIT, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "some of it does not end");
        }
    }
    Ok(ended)
}

fn router(api: Router<Host>, host: Host, desk: &Arc<Desk>) -> Router {
    let own = Router::new()
        .route(door::HEALTH, get(health::health))
        .route(door::METRICS, get(metrics::metrics))
        .route(door::STATUS, get(status::status))
        .route(door::EVENTS, get(events::events))
        .route(door::FEEDBACK, post(feedback::feedback))
        .route(door::SHUTDOWN, post(shutdown));
    let state = (host.clone(), Arc::clone(desk));
    own.merge(api)
        .fallback(nothing_there)
        .method_not_allowed_fallback(wrong_method)
        .layer(Extension(Arc::clone(desk)))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(state, door::pass))
        .with_state(host)
}

async fn shutdown(Extension(desk): Extension<Arc<Desk>>, uri: Uri, body: Bytes) -> Response {
    let request = match body.trim_ascii_start() {
        b"" => Some(ShutdownRequest::default()),
        // A list of its members' values would be one too.
        body @ [b'{', ..] => serde_json::from_slice(body).ok(),
        _ => None,
    };
    match request {
        Some(ShutdownRequest { now: false }) => {
            tracing::info!("a client asks for the end");
            desk.stop.ask();
        }
        Some(ShutdownRequest { now: true }) => {
            tracing::info!("a client asks for the end at once");
            desk.stop.ask_for_a_cut();
        }
        None => {
            let message = "the body is none, or an object with `now`: true cuts off what is under way";
            return Refusal::new(StatusCode::BAD_REQUEST, "bad_shutdown", message).answer(uri.path());
        }
    }
    StatusCode::ACCEPTED.into_response()
}

async fn nothing_there(uri: Uri) -> Response {
    Refusal::new(StatusCode::NOT_FOUND, "unknown_url", "there is nothing at this address; docs/daemon.md has a list")
        .answer(uri.path())
}

async fn wrong_method(uri: Uri) -> Response {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "this address is asked with another method")
        .answer(uri.path())
}

#[cfg(test)]
mod tests;
