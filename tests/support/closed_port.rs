//! A port where nobody listens, and nobody else can meanwhile: whoever connects is refused.
//!
//! A port that was given back may be another test's server a moment later.

use std::io::Result;
use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// Taken until it is dropped.
pub(crate) struct ClosedPort {
    /// Bound, and never listening.
    socket: TcpSocket,
}

impl ClosedPort {
    pub(crate) fn take() -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        Ok(Self { socket })
    }

    pub(crate) fn address(&self) -> Result<SocketAddr> {
        self.socket.local_addr()
    }
}
