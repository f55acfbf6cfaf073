//! Asks once, when a folder is opened, whether a task is to go on that was interrupted in it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use finch_agent::characters::shown_on_one_line;
use tower_lsp::lsp_types::request::ShowMessageRequest;
use tower_lsp::lsp_types::{MessageActionItem, MessageType, ShowMessageRequestParams};

use super::start::{Job, start};
use super::work::Work;
use super::{Unfinished, files, off_thread};
use crate::dispatch::Shared;
use crate::limits::PERSON_WAIT;
use crate::wire::turn_event::TaskKind;

/// The answers. The first one is what Enter picks in some editors.
const NOT_NOW: &str = "Not now";
const GO_ON: &str = "Go on";

/// Asks about what was interrupted in these folders.
pub(crate) async fn offer_to_go_on(shared: Arc<Shared>, folders: Vec<PathBuf>) {
    let Some(agent) = &shared.agent else { return };
    // What stands behind tasks is made when somebody wants it, and not for every editor that starts.
    let tasks = agent.backend.tasks.clone();
    if !off_thread(move || tasks.exists()).await.unwrap_or(false) {
        return;
    }
    for folder in folders {
        match agent.bench(folder.clone()).await {
            Ok(bench) => {
                if let Some(newest) = bench.interrupted().await.into_iter().next() {
                    ask(&shared, vec![folder], newest).await;
                }
            }
            Err(error) => tracing::warn!("{error}"),
        }
    }
}

async fn ask(shared: &Arc<Shared>, folders: Vec<PathBuf>, newest: Unfinished) {
    let action = |title: &str| MessageActionItem { title: title.to_owned(), properties: HashMap::new() };
    let title = shown_on_one_line(&newest.title);
    let question = ShowMessageRequestParams {
        typ: MessageType::INFO,
        message: format!(
            "finch was interrupted in the task \u{201c}{title}\u{201d}. Its approved plan can be gone on with."
        ),
        actions: Some([NOT_NOW, GO_ON].map(action).to_vec()),
    };
    let answer = shared.editor.ask_person::<ShowMessageRequest>(question, PERSON_WAIT).await;
    if answer.ok().flatten().is_none_or(|action| action.title != GO_ON) {
        return;
    }
    let work = Work::Resume(newest.id);
    let job = Job { title: format!("Go on: {title}"), task: TaskKind::Work, folders, work };
    if let Err(error) = start(Arc::clone(shared), job).await {
        files::message(shared, MessageType::ERROR, format!("finch: {error}")).await;
    }
}
