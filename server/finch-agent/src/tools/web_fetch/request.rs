//! Asks for a page, follows redirects by hand, and takes as much of it as the budget has.
//!
//! No cookie, no referrer, no key and no proxy goes along; every hop has a connection of its own, to an address that was
//! judged for it.

use std::{error::Error, sync::Arc, time::Instant};

use reqwest::{
    Client, Response, StatusCode, Url,
    header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION},
    redirect,
};

use super::{
    budget::{Budget, Spent},
    reach::Reach,
    target::{BadTarget, Redirect, Target},
    text::ContentType,
};

const ACCEPTED: &str = "text/markdown, text/html;q=0.9, text/plain;q=0.8, application/json;q=0.8, */*;q=0.1";

/// What came of it.
#[derive(Debug)]
pub(super) enum Fetched {
    Page(Page),
    /// A redirect to another host.
    Elsewhere(Url),
}

#[derive(Debug)]
pub(super) struct Page {
    /// Where it was in the end.
    pub(super) url: Url,
    pub(super) content_type: ContentType,
    /// Unpacked.
    pub(super) bytes: Vec<u8>,
    pub(super) whole: Whole,
}

/// Whether all of a page was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Yes,
    No,
}

/// Why there is no page. The text is told to the model.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Target(#[from] BadTarget),
    #[error(transparent)]
    Spent(#[from] Spent),
    #[error("the server answered {0}")]
    Status(StatusCode),
    #[error("the server answered {0} and does not say where to")]
    NoLocation(StatusCode),
    #[error("the page does not say what it is")]
    NoType,
    #[error("the page is {0}, and only text is read")]
    Type(String),
    #[error("the page is packed as {0}, and only gzip is unpacked")]
    Packed(String),
    #[error("the connection failed: {0}")]
    Connection(String),
}

/// Fetches a page that there is a permit for.
pub(super) async fn fetch(mut target: Target, reach: &Reach, mut budget: Budget) -> Result<Fetched, FetchError> {
    let client = client(reach)?;
    loop {
        let asked = client.get(target.url().clone()).header(ACCEPT, ACCEPTED).send();
        let answer = within(&budget, asked).await?;
        let status = answer.status();
        if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return match status.is_success() {
                true => page(answer, target.url().clone(), &mut budget).await.map(Fetched::Page),
                false => Err(FetchError::Status(status)),
            };
        }
        let location = header(answer.headers(), &LOCATION).ok_or(FetchError::NoLocation(status))?;
        match target.redirected(&location)? {
            Redirect::Follow(next) => target = next,
            Redirect::Elsewhere(next) => return Ok(Fetched::Elsewhere(next.url().clone())),
        }
    }
}

fn client(reach: &Reach) -> Result<Client, FetchError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been faster; then its provider serves as well.
        rustls::crypto::ring::default_provider().install_default().ok();
    }
    Client::builder()
        .user_agent(concat!("finch/", env!("CARGO_PKG_VERSION")))
        .referer(false)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(reach.clone()))
        // A connection that is kept would spare the next hop its judgement.
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|error| FetchError::Connection(innermost(&error)))
}

/// Waits no longer than the budget has time.
async fn within<T>(budget: &Budget, wait: impl Future<Output = Result<T, reqwest::Error>>) -> Result<T, FetchError> {
    match tokio::time::timeout(budget.time_left(Instant::now()), wait).await {
        Ok(came) => came.map_err(|error| FetchError::Connection(innermost(&error))),
        Err(_) => Err(Spent::Time.into()),
    }
}

async fn page(mut answer: Response, url: Url, budget: &mut Budget) -> Result<Page, FetchError> {
    let content_type = header(answer.headers(), &CONTENT_TYPE).ok_or(FetchError::NoType)?;
    let content_type = ContentType::parse(&content_type);
    if content_type.kind().is_none() {
        return Err(FetchError::Type(content_type.essence));
    }
    // What could be unpacked is not named any more.
    if let Some(packed) = header(answer.headers(), &CONTENT_ENCODING)
        && !packed.eq_ignore_ascii_case("identity")
    {
        return Err(FetchError::Packed(packed));
    }
    let (mut bytes, mut whole) = (Vec::new(), Whole::Yes);
    while let Some(piece) = within(budget, answer.chunk()).await? {
        let taken = budget.take(piece.len(), Instant::now())?;
        bytes.extend_from_slice(&piece[..taken]);
        if taken < piece.len() {
            whole = Whole::No;
            break;
        }
    }
    Ok(Page { url, content_type, bytes, whole })
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The error that the others around it are about.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
