//! One request to the daemon and its answer.
//!
//! Runs as a task that ends with its reader. It is sent again, once the link is back, while nothing of its answer was shown.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use finch_llm::sse::{SseEvent, SseParser};
use finch_llm::{Chunk, ChunkSender, LlmError};
use reqwest::{Response, header};
use tokio::time::timeout;

use super::link::{Link, Up};
use super::{Shared, read};
use crate::limits::{ERROR_BYTES_MAX, EVENT_WAIT, LINK_WAIT, RESENDS_MAX};

pub(super) struct Exchange {
    pub(super) shared: Arc<Shared>,
    pub(super) path: &'static str,
    pub(super) body: Bytes,
}

/// How a try ended without an answer.
enum Failed {
    /// The connection broke. `shown` says whether something of the answer went out.
    Broke {
        shown: bool,
    },
    /// The daemon said no, or nonsense.
    Said(LlmError),
    ReaderGone,
}

impl Exchange {
    /// Until the answer is whole, has failed, or nobody reads it.
    pub(super) async fn run(self, sender: ChunkSender) {
        tokio::select! {
            () = sender.reader_gone() => {}
            outcome = self.answer(&sender) => {
                if let Err(error) = outcome {
                    // A reader that is gone needs no reason.
                    sender.send(Err(error)).await.ok();
                }
            }
        }
    }

    async fn answer(&self, sender: &ChunkSender) -> Result<(), LlmError> {
        for _ in 0..=RESENDS_MAX {
            let link = self.link().await?;
            match self.attempt(&link, sender).await {
                Ok(()) | Err(Failed::ReaderGone) => return Ok(()),
                Err(Failed::Said(error)) => return Err(error),
                Err(Failed::Broke { shown: true }) => break,
                // Whether the daemon is gone is for the link to find out.
                Err(Failed::Broke { shown: false }) => link.doubt().await,
            }
        }
        Err(LlmError::Unavailable { reason: "the connection to the daemon broke; ask again".to_owned() })
    }

    /// The link, if there is one soon.
    async fn link(&self) -> Result<Arc<Link>, LlmError> {
        let mut up = self.shared.up.subscribe();
        let found = timeout(LINK_WAIT, up.wait_for(|up| !matches!(up, Up::Broken))).await;
        match found.map(|up| up.map(|up| up.clone())) {
            Ok(Ok(Up::Ready(link))) => Ok(link),
            Ok(Ok(Up::Waiting(why))) => Err(why),
            _ => Err(LlmError::Loading),
        }
    }

    async fn attempt(&self, link: &Link, sender: &ChunkSender) -> Result<(), Failed> {
        let request = self
            .shared
            .http
            .post(format!("{}{}", link.url, self.path))
            .bearer_auth(link.token.expose())
            .header(header::CONTENT_TYPE, "application/json")
            .body(self.body.clone());
        let sent = tokio::select! {
            sent = timeout(EVENT_WAIT, request.send()) => sent.map_err(|_| Failed::Broke { shown: false })?,
            () = link.silent() => return Err(Failed::Broke { shown: false }),
        };
        let response = sent.map_err(|error| broke(&error, false))?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        let mut answer = Answer { sender, shown: false };
        tokio::select! {
            ended = answer.follow(response) => ended,
            () = link.silent() => Err(Failed::Broke { shown: answer.shown }),
        }
    }
}

fn broke(error: &reqwest::Error, shown: bool) -> Failed {
    tracing::debug!(error = error as &dyn std::error::Error, "the connection to the daemon broke");
    Failed::Broke { shown }
}

/// What a daemon says that does not answer.
async fn refused(response: Response) -> Failed {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let mut response = response;
    while let Ok(Some(bytes)) = response.chunk().await {
        body.extend_from_slice(&bytes);
        if body.len() > ERROR_BYTES_MAX {
            break;
        }
    }
    Failed::Said(read::refusal(status, &body))
}

/// An answer that is coming.
struct Answer<'a> {
    sender: &'a ChunkSender,
    /// Something of it went out.
    shown: bool,
}

impl Answer<'_> {
    async fn follow(&mut self, mut response: Response) -> Result<(), Failed> {
        let (mut parser, mut events) = (SseParser::default(), Vec::new());
        loop {
            let read = timeout(EVENT_WAIT, response.chunk()).await.map_err(|_| Failed::Broke { shown: self.shown })?;
            let bytes = read.map_err(|error| broke(&error, self.shown))?;
            // An answer ends with `Done`, and a connection that ends before it broke.
            let Some(bytes) = bytes else { return Err(Failed::Broke { shown: self.shown }) };
            parser.push(&bytes, &mut events).map_err(|error| Failed::Said(read::broken(&error.to_string())))?;
            for event in events.drain(..) {
                if self.hear(&event).await? {
                    return drain(response).await;
                }
            }
        }
    }

    /// Hands on what an event says; true if it was the last.
    async fn hear(&mut self, event: &SseEvent) -> Result<bool, Failed> {
        if event.data.is_empty() || event.data == "[DONE]" {
            return Ok(false);
        }
        let heard = read::event(&event.data).map_err(Failed::Said)?;
        if let Some(progress) = heard.progress {
            self.sender.report(progress);
        }
        let mut is_done = false;
        for chunk in heard.chunks {
            is_done |= matches!(chunk, Chunk::Done(_));
            self.shown = true;
            self.sender.send(Ok(chunk)).await.map_err(|_| Failed::ReaderGone)?;
        }
        Ok(is_done)
    }
}

/// Reads what comes behind the last event, so that the connection can be used again.
async fn drain(mut response: Response) -> Result<(), Failed> {
    let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
    // A connection that is not free soon is not used again; the answer is whole.
    timeout(Duration::from_millis(100), rest).await.ok();
    Ok(())
}
