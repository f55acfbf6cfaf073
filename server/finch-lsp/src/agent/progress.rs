//! A turn's progress bar: the standard one, which the user can cancel.
//!
//! It lives in a task of its own and reads only the newest line, so that a slow client holds nothing up. Invariant: a
//! bar that the client allowed is begun, and one that was begun is ended: at once when its turn ends, because the next
//! turn of the same task has the same token.

use tokio::sync::watch;
use tokio::time::timeout;
use tower_lsp::lsp_types::notification::Progress;
use tower_lsp::lsp_types::request::WorkDoneProgressCreate;
use tower_lsp::lsp_types::{
    NumberOrString, ProgressParams, ProgressParamsValue, WorkDoneProgress, WorkDoneProgressBegin,
    WorkDoneProgressCreateParams, WorkDoneProgressEnd, WorkDoneProgressReport,
};

use crate::editor::Editor;
use crate::limits::TURN_PROGRESS_INTERVAL;

const TOKEN_START: &str = "finch-turn-";

/// The turn whose bar has this token.
pub(crate) fn turn_of(token: &NumberOrString) -> Option<&str> {
    match token {
        NumberOrString::String(token) => token.strip_prefix(TOKEN_START),
        NumberOrString::Number(_) => None,
    }
}

/// Shows the newest line until there will be none.
pub(super) async fn show(editor: Editor, turn: String, title: String, mut lines: watch::Receiver<String>) {
    let token = NumberOrString::String(format!("{TOKEN_START}{turn}"));
    let create = WorkDoneProgressCreateParams { token: token.clone() };
    if let Err(error) = editor.ask_client::<WorkDoneProgressCreate>(create).await {
        return tracing::info!(%error, "no progress bar");
    }
    let send = |value: WorkDoneProgress| {
        editor.tell::<Progress>(ProgressParams { token: token.clone(), value: ProgressParamsValue::WorkDone(value) })
    };
    let line = Some(lines.borrow_and_update().clone());
    let begin = WorkDoneProgressBegin { title, cancellable: Some(true), message: line, percentage: None };
    send(WorkDoneProgress::Begin(begin)).await;
    while lines.changed().await.is_ok() {
        let message = Some(lines.borrow_and_update().clone());
        let report = WorkDoneProgressReport { cancellable: Some(true), message, percentage: None };
        send(WorkDoneProgress::Report(report)).await;
        if timeout(TURN_PROGRESS_INTERVAL, ended(lines.clone())).await.is_ok() {
            break;
        }
    }
    let message = Some(lines.borrow().clone());
    send(WorkDoneProgress::End(WorkDoneProgressEnd { message })).await;
}

/// Waits until there will be no line any more.
async fn ended(mut lines: watch::Receiver<String>) {
    while lines.changed().await.is_ok() {}
}
