//! Talks to the client: questions, notifications, log lines.
//!
//! Invariant: a question lives in a task of its own until its answer comes or the session ends, whatever becomes
//! of the one who asked. The protocol library panics when an answer finds its waiter gone, and a handler that
//! waits for a person would hold up its own cancel; so nobody else may send a request to the client.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tower_lsp::Client;
use tower_lsp::jsonrpc;
use tower_lsp::lsp_types::MessageType;
use tower_lsp::lsp_types::notification::Notification;
use tower_lsp::lsp_types::request::Request;

use crate::limits::{ANSWER_WAIT, LOG_LINES_MAX, QUESTIONS_MAX};
use crate::tasks::Tasks;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum AskError {
    #[error("{QUESTIONS_MAX} questions wait for an answer already")]
    TooManyQuestions,
    #[error("the client gave no answer within {wait:?}")]
    NoAnswer { wait: Duration },
    #[error("the session ended before the answer")]
    SessionEnded,
    #[error("the client refused: {0}")]
    Refused(jsonrpc::Error),
}

/// A cheap handle on the client.
#[derive(Debug, Clone)]
pub(crate) struct Editor {
    client: Client,
    tasks: Tasks,
    questions: Arc<Semaphore>,
    log: Log,
}

/// Lines for the editor's log. A line that finds the queue full is dropped: it must never hold anything up.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    lines: mpsc::Sender<String>,
}

impl Log {
    /// Tells the user about something that he should set right.
    pub(crate) fn warn(&self, line: impl Into<String>) {
        let line = line.into();
        tracing::warn!("{line}");
        if self.lines.try_send(line).is_err() {
            tracing::debug!("the editor's log is full");
        }
    }
}

impl Editor {
    pub(crate) fn new(client: Client, tasks: Tasks) -> Self {
        let (lines, mut queue) = mpsc::channel(LOG_LINES_MAX);
        let log_client = client.clone();
        tasks.spawn_for_session(async move {
            while let Some(line) = queue.recv().await {
                log_client.log_message(MessageType::WARNING, line).await;
            }
        });
        Self { client, tasks, questions: Arc::new(Semaphore::new(QUESTIONS_MAX)), log: Log { lines } }
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Waits until the client's queue has room.
    pub(crate) async fn tell<N: Notification>(&self, params: N::Params) {
        self.client.send_notification::<N>(params).await;
    }

    /// Asks the client. The question is sent whether or not the answer is awaited.
    pub(crate) fn ask_client<R>(
        &self,
        params: R::Params,
    ) -> impl Future<Output = Result<R::Result, AskError>> + Send + use<R>
    where
        R: Request<Params: Send + 'static, Result: Send + 'static>,
    {
        self.ask_person::<R>(params, ANSWER_WAIT)
    }

    /// The same, where somebody may have to think about it.
    pub(crate) fn ask_person<R>(
        &self,
        params: R::Params,
        wait: Duration,
    ) -> impl Future<Output = Result<R::Result, AskError>> + Send + use<R>
    where
        R: Request<Params: Send + 'static, Result: Send + 'static>,
    {
        let (reply, answer) = oneshot::channel();
        let permit = Arc::clone(&self.questions).try_acquire_owned().map_err(|_| AskError::TooManyQuestions);
        let asked = permit.map(|permit| {
            let client = self.client.clone();
            self.tasks.spawn_for_session(async move {
                let result = client.send_request::<R>(params).await;
                drop(permit);
                if reply.send(result).is_err() {
                    tracing::debug!(method = R::METHOD, "nobody waits for that answer any more");
                }
            })
        });
        async move {
            asked?;
            match tokio::time::timeout(wait, answer).await {
                Ok(Ok(result)) => result.map_err(AskError::Refused),
                Ok(Err(_)) => Err(AskError::SessionEnded),
                Err(_) => Err(AskError::NoAnswer { wait }),
            }
        }
    }
}
