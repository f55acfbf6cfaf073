//! A file from the hub into its part: begun, broken off, continued, checked.
//!
//! Invariant: bytes are only ever added to a part that came from the same address with the same strong tag; anything
//! else begins at zero. Dropping the future stops the download; the part can be continued.

use std::{collections::hash_map::RandomState, hash::BuildHasher, path::PathBuf, time::Duration};

use reqwest::{
    Response, StatusCode,
    header::{
        CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
        IF_RANGE, RANGE, RETRY_AFTER,
    },
};

use super::{
    FetchEvent, Pace,
    error::SourceError,
    hub::{self, Endpoint, Fault, Request},
    record::Origin,
    slot::{Lane, Part, Slot, blocking},
};
use crate::{catalogue::HubFile, limits};

/// One download from the hub.
pub(super) struct Download<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) hub_file: &'a HubFile,
    pub(super) slot: &'a Slot,
    pub(super) pace: &'a Pace,
    pub(super) source: &'a str,
}

impl Download<'_> {
    /// Tries until the file is there and checked, or trying again makes no sense.
    pub(super) async fn run(self, events: &mut (dyn FnMut(FetchEvent) + Send)) -> Result<PathBuf, SourceError> {
        let client = hub::client(self.endpoint, self.pace)?;
        let url = self.endpoint.file(self.hub_file);
        let mut tries = 0;
        let mut most = 0;
        loop {
            let fault = match self.attempt(&client, &url, events).await {
                Ok(path) => return Ok(path),
                Err(fault) => fault,
            };
            let (reason, wait) = match fault {
                Fault::Stop(error) => return Err(error),
                Fault::Unreachable { reason } if tries == 0 => return Err(SourceError::Unreachable { reason }),
                Fault::Unreachable { reason } => (reason, None),
                Fault::Again { reason, wait } => (reason, wait),
            };
            // Invariant: `most` only grows and ends at the size of the file, so this loop ends.
            let have = self.slot.resumable(url.as_str()).map_or(0, |(have, _)| have);
            if have >= most + self.pace.progress_bytes {
                most = have;
                tries = 0;
            }
            tries += 1;
            if tries >= limits::DOWNLOAD_TRIES_MAX {
                return Err(SourceError::Interrupted { tries, reason });
            }
            let wait = patience(wait, tries)?;
            events(FetchEvent::Retrying { source: self.source.to_owned(), reason, wait });
            self.pace.sleep(wait).await;
        }
    }

    async fn attempt(
        &self,
        client: &reqwest::Client,
        url: &url::Url,
        events: &mut (dyn FnMut(FetchEvent) + Send),
    ) -> Result<PathBuf, Fault> {
        let file = &self.slot.place().file;
        let resumable = self.slot.resumable(url.as_str());
        if let Some((have, _)) = &resumable
            && *have == file.bytes
        {
            return self.finish(self.reopen(*have).await?, events).await;
        }
        let request = Request {
            client,
            endpoint: self.endpoint,
            url: url.clone(),
            headers: range_headers(resumable.as_ref()),
            sha256: Some(file.sha256),
            answer: self.pace.answer,
        };
        let response = request.send().await?;
        let part = match self.judge(&response, resumable)? {
            Verdict::Continue(have) => self.reopen(have).await?,
            Verdict::Begin => {
                let origin = strong_etag(response.headers()).map(|etag| Origin { url: url.to_string(), etag });
                let slot = self.slot.clone();
                blocking(move || slot.begin_hub(origin.as_ref())).await?
            }
        };
        let part = self.receive(part, response, events).await?;
        self.finish(part, events).await
    }

    async fn reopen(&self, keep: u64) -> Result<Part, SourceError> {
        let slot = self.slot.clone();
        blocking(move || Ok(Part::open(&slot, Lane::Hub, keep)?)).await
    }

    async fn finish(&self, part: Part, events: &mut (dyn FnMut(FetchEvent) + Send)) -> Result<PathBuf, Fault> {
        events(FetchEvent::Verifying { file: self.slot.place().file.name.clone() });
        Ok(blocking(move || part.finish()).await?)
    }

    /// What the answer's head means for the part.
    fn judge(&self, response: &Response, resumable: Option<(u64, String)>) -> Result<Verdict, Fault> {
        let headers = response.headers();
        match response.status() {
            StatusCode::OK => {
                self.check_whole(headers)?;
                Ok(Verdict::Begin)
            }
            StatusCode::PARTIAL_CONTENT => match resumable {
                Some((have, etag)) => self.check_range(headers, have, &etag),
                None => Err(answer("a part of the file where the whole was asked for")),
            },
            StatusCode::RANGE_NOT_SATISFIABLE => {
                self.slot.discard(Lane::Hub)?;
                Err(again("the part on disk does not fit the file"))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Fault::Stop(SourceError::Denied {
                status: response.status().as_u16(),
                page: self.endpoint.page(self.hub_file),
            })),
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                Err(Fault::Stop(SourceError::NotFound { status: response.status().as_u16() }))
            }
            _ => Err(unhelpful(response)),
        }
    }

    fn check_whole(&self, headers: &HeaderMap) -> Result<(), Fault> {
        check_kind(headers)?;
        match text(headers, &CONTENT_LENGTH).and_then(|length| length.parse().ok()) {
            Some(offered) => self.check_size(offered),
            None => Ok(()),
        }
    }

    fn check_range(&self, headers: &HeaderMap, have: u64, etag: &str) -> Result<Verdict, Fault> {
        check_kind(headers)?;
        let Some((first, total)) = text(headers, &CONTENT_RANGE).and_then(content_range) else {
            return Err(answer("a part of the file that does not say which"));
        };
        if let Some(total) = total {
            self.check_size(total)?;
        }
        if first == have && strong_etag(headers).is_none_or(|found| found == etag) {
            return Ok(Verdict::Continue(have));
        }
        self.slot.discard(Lane::Hub)?;
        Err(again(if first == have { "the file has changed" } else { "another part was sent than was asked for" }))
    }

    fn check_size(&self, offered: u64) -> Result<(), Fault> {
        let expected = self.slot.place().file.bytes;
        if offered == expected { Ok(()) } else { Err(Fault::Stop(SourceError::WrongSize { offered, expected })) }
    }

    /// The body into the part. What came before a fault is kept.
    async fn receive(
        &self,
        mut part: Part,
        mut response: Response,
        events: &mut (dyn FnMut(FetchEvent) + Send),
    ) -> Result<Part, Fault> {
        let file = &self.slot.place().file;
        let mut batch = Vec::with_capacity(limits::WRITE_BATCH_BYTES);
        let end = loop {
            match tokio::time::timeout(self.pace.idle, response.chunk()).await {
                Ok(Ok(Some(bytes))) => batch.extend_from_slice(&bytes),
                Ok(Ok(None)) => break None,
                Ok(Err(error)) => break Some(hub::fault(&error)),
                Err(_) => break Some(again(&hub::silence(self.pace.idle))),
            }
            let have = part.len() + batch.len() as u64;
            if have > file.bytes {
                self.slot.discard(Lane::Hub)?;
                return Err(Fault::Stop(SourceError::WrongSize { offered: have, expected: file.bytes }));
            }
            if batch.len() >= limits::WRITE_BATCH_BYTES {
                part = write(part, std::mem::take(&mut batch)).await?;
                events(FetchEvent::Progress {
                    file: file.name.clone(),
                    bytes_done: part.len(),
                    bytes_total: Some(file.bytes),
                });
            }
        };
        part = write(part, batch).await?;
        match end {
            // Also when the connection broke after the last byte.
            _ if part.len() == file.bytes => Ok(part),
            Some(fault) => Err(fault),
            None => Err(again(&format!("the connection ended after {} of {} bytes", part.len(), file.bytes))),
        }
    }
}

enum Verdict {
    Begin,
    Continue(u64),
}

async fn write(mut part: Part, bytes: Vec<u8>) -> Result<Part, SourceError> {
    blocking(move || {
        part.write(&bytes)?;
        Ok(part)
    })
    .await
}

fn range_headers(resumable: Option<&(u64, String)>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some((have, etag)) = resumable
        && let Ok(etag) = HeaderValue::from_str(etag)
        && let Ok(range) = HeaderValue::from_str(&format!("bytes={have}-"))
    {
        headers.insert(RANGE, range);
        headers.insert(IF_RANGE, etag);
    }
    headers
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A weak tag does not promise the same bytes.
fn strong_etag(headers: &HeaderMap) -> Option<String> {
    let etag = text(headers, &ETAG)?;
    (etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"')).then(|| etag.to_owned())
}

/// The first byte and, if told, the size of the whole, of `bytes FIRST-LAST/TOTAL`.
fn content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    (first <= last && total.is_none_or(|total| last < total)).then_some((first, total))
}

/// A login page or a packed body is not the file, whatever its size.
pub(super) fn check_kind(headers: &HeaderMap) -> Result<(), Fault> {
    if text(headers, &CONTENT_TYPE).is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html")) {
        return Err(answer("a web page instead of the file"));
    }
    match text(headers, &CONTENT_ENCODING) {
        None | Some("" | "identity") => Ok(()),
        Some(encoding) => Err(answer(&format!("content packed as {encoding:?}, which was not asked for"))),
    }
}

/// An answer that is neither the file nor a refusal.
pub(super) fn unhelpful(response: &Response) -> Fault {
    let status = response.status();
    let reason = format!("HTTP {}", status.as_u16());
    if is_passing(status) { Fault::Again { reason, wait: retry_after(response.headers()) } } else { answer(&reason) }
}

fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    text(headers, &RETRY_AFTER)?.trim().parse().ok().map(Duration::from_secs)
}

/// How long to wait before the next try, unless the server asks for too much.
pub(super) fn patience(asked: Option<Duration>, tries: u32) -> Result<Duration, SourceError> {
    match asked {
        Some(wait) if wait > limits::RETRY_AFTER_MAX => Err(SourceError::RateLimited { wait }),
        Some(wait) => Ok(wait),
        None => Ok(backoff(tries)),
    }
}

/// Doubles with every try; between half and all of it, so that many clients do not come back at once.
fn backoff(tries: u32) -> Duration {
    let whole = limits::BACKOFF_FIRST.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(limits::BACKOFF_MAX);
    let random = RandomState::new().hash_one(tries) % 1024;
    whole / 2 + (whole / 2).mul_f64(random as f64 / 1024.0)
}

fn again(reason: &str) -> Fault {
    Fault::Again { reason: reason.to_owned(), wait: None }
}

fn answer(what: &str) -> Fault {
    Fault::Stop(SourceError::Answer { what: what.to_owned() })
}

#[cfg(test)]
mod tests;
