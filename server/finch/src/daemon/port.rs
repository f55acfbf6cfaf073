//! Where the daemon listens: on this machine alone, at the first port that nobody has.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use finch_http::endpoint::PORTS_TRIED;
use tokio::net::TcpListener;

/// Listens at `first`, or at the next of [`PORTS_TRIED`] that is free, or at any.
pub(super) async fn bind(first: u16) -> Result<TcpListener> {
    for port in candidates(first) {
        match TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
            Ok(listener) => return Ok(listener),
            Err(error) if is_taken(&error) => tracing::info!("somebody else has the port {port}"),
            Err(error) => return Err(error).with_context(|| format!("listening at 127.0.0.1:{port}")),
        }
    }
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.context("listening on 127.0.0.1")
}

/// The ports to try, one by one. Zero is any, and has no next one.
fn candidates(first: u16) -> impl Iterator<Item = u16> {
    let count = if first == 0 { 0 } else { PORTS_TRIED };
    (0..count).map_while(move |step| first.checked_add(step))
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::{bind, candidates};

    #[test]
    fn ports_are_tried_one_after_the_other() {
        let tried = |first| candidates(first).collect::<Vec<_>>();
        assert_eq!(tried(11435), (11435..11451).collect::<Vec<_>>());
        assert_eq!(tried(65534), [65534, 65535]);
        assert!(tried(0).is_empty());
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_passed_over() {
        let (first, any) = (bind(0).await.unwrap(), bind(0).await.unwrap());
        assert!(first.local_addr().unwrap().ip().is_loopback() && any.local_addr().unwrap().ip().is_loopback());
        let taken = first.local_addr().unwrap().port();
        let next = bind(taken).await.unwrap().local_addr().unwrap();
        assert!(next.port() != taken && next.ip().is_loopback(), "{next}");
    }
}
