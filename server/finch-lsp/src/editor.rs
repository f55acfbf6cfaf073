//! Talks to the client: questions, notifications, log lines.
//!
//! Invariant: a question lives in a task of its own until its answer comes or the session ends, whatever becomes
//! of the one who asked. The protocol library panics when an answer finds its waiter gone, and a handler that
//! waits for a person would hold up its own cancel; so nobody else may send a request to the client.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tower::Service;
use tower_lsp::Client;
use tower_lsp::jsonrpc;
use tower_lsp::lsp_types::notification::{Cancel, Notification};
use tower_lsp::lsp_types::request::Request;
use tower_lsp::lsp_types::{CancelParams, MessageType, NumberOrString};

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
        self.ask::<R>(params, ANSWER_WAIT, Unheard::StillAsked)
    }

    /// Asks where somebody may have to think about it. Dropping it, or the end of the wait, takes the question back.
    pub(crate) fn ask_person<R>(
        &self,
        params: R::Params,
        wait: Duration,
    ) -> impl Future<Output = Result<R::Result, AskError>> + Send + use<R>
    where
        R: Request<Params: Send + 'static, Result: Send + 'static>,
    {
        self.ask::<R>(params, wait, Unheard::TakenBack)
    }

    fn ask<R>(
        &self,
        params: R::Params,
        wait: Duration,
        unheard: Unheard,
    ) -> impl Future<Output = Result<R::Result, AskError>> + Send + use<R>
    where
        R: Request<Params: Send + 'static, Result: Send + 'static>,
    {
        let (reply, answer) = oneshot::channel();
        let permit = Arc::clone(&self.questions).try_acquire_owned().map_err(|_| AskError::TooManyQuestions);
        let asked = permit.map(|permit| {
            let client = self.client.clone();
            self.tasks.spawn_for_session(async move {
                put::<R>(client, params, reply, unheard).await;
                drop(permit);
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

/// What becomes of a question when nobody waits for its answer any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unheard {
    StillAsked,
    TakenBack,
}

/// Puts a question and hands on the answer. It waits for an answer whatever becomes of the one who asked.
async fn put<R: Request>(
    mut client: Client,
    params: R::Params,
    mut reply: oneshot::Sender<jsonrpc::Result<R::Result>>,
    unheard: Unheard,
) {
    let id = client.next_request_id();
    let params = serde_json::to_value(params).unwrap_or_default();
    let request = jsonrpc::Request::build(R::METHOD).params(params).id(id.clone()).finish();
    // The first poll puts it into the queue, so that nothing overtakes it.
    let mut answering = client.call(request);
    let answer = tokio::select! {
        biased;
        answer = &mut answering => answer,
        () = reply.closed(), if unheard == Unheard::TakenBack => {
            let number = match id {
                jsonrpc::Id::Number(number) => i32::try_from(number).unwrap_or_default(),
                jsonrpc::Id::String(_) | jsonrpc::Id::Null => 0,
            };
            let (answer, ()) = tokio::join!(
                answering,
                client.send_notification::<Cancel>(CancelParams { id: NumberOrString::Number(number) }),
            );
            answer
        }
    };
    let result = match answer {
        Ok(Some(response)) => response.into_parts().1.and_then(read::<R>),
        Ok(None) | Err(_) => Err(jsonrpc::Error::internal_error()),
    };
    if reply.send(result).is_err() {
        tracing::debug!(method = R::METHOD, "nobody waits for that answer any more");
    }
}

fn read<R: Request>(result: serde_json::Value) -> jsonrpc::Result<R::Result> {
    serde_json::from_value(result).map_err(|error| jsonrpc::Error {
        code: jsonrpc::ErrorCode::ParseError,
        message: error.to_string().into(),
        data: None,
    })
}
