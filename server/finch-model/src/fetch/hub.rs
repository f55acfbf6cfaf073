//! The address of a file on a model hub, and one request for it: connection, redirects, answer.
//!
//! Redirects are followed by hand, because a hub sends every large file on to another host: never from https to
//! http, never from the outside to an address inside this machine or network, never for long. No credentials are
//! sent. What to do with the answer is decided in `download`.

use std::{error::Error, fmt, net::IpAddr, str::FromStr, time::Duration};

use reqwest::{
    Client, Response, StatusCode,
    header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, LOCATION},
    redirect,
};
use url::{Host, Url};

use super::{Pace, error::SourceError};
use crate::{
    catalogue::HubFile,
    digest::{BadDigest, Digest},
    limits,
};

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
/// The hub names the sum of a large file before it sends a byte of it.
const SUM_HEADER: &str = "x-linked-etag";

/// Where the hub is: an http(s) address without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Default for Endpoint {
    fn default() -> Self {
        match DEFAULT_ENDPOINT.parse() {
            Ok(endpoint) => endpoint,
            // Invariant: a test parses this very text.
            Err(error) => unreachable!("{error}"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// A text that is no address of a hub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address of a model hub: use one such as {DEFAULT_ENDPOINT}")]
pub struct BadEndpoint {
    text: String,
}

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        match Url::parse(text.trim()) {
            Ok(url)
                if matches!(url.scheme(), "http" | "https")
                    && url.has_host()
                    && url.username().is_empty()
                    && url.password().is_none()
                    && url.query().is_none()
                    && url.fragment().is_none() =>
            {
                Ok(Self(url))
            }
            _ => Err(BadEndpoint { text: text.to_owned() }),
        }
    }
}

impl Endpoint {
    /// `{endpoint}/{repo}/resolve/{revision}/{file}`.
    pub(super) fn file(&self, file: &HubFile) -> Url {
        let rest = format!("{}/resolve/{}/{}", file.repo, file.revision, file.file);
        self.join(rest.split('/'))
    }

    /// The page a person reads about the model.
    pub(super) fn page(&self, file: &HubFile) -> String {
        self.repository(&file.repo)
    }

    /// The page of a repository.
    pub(super) fn repository(&self, repo: &str) -> String {
        self.join(repo.split('/')).to_string()
    }

    /// `{endpoint}/api/models/{repo}/revision/main`, with what is needed to check the files.
    pub(super) fn listing(&self, repo: &str) -> Url {
        let mut url = self.join(["api", "models"].into_iter().chain(repo.split('/')).chain(["revision", "main"]));
        url.set_query(Some("blobs=true"));
        url
    }

    /// Invariant: a catalogue's paths are plain, so nothing here can climb or need quoting.
    fn join<'a>(&self, segments: impl Iterator<Item = &'a str>) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    fn is_inside(&self) -> bool {
        is_inside(&self.0)
    }
}

/// One fault of one request.
#[derive(Debug)]
pub(super) enum Fault {
    /// This source is done.
    Stop(SourceError),
    /// The host was not reached at all, or did not say a word.
    Unreachable { reason: String },
    /// Another try may help, at the earliest after `wait`.
    Again { reason: String, wait: Option<Duration> },
}

impl<E: Into<SourceError>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Stop(error.into())
    }
}

pub(super) fn client(endpoint: &Endpoint, pace: &Pace) -> Result<Client, SourceError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been faster; then its provider serves as well.
        rustls::crypto::ring::default_provider().install_default().ok();
    }
    let builder = Client::builder()
        .user_agent(concat!("finch/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(pace.connect)
        .redirect(redirect::Policy::none())
        // A range is a range of the bytes as they are.
        .no_gzip();
    // A proxy is for the outside.
    let builder = if endpoint.is_inside() { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| SourceError::Unreachable { reason: innermost(&error) })
}

/// What has to be the same on every hop.
pub(super) struct Request<'a> {
    pub(super) client: &'a Client,
    pub(super) endpoint: &'a Endpoint,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    /// The sum of the file, where it is known.
    pub(super) sha256: Option<Digest>,
    pub(super) answer: Duration,
}

impl Request<'_> {
    /// The first answer that is no redirect.
    pub(super) async fn send(mut self) -> Result<Response, Fault> {
        self.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        for _ in 0..=limits::REDIRECTS_MAX {
            let request = self.client.get(self.url.clone()).headers(self.headers.clone()).send();
            let response = match tokio::time::timeout(self.answer, request).await {
                Ok(answer) => answer.map_err(|error| fault(&error))?,
                Err(_) => return Err(Fault::Unreachable { reason: silence(self.answer) }),
            };
            check_sum(&response, self.sha256)?;
            if !is_redirect(response.status()) {
                return Ok(response);
            }
            self.url = self.next(&response)?;
        }
        Err(Fault::Stop(SourceError::Redirect { to: show(&self.url), reason: "that is one redirect too many" }))
    }

    fn next(&self, response: &Response) -> Result<Url, Fault> {
        match response.headers().get(LOCATION).and_then(|value| value.to_str().ok()) {
            Some(location) => Ok(follow(self.endpoint, &self.url, location)?),
            None => Err(Fault::Stop(SourceError::Answer { what: "a redirect to nowhere".to_owned() })),
        }
    }
}

/// Where a redirect leads, if it may be followed.
fn follow(endpoint: &Endpoint, from: &Url, location: &str) -> Result<Url, SourceError> {
    let refused = |to: String, reason| Err(SourceError::Redirect { to, reason });
    let Ok(to) = from.join(location) else {
        return refused(location.chars().take(200).collect(), "that is no address");
    };
    let endpoint_is_local_http = endpoint.0.scheme() == "http" && endpoint.is_inside();
    match to.scheme() {
        "https" => {}
        "http" if from.scheme() == "http" || endpoint_is_local_http => {}
        "http" => return refused(show(&to), "it is not encrypted"),
        _ => return refused(show(&to), "it is neither http nor https"),
    }
    if is_inside(&to) && !endpoint.is_inside() {
        return refused(show(&to), "it is inside this machine or network");
    }
    Ok(to)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// A hub that names another sum need not send the file.
fn check_sum(response: &Response, expected: Option<Digest>) -> Result<(), Fault> {
    let Some(expected) = expected else { return Ok(()) };
    let Some(header) = response.headers().get(SUM_HEADER).and_then(|value| value.to_str().ok()) else { return Ok(()) };
    match header.trim_matches('"').parse::<Digest>() {
        Ok(found) if found != expected => Err(Fault::Stop(SourceError::WrongHash { found, expected })),
        Ok(_) | Err(BadDigest) => Ok(()),
    }
}

/// An address without its query, which may hold a signature.
fn show(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

pub(super) fn silence(time: Duration) -> String {
    format!("nothing came for {} s", time.as_secs())
}

pub(super) fn fault(error: &reqwest::Error) -> Fault {
    let reason = innermost(error);
    if error.is_connect() { Fault::Unreachable { reason } } else { Fault::Again { reason, wait: None } }
}

/// The last cause says most, and never shows an address.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: Option<&dyn Error> = error.source();
    let mut text = None;
    while let Some(error) = cause {
        text = Some(error.to_string());
        cause = error.source();
    }
    text.unwrap_or_else(|| "the request failed".to_owned())
}

/// True for an address of this machine or of a private network.
fn is_inside(url: &Url) -> bool {
    match url.host() {
        None => true,
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => is_inside_address(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => is_inside_address(address.to_canonical()),
    }
}

fn is_inside_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified() || v4.is_broadcast()
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests;
