//! Moves messages: bytes in, calls to the service in wire order, answers and our own messages out.
//!
//! Invariants: the reader never waits for a handler; whatever waits for a slow client's reading is bounded
//! (answers by the requests in flight, the rest by the outgoing queue), and past those bounds the reader
//! itself waits, so the pressure reaches the client. It knows nothing of methods. `serve` runs it.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::sink::SinkExt;
use futures_util::stream::{Stream, StreamExt};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};
use tower::Service;
use tower_lsp::jsonrpc::{ErrorCode, Id, Request, Response};
use tower_lsp::{ClientSocket, Loopback};

use crate::dispatch::REQUEST_FAILED;
use crate::frame::{Frame, FrameError, Frames};
use crate::limits::{BODY_BYTES_MAX, READ_BYTES, REQUESTS_IN_FLIGHT_MAX};
use crate::message::{self, Incoming};
use crate::ordered::{OrderedService, Phase};
use crate::tasks::Tasks;

/// A message on its way to the client.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Outgoing {
    Answer(Response),
    Call(Request),
}

/// Why nothing more is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadEnd {
    /// The client sent `exit`.
    Exit,
    /// The input ended or failed.
    Closed,
    /// The framing was lost.
    Broken,
    /// Nobody takes our messages any more.
    Unread,
}

/// Takes the client's answers to our requests.
type AnswerSink = <ClientSocket as Loopback>::ResponseSink;

/// Everything the reading side needs.
pub(crate) struct Reader {
    service: OrderedService,
    answers: AnswerSink,
    outgoing: mpsc::Sender<Outgoing>,
    tasks: Tasks,
    in_flight: Arc<Semaphore>,
}

impl Reader {
    pub(crate) fn new(
        service: OrderedService,
        answers: AnswerSink,
        outgoing: mpsc::Sender<Outgoing>,
        tasks: Tasks,
    ) -> Self {
        Self { service, answers, outgoing, tasks, in_flight: Arc::new(Semaphore::new(REQUESTS_IN_FLIGHT_MAX)) }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.service.phase()
    }

    /// Reads until the client, the input or the framing ends.
    pub(crate) async fn run(&mut self, mut input: impl AsyncRead + Unpin) -> ReadEnd {
        let mut frames = Frames::default();
        let mut chunk = vec![0; READ_BYTES];
        loop {
            let read = match input.read(&mut chunk).await {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => {
                    tracing::info!(%error, "the input failed");
                    break;
                }
            };
            let mut bytes = &chunk[..read];
            loop {
                let end = match frames.read(&mut bytes) {
                    Ok(Some(Frame::Body(body))) => self.message(body).await,
                    Ok(Some(Frame::TooLong { bytes })) => self.too_long(bytes).await,
                    Ok(None) => break,
                    Err(error) => Some(self.broken(&error).await),
                };
                if let Some(end) = end {
                    return end;
                }
            }
        }
        if !frames.is_between_messages() {
            tracing::warn!("the input ended inside a message");
        }
        ReadEnd::Closed
    }

    async fn message(&mut self, body: Vec<u8>) -> Option<ReadEnd> {
        let parsed = message::parse(&body);
        // A body may be as large as a document; it is not kept beside what was read from it.
        drop(body);
        match parsed {
            Ok(Incoming::Call(request)) => self.call(request).await,
            Ok(Incoming::Answer(answer)) => {
                if let Err(error) = self.answers.send(answer).await {
                    tracing::debug!(%error, "an answer came after the end");
                }
                None
            }
            Err(refusal) => self.send(*refusal).await,
        }
    }

    async fn call(&mut self, request: Request) -> Option<ReadEnd> {
        let Some(id) = request.id().cloned() else {
            return self.notify(request);
        };
        let Ok(permit) = Arc::clone(&self.in_flight).try_acquire_owned() else {
            let reason = format!("{REQUESTS_IN_FLIGHT_MAX} requests are in flight already; cancel some or wait");
            return self.send(message::refusal(id, REQUEST_FAILED, reason)).await;
        };
        let answer = self.service.call(request);
        let outgoing = self.outgoing.clone();
        self.tasks.spawn(async move {
            if let Ok(Some(response)) = answer.await
                && outgoing.send(Outgoing::Answer(response)).await.is_err()
            {
                tracing::debug!("an answer was ready after the output closed");
            }
            drop(permit);
        });
        None
    }

    fn notify(&mut self, request: Request) -> Option<ReadEnd> {
        // What a notification does is done when `call` returns, or belongs to a task by then.
        let done = self.service.call(request).now_or_never();
        debug_assert!(done.is_some(), "a notification handler waits for something");
        matches!(self.service.phase(), Phase::Exited { .. }).then_some(ReadEnd::Exit)
    }

    async fn too_long(&mut self, bytes: u64) -> Option<ReadEnd> {
        tracing::warn!(bytes, "a message was too long and was left out");
        let reason = format!("a message of {bytes} bytes was left out; {BODY_BYTES_MAX} is the limit");
        self.send(message::refusal(Id::Null, ErrorCode::InvalidRequest, reason)).await
    }

    async fn broken(&mut self, error: &FrameError) -> ReadEnd {
        tracing::error!(%error, "the input cannot be followed any further");
        let refusal = message::refusal(Id::Null, ErrorCode::ParseError, error.to_string());
        self.send(refusal).await.unwrap_or(ReadEnd::Broken)
    }

    async fn send(&mut self, response: Response) -> Option<ReadEnd> {
        self.outgoing.send(Outgoing::Answer(response)).await.err().map(|_| ReadEnd::Unread)
    }
}

/// Hands the server's own requests and notifications to the writer, until there can be no more.
pub(crate) async fn forward(mut calls: impl Stream<Item = Request> + Unpin, outgoing: mpsc::Sender<Outgoing>) {
    while let Some(call) = calls.next().await {
        if outgoing.send(Outgoing::Call(call)).await.is_err() {
            return;
        }
    }
}

/// Writes messages until no sender is left.
///
/// # Errors
/// When the output fails: the client is gone.
pub(crate) async fn write(
    mut queue: mpsc::Receiver<Outgoing>,
    mut output: impl AsyncWrite + Unpin,
) -> std::io::Result<()> {
    while let Some(message) = queue.recv().await {
        output.write_all(&encode(&message)?).await?;
        // One flush for all that is ready.
        while let Ok(message) = queue.try_recv() {
            output.write_all(&encode(&message)?).await?;
        }
        output.flush().await?;
    }
    Ok(())
}

fn encode(message: &Outgoing) -> std::io::Result<Vec<u8>> {
    let body = serde_json::to_vec(message)?;
    let mut frame = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    frame.extend_from_slice(&body);
    Ok(frame)
}
