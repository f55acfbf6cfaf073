//! Finding the daemon of a FINCH_HOME, and asking it the little that every door asks.
//!
//! In reading order: [`Dialler::contact`] dials the address of the endpoint's file and says who is there; only who proved
//! to be the daemon is [`Proven`], and only a [`Proven`] is ever sent the token. The question and its proof stay as they
//! are whatever the protocol becomes, so that any two versions can tell each other from a stranger.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, redirect};
use serde_json::Value;

use crate::endpoint::{Endpoint, EndpointError, PROTOCOL, Token, secret};
use crate::limits::{
    CONNECT_WAIT, FILE_BYTES_MAX, HANDSHAKE_WAIT, POOL_IDLE, SHUTDOWN_WAIT, STATUS_BYTES_MAX, STATUS_WAIT,
};
use crate::wire::{Health, ShutdownRequest};

/// What a daemon says its name is.
pub const NAME: &str = "finch";

/// Who is at the address that the daemon's file gives.
#[derive(Debug, Clone)]
pub enum Contact {
    /// The daemon, and it speaks this protocol. Its version may be another one.
    Daemon(Box<Proven>),
    /// The daemon, and it speaks another protocol: only its status and its end can be asked for.
    Other(Box<Proven>),
    /// There is no file, or nobody listens where it points.
    None,
    /// Somebody who is not the daemon. The token was not sent.
    Stranger { address: SocketAddr },
    /// Somebody who took the connection and says nothing, or broke off: a daemon that is held up or ends, or a stranger.
    Silent { address: SocketAddr },
}

/// A daemon that proved to be the one that wrote the file.
#[derive(Debug, Clone)]
pub struct Proven {
    pub endpoint: Endpoint,
    pub address: SocketAddr,
    pub token: Token,
    pub health: Health,
}

/// What becomes of the answers that a daemon is giving when it is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnderWay {
    /// They are given to their ends, for a while.
    Finish,
    /// They are cut off.
    Cut,
}

/// Why a daemon cannot be found or asked.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("no connection can be opened on this machine: {0}")]
    Connect(String),
    #[error("the daemon at {address} does not answer: {reason}")]
    Unanswered { address: SocketAddr, reason: String },
    #[error("the daemon at {address} refuses: {status} {message}")]
    Refused { address: SocketAddr, status: u16, message: String },
}

impl ContactError {
    /// Whether there is a daemon whose token's file is gone: it writes that anew in a moment.
    #[must_use]
    pub fn is_for_want_of_a_token(&self) -> bool {
        matches!(self, Self::Endpoint(EndpointError::NoToken { .. }))
    }
}

/// Dials this machine and no other: through no proxy, after no redirect. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Dialler {
    pub(crate) client: Client,
}

impl Dialler {
    /// # Errors
    /// When no client can be made, as for want of file descriptors.
    pub fn new() -> Result<Self, ContactError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Another thread may have been faster; then its provider serves as well.
            rustls::crypto::ring::default_provider().install_default().ok();
        }
        let builder = Client::builder()
            .user_agent(concat!("finch/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(redirect::Policy::none())
            // No connection of this client is encrypted, so the certificates of the system need not be read.
            .tls_certs_only([])
            .http1_only()
            .no_gzip()
            .tcp_nodelay(true)
            .connect_timeout(CONNECT_WAIT)
            .pool_idle_timeout(POOL_IDLE);
        Ok(Self { client: builder.build().map_err(|error| ContactError::Connect(innermost(&error)))? })
    }

    /// Who is where the file of this FINCH_HOME says the daemon is. Takes [`HANDSHAKE_WAIT`] at most.
    ///
    /// # Errors
    /// When a file cannot be read, there is a daemon and no token, or this process can open no connection.
    pub async fn contact(&self, home: &Path) -> Result<Contact, ContactError> {
        let endpoint = match Endpoint::read(home) {
            Ok(Some(endpoint)) => endpoint,
            Ok(None) => return Ok(Contact::None),
            // The next daemon writes another one in its place.
            Err(error @ EndpointError::Broken { .. }) => {
                tracing::debug!(%error, "no daemon can be found by this file");
                return Ok(Contact::None);
            }
            Err(error) => return Err(error.into()),
        };
        let Some(address) = endpoint.address() else { return Ok(Contact::None) };
        let challenge = secret()?;
        let health = match self.health(address, &challenge).await {
            Ok(Some(health)) => health,
            Ok(None) => return Ok(Contact::Stranger { address }),
            Err(error) if is_refused(&error) => return Ok(Contact::None),
            Err(error) if error.is_timeout() || is_broken_off(&error) => return Ok(Contact::Silent { address }),
            Err(error) if error.is_connect() => return Err(ContactError::Connect(innermost(&error))),
            Err(_) => return Ok(Contact::Stranger { address }),
        };
        let proof = health.proof.as_deref().unwrap_or_default();
        if health.name != NAME || !endpoint.nonce.proves(&challenge, address, proof) {
            return Ok(Contact::Stranger { address });
        }
        let protocol = health.protocol;
        let proven = Box::new(Proven { endpoint, address, token: Token::read(home)?, health });
        Ok(if protocol == PROTOCOL { Contact::Daemon(proven) } else { Contact::Other(proven) })
    }

    /// What is answered to a challenge; none if that is no health of a daemon.
    async fn health(&self, address: SocketAddr, challenge: &str) -> Result<Option<Health>, reqwest::Error> {
        let url = format!("http://{address}/health?challenge={challenge}");
        let answer = self.client.get(url).timeout(HANDSHAKE_WAIT).send().await?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        let body = body(answer, FILE_BYTES_MAX).await?;
        Ok(body.and_then(|body| serde_json::from_slice(&body).ok()))
    }

    /// A request to a daemon, with the token. It has no deadline of its own.
    pub(crate) fn request(&self, daemon: &Proven, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", daemon.address);
        self.client.request(method, url).bearer_auth(daemon.token.expose())
    }

    /// What a daemon says of its models, its clients and itself: `GET /v1/status`.
    ///
    /// # Errors
    /// When it does not answer, or not with JSON.
    pub async fn status(&self, daemon: &Proven) -> Result<Value, ContactError> {
        let body = self.ask(daemon, self.request(daemon, Method::GET, "/v1/status"), STATUS_WAIT).await?;
        serde_json::from_slice(&body).map_err(|error| unanswered(daemon, error.to_string()))
    }

    /// Tells a daemon to end. It has heard it when this returns, and may live on until its answers are given. One of
    /// another version may know no cut, and then finishes them.
    ///
    /// # Errors
    /// When it does not answer, or refuses.
    pub async fn shut_down(&self, daemon: &Proven, under_way: UnderWay) -> Result<(), ContactError> {
        let request = self.request(daemon, Method::POST, "/v1/shutdown");
        // To let what is under way finish, every version is told in the same way: without a body.
        let request = match under_way {
            UnderWay::Finish => request,
            UnderWay::Cut => request.json(&ShutdownRequest { now: true }),
        };
        self.ask(daemon, request, SHUTDOWN_WAIT).await.map(drop)
    }

    async fn ask(&self, daemon: &Proven, request: RequestBuilder, wait: Duration) -> Result<Vec<u8>, ContactError> {
        let failed = |error: reqwest::Error| unanswered(daemon, innermost(&error));
        let answer = request.timeout(wait).send().await.map_err(failed)?;
        let status = answer.status();
        let body = body(answer, STATUS_BYTES_MAX).await.map_err(failed)?;
        let body = body.ok_or_else(|| unanswered(daemon, format!("more than {STATUS_BYTES_MAX} bytes")))?;
        if status.is_success() {
            return Ok(body);
        }
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        let message = said["error"]["message"].as_str().unwrap_or_default().to_owned();
        Err(ContactError::Refused { address: daemon.address, status: status.as_u16(), message })
    }
}

/// All of a body, if it has no more bytes than that.
async fn body(mut answer: Response, bytes_max: u64) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() as u64 > bytes_max {
            return Ok(None);
        }
    }
    Ok(Some(body))
}

fn unanswered(daemon: &Proven, reason: String) -> ContactError {
    ContactError::Unanswered { address: daemon.address, reason }
}

/// What an error comes from, outermost first.
fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&error| error.source())
}

fn is_refused(error: &reqwest::Error) -> bool {
    error.is_connect() && kinds(error).any(|kind| kind == io::ErrorKind::ConnectionRefused)
}

/// Whether the other side ended the connection before it had answered.
fn is_broken_off(error: &reqwest::Error) -> bool {
    let is_end = |kind| {
        matches!(
            kind,
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof
        )
    };
    let is_cut = |error: &(dyn Error + 'static)| {
        error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message)
    };
    kinds(error).any(is_end) || causes(error).any(is_cut)
}

fn kinds(error: &reqwest::Error) -> impl Iterator<Item = io::ErrorKind> {
    causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind)
}

fn innermost(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests;
