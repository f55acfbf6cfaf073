//! One progress bar in the editor at a time: create, begin, report, end.
//!
//! Invariant: every bar that was begun is ended, and a bar the client allowed is begun, so that it can forget it.

use finch_llm::ModelState;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tower_lsp::lsp_types::notification::Progress;
use tower_lsp::lsp_types::request::WorkDoneProgressCreate;
use tower_lsp::lsp_types::{
    NumberOrString, ProgressParams, ProgressParamsValue, WorkDoneProgress, WorkDoneProgressBegin,
    WorkDoneProgressCreateParams, WorkDoneProgressEnd, WorkDoneProgressReport,
};

use super::{Show, megabytes, percent};
use crate::editor::{AskError, Editor};

pub(super) struct Bar {
    editor: Editor,
    stage: Stage,
    /// The client's answer, while it is asked.
    answer: Option<BoxFuture<'static, Result<(), AskError>>>,
    bars_asked: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The client shows no progress.
    Never,
    Idle,
    Asking,
    /// The client refused this bar; the next piece of work asks again.
    Refused,
    Open,
}

/// What a bar says.
struct Step {
    message: String,
    percentage: Option<u32>,
}

impl Bar {
    pub(super) fn new(editor: Editor, show: Show) -> Self {
        let stage = match show {
            Show::StatusOnly => Stage::Never,
            Show::StatusAndProgress => Stage::Idle,
        };
        Self { editor, stage, answer: None, bars_asked: 0 }
    }

    /// Brings the bar in line with `state`.
    pub(super) async fn follow(&mut self, state: &ModelState) {
        match (step_of(state), self.stage) {
            (Some(_), Stage::Idle) => self.ask(),
            (Some(step), Stage::Open) => {
                let report = WorkDoneProgressReport {
                    cancellable: None,
                    message: Some(step.message),
                    percentage: step.percentage,
                };
                self.send(WorkDoneProgress::Report(report)).await;
            }
            (None, Stage::Open) => self.end().await,
            (None, Stage::Refused) => self.stage = Stage::Idle,
            (Some(_), Stage::Asking | Stage::Refused | Stage::Never)
            | (None, Stage::Asking | Stage::Idle | Stage::Never) => {}
        }
    }

    /// The client's answer to the last question; waits for ever when none was asked.
    pub(super) async fn answered(&mut self) -> Result<(), AskError> {
        match &mut self.answer {
            Some(answer) => {
                let allowed = answer.await;
                self.answer = None;
                allowed
            }
            None => std::future::pending().await,
        }
    }

    /// Shows the bar that was asked for, if the client allowed it.
    pub(super) async fn open(&mut self, allowed: Result<(), AskError>, state: &ModelState) {
        if let Err(error) = allowed {
            tracing::info!(%error, "no progress bar");
            self.stage = if step_of(state).is_some() { Stage::Refused } else { Stage::Idle };
            return;
        }
        self.stage = Stage::Open;
        let step = step_of(state);
        let begin = WorkDoneProgressBegin {
            title: "finch".to_owned(),
            cancellable: None,
            message: step.as_ref().map(|step| step.message.clone()),
            percentage: step.as_ref().and_then(|step| step.percentage),
        };
        self.send(WorkDoneProgress::Begin(begin)).await;
        if step.is_none() {
            self.end().await;
        }
    }

    /// Takes the bar away, if there is one.
    pub(super) async fn end(&mut self) {
        if self.stage == Stage::Open {
            self.send(WorkDoneProgress::End(WorkDoneProgressEnd { message: None })).await;
            self.stage = Stage::Idle;
        }
    }

    fn ask(&mut self) {
        self.bars_asked += 1;
        let params = WorkDoneProgressCreateParams { token: self.token() };
        self.answer = Some(self.editor.ask_client::<WorkDoneProgressCreate>(params).boxed());
        self.stage = Stage::Asking;
    }

    async fn send(&mut self, progress: WorkDoneProgress) {
        let params = ProgressParams { token: self.token(), value: ProgressParamsValue::WorkDone(progress) };
        self.editor.tell::<Progress>(params).await;
    }

    fn token(&self) -> NumberOrString {
        NumberOrString::String(format!("finch-model-{}", self.bars_asked))
    }
}

/// What is to be said about `state`; `None` when nothing is being worked on.
fn step_of(state: &ModelState) -> Option<Step> {
    match state {
        ModelState::Downloading { file, bytes_done, bytes_total: Some(total) } => Some(Step {
            message: format!("downloading {file}: {} of {} MB", megabytes(*bytes_done), megabytes(*total)),
            percentage: percent(*bytes_done, *total),
        }),
        ModelState::Downloading { file, bytes_done, bytes_total: None } => {
            Some(Step { message: format!("downloading {file}: {} MB", megabytes(*bytes_done)), percentage: None })
        }
        ModelState::Importing { bytes_done, bytes_total } => {
            Some(Step { message: "building the model".to_owned(), percentage: percent(*bytes_done, *bytes_total) })
        }
        ModelState::Loading { model } => Some(Step { message: format!("loading {model}"), percentage: None }),
        ModelState::Absent { .. } | ModelState::Starting | ModelState::Ready { .. } | ModelState::Failed { .. } => None,
    }
}
