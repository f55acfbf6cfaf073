//! A turn's progress bar: the standard one, which the user can cancel.
//!
//! It lives in a task of its own and reads only the newest line, so that a slow client holds nothing up. Invariant: a
//! bar that the client allowed is begun, and one that was begun is ended.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;
use tokio::time::sleep;
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
        NumberOrString::String(token) => token.strip_prefix(TOKEN_START)?.rsplit_once('-').map(|(turn, _)| turn),
        NumberOrString::Number(_) => None,
    }
}

/// Shows the newest line until there will be none.
pub(super) async fn show(editor: Editor, turn: String, title: String, mut lines: watch::Receiver<String>) {
    // A turn that goes on has another bar than it had before: a token is begun once.
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let token = NumberOrString::String(format!("{TOKEN_START}{turn}-{number}"));
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
        // The end is told at once.
        let mut end = lines.clone();
        tokio::select! {
            () = sleep(TURN_PROGRESS_INTERVAL) => {}
            () = async { while end.changed().await.is_ok() {} } => {}
        }
    }
    let message = Some(lines.borrow().clone());
    send(WorkDoneProgress::End(WorkDoneProgressEnd { message })).await;
}
