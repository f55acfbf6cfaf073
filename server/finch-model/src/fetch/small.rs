//! A small file from a hub, into memory: bounded, tried again where that may help, never continued.
//!
//! Called by `repository` for the list of files and for what lies beside weights.

use reqwest::{Client, Response, StatusCode, header::HeaderMap};
use url::Url;

use super::{
    FetchEvent, Pace, download,
    error::SourceError,
    hub::{self, Endpoint, Fault, Request},
};
use crate::limits;

/// A hub's word on why it refuses.
const REASON_HEADER: &str = "x-error-code";

pub(super) struct Small<'a> {
    pub(super) client: &'a Client,
    pub(super) endpoint: &'a Endpoint,
    pub(super) url: Url,
    pub(super) bytes_max: u64,
    pub(super) pace: &'a Pace,
}

impl Small<'_> {
    /// Tries until it is here, or trying again makes no sense. `page` is what a person reads about it.
    pub(super) async fn get(
        &self,
        page: &str,
        events: &mut (dyn FnMut(FetchEvent) + Send),
    ) -> Result<Vec<u8>, SourceError> {
        let mut tries = 0;
        loop {
            let fault = match self.attempt(page).await {
                Ok(bytes) => return Ok(bytes),
                Err(fault) => fault,
            };
            let (reason, wait) = match fault {
                Fault::Stop(error) => return Err(error),
                Fault::Unreachable { reason } if tries == 0 => return Err(SourceError::Unreachable { reason }),
                Fault::Unreachable { reason } => (reason, None),
                Fault::Again { reason, wait } => (reason, wait),
            };
            tries += 1;
            if tries >= limits::DOWNLOAD_TRIES_MAX {
                return Err(SourceError::Interrupted { tries, reason });
            }
            let wait = download::patience(wait, tries)?;
            events(FetchEvent::Retrying { source: page.to_owned(), reason, wait });
            self.pace.sleep(wait).await;
        }
    }

    async fn attempt(&self, page: &str) -> Result<Vec<u8>, Fault> {
        let request = Request {
            client: self.client,
            endpoint: self.endpoint,
            url: self.url.clone(),
            headers: HeaderMap::new(),
            sha256: None,
            answer: self.pace.answer,
        };
        let response = request.send().await?;
        match response.status() {
            StatusCode::OK => self.receive(response).await,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if is_unknown(&response) => not_found(&response),
            StatusCode::NOT_FOUND | StatusCode::GONE => not_found(&response),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(SourceError::Denied { status: response.status().as_u16(), page: page.to_owned() }.into())
            }
            _ => Err(download::unhelpful(&response)),
        }
    }

    async fn receive(&self, mut response: Response) -> Result<Vec<u8>, Fault> {
        download::check_kind(response.headers())?;
        let mut bytes = Vec::new();
        loop {
            match tokio::time::timeout(self.pace.idle, response.chunk()).await {
                Ok(Ok(Some(more))) => bytes.extend_from_slice(&more),
                Ok(Ok(None)) => return Ok(bytes),
                Ok(Err(error)) => return Err(hub::fault(&error)),
                Err(_) => return Err(Fault::Again { reason: hub::silence(self.pace.idle), wait: None }),
            }
            if bytes.len() as u64 > self.bytes_max {
                let what = format!("more than the {} bytes this file may have", self.bytes_max);
                return Err(SourceError::Answer { what }.into());
            }
        }
    }
}

/// To those it does not know, a hub does not say "not found".
fn is_unknown(response: &Response) -> bool {
    response.headers().get(REASON_HEADER).is_some_and(|reason| reason == "RepoNotFound")
}

fn not_found(response: &Response) -> Result<Vec<u8>, Fault> {
    Err(SourceError::NotFound { status: response.status().as_u16() }.into())
}
