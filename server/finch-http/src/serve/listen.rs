//! Accepts connections, as long as there are places for them, whatever the system runs out of.

use std::io;
use std::sync::Arc;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::connection;
use super::desk::Desk;
use crate::limits::{ACCEPT_RETRY, CONNECTIONS_MAX, STRANGER_GRACE};

/// What a client is told for whom there is no place.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Accepts until the listener fails for good.
pub(super) async fn accept(
    listener: &TcpListener,
    router: &Router,
    desk: &Arc<Desk>,
    connections: &TaskTracker,
) -> io::Error {
    let mut is_short = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                is_short = false;
                take(stream, router, desk, connections);
            }
            Err(error) if is_for_good(&error) => return error,
            Err(error) => {
                // Most likely there is no file descriptor left.
                if !std::mem::replace(&mut is_short, true) {
                    tracing::warn!(%error, "no connection can be accepted now");
                }
                // The system says so too when nobody waits for the file that the last one got, so that one is given
                // the moment in which an honest client shows its token.
                desk.seats.evict(STRANGER_GRACE);
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

fn is_for_good(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected)
}

fn take(stream: TcpStream, router: &Router, desk: &Arc<Desk>, connections: &TaskTracker) {
    match desk.seats.take() {
        Some(seat) => {
            connections.spawn(connection::run(stream, seat, router.clone(), desk.stop.clone()));
        }
        None => {
            desk.counters.refused("connections");
            tracing::debug!(CONNECTIONS_MAX, "a connection is one too many");
            // A new connection has room for so little; who does not read it sees the connection closed.
            if let Err(error) = stream.try_write(FULL) {
                tracing::trace!(kind = ?error.kind(), "it was gone already");
            }
        }
    }
}
