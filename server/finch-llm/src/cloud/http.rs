//! One request over HTTP: the client, its headers, and a deadline for every wait but none for the whole stream.
//!
//! Redirects are never followed: a key goes where the user said and nowhere else. What an answer means is decided by
//! `status` and the dialects.

use std::{error::Error, time::Duration};

use reqwest::{
    Client, Proxy, RequestBuilder, Response,
    header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect,
};
use url::Url;

use super::{Endpoint, Key};
use crate::{LlmError, limits};

/// A header that goes along. Its value may be a secret and is never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub name: String,
    /// Made by [`Key::header_value`], or a key.
    pub value: Key,
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// Name lookup, connection and TLS together.
    pub connect: Duration,
    /// From the request to the first event of the answer. Models that think say nothing for long.
    pub first_byte: Duration,
    /// Between two pieces of an answer.
    pub between_bytes: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            connect: limits::CONNECT_WAIT,
            first_byte: limits::FIRST_BYTE_WAIT,
            between_bytes: limits::BETWEEN_BYTES_WAIT,
        }
    }
}

/// A client of one provider.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
    headers: HeaderMap,
}

impl Http {
    pub(crate) fn new(
        endpoint: &Endpoint,
        headers: HeaderMap,
        proxy: Option<&str>,
        waits: &Waits,
    ) -> Result<Self, String> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Another thread may have been faster; then its provider serves as well.
            rustls::crypto::ring::default_provider().install_default().ok();
        }
        let builder = Client::builder()
            .user_agent(concat!("finch/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(waits.connect)
            .pool_idle_timeout(limits::POOL_IDLE)
            .tcp_nodelay(true)
            .redirect(redirect::Policy::none())
            // Compression would hold events back, and some servers lie about it.
            .no_gzip();
        let builder = match proxy {
            // What is on this machine needs no proxy, whatever the environment says.
            _ if endpoint.is_loopback() => builder.no_proxy(),
            Some(proxy) => builder.proxy(Proxy::all(proxy).map_err(|_| "the proxy is no address".to_owned())?),
            None => builder,
        };
        let client = builder.build().map_err(|error| innermost(&error))?;
        Ok(Self { client, headers })
    }

    /// Sends `body` and waits for the head of the answer. Dropping the future closes the connection.
    pub(crate) async fn post(&self, url: Url, body: Vec<u8>, wait: Duration) -> Result<Response, LlmError> {
        head(self.client.post(url).headers(self.headers.clone()).body(body), wait).await
    }

    /// Asks for what is there and waits for the head of the answer.
    pub(crate) async fn get(&self, url: Url, wait: Duration) -> Result<Response, LlmError> {
        head(self.client.get(url).headers(self.headers.clone()), wait).await
    }
}

async fn head(request: RequestBuilder, wait: Duration) -> Result<Response, LlmError> {
    match tokio::time::timeout(wait, request.send()).await {
        Ok(answer) => answer.map_err(|error| http_error(&error)),
        Err(_) => Err(silence(wait)),
    }
}

/// The headers of every request, the user's own last.
pub(crate) fn headers(fixed: &[(&'static str, &str)], own: &[Header]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let own = own.iter().map(|header| (header.name.as_str(), header.value.reveal()));
    for (name, value) in fixed.iter().copied().chain(own) {
        let bad = || format!("{name:?} is no header");
        let name = HeaderName::try_from(name).map_err(|_| bad())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The next piece of an answer; `None` at its end.
pub(crate) async fn piece(response: &mut Response, wait: Duration) -> Result<Option<impl AsRef<[u8]>>, LlmError> {
    match tokio::time::timeout(wait, response.chunk()).await {
        Ok(piece) => piece.map_err(|error| http_error(&error)),
        Err(_) => Err(silence(wait)),
    }
}

/// A whole body that is no stream; `None` if it is longer than `bytes_max`.
pub(crate) async fn whole_body(
    mut response: Response,
    bytes_max: usize,
    wait: Duration,
) -> Result<Option<Vec<u8>>, LlmError> {
    let mut body = Vec::new();
    while let Some(bytes) = piece(&mut response, wait).await? {
        body.extend_from_slice(bytes.as_ref());
        if body.len() > bytes_max {
            return Ok(None);
        }
    }
    Ok(Some(body))
}

/// The beginning of a body that is no stream: what an error says of itself.
pub(crate) async fn small_body(mut response: Response, wait: Duration) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(piece)) = response.chunk().await {
            body.extend_from_slice(&piece);
            if body.len() >= limits::ERROR_BYTES_MAX {
                break;
            }
        }
    };
    // What came by then is enough: the status says the rest.
    tokio::time::timeout(wait, read).await.ok();
    body.truncate(limits::ERROR_BYTES_MAX);
    body
}

pub(crate) fn silence(wait: Duration) -> LlmError {
    LlmError::Unavailable { reason: format!("nothing came for {:.1} s", wait.as_secs_f64()) }
}

fn http_error(error: &reqwest::Error) -> LlmError {
    let reason = innermost(error);
    match error.is_connect() {
        true => LlmError::Unavailable { reason: format!("cannot be reached: {reason}") },
        false => LlmError::Unavailable { reason: format!("the connection broke: {reason}") },
    }
}

/// The last cause says most, and never shows an address or a header.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: Option<&dyn Error> = error.source();
    let mut text = None;
    while let Some(error) = cause {
        text = Some(error.to_string());
        cause = error.source();
    }
    text.unwrap_or_else(|| "the request failed".to_owned())
}
