//! One connection from its acceptance to its end.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower::Service as _;

use super::seats::Seat;
use super::socket::Socket;
use super::stop::Stop;
use crate::limits::{DRAIN_SILENCE, HEAD_BYTES_MAX, HEADERS_MAX};

/// What a request can know of the connection it came by.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Where the server was reached.
    pub(crate) local: SocketAddr,
    seat: Seat,
    /// Requests that are under way.
    busy: AtomicUsize,
}

/// A request is under way, until this is dropped.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Connection>);

type Answer = Pin<Box<dyn Future<Output = Result<Response, std::convert::Infallible>> + Send>>;

impl Connection {
    pub(crate) fn new(local: SocketAddr, seat: Seat) -> Arc<Self> {
        Arc::new(Self { local, seat, busy: AtomicUsize::new(0) })
    }

    /// It has shown the token.
    pub(crate) fn has_shown_the_token(&self) {
        self.seat.is_of_a_client();
    }

    pub(crate) fn is_of_a_client(&self) -> bool {
        self.seat.is_known()
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire) > 0
    }

    pub(crate) fn busy(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::AcqRel);
        Busy(Arc::clone(self))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Serves it until the client or the server has enough.
pub(super) async fn run(stream: TcpStream, seat: Seat, router: Router, stop: Stop) {
    let Ok(local) = stream.local_addr() else { return };
    // Small writes are tokens that somebody waits for.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::trace!(kind = ?error.kind(), "a connection is gone already");
        return;
    }
    let connection = Connection::new(local, seat);
    tokio::select! {
        () = converse(stream, &connection, router, &stop) => {}
        () = connection.seat.evicted.cancelled() => {}
        () = stop.cut() => {}
    }
}

async fn converse(stream: TcpStream, connection: &Arc<Connection>, router: Router, stop: &Stop) {
    let socket = TokioIo::new(Socket::new(stream, Arc::clone(connection)));
    let at = Arc::clone(connection);
    let service = service_fn(move |request| answer(request, &at, router.clone()));
    let mut http = http1::Builder::new()
        .timer(TokioTimer::new())
        // The socket knows a slow head from a silent client, which this time-out does not.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(socket, service);
    let result = tokio::select! {
        result = std::future::poll_fn(|cx| http.poll_without_shutdown(cx)) => result,
        () = stop.drain() => {
            Pin::new(&mut http).graceful_shutdown();
            let silent = async {
                loop {
                    tokio::time::sleep(DRAIN_SILENCE).await;
                    if !connection.is_busy() {
                        return;
                    }
                }
            };
            tokio::select! {
                result = std::future::poll_fn(|cx| http.poll_without_shutdown(cx)) => result,
                () = silent => Ok(()),
            }
        }
    };
    if let Err(error) = result {
        // What it says of bytes that a client sent is not repeated.
        tracing::debug!(is_parse = error.is_parse(), is_timeout = error.is_timeout(), "a connection ended early");
    }
    http.into_parts().io.into_inner().close().await;
}

fn answer(request: Request<Incoming>, connection: &Arc<Connection>, mut router: Router) -> Answer {
    let busy = connection.busy();
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(Arc::clone(connection));
    Box::pin(async move {
        let response = router.call(request).await?;
        Ok(super::held::hold(response, busy))
    })
}
