//! What the user is told and asked of providers beyond this machine: who answers, what left, and whether it may.
//!
//! One task for a session. The user is asked once a session and folder at most, and only where a cloud would be of
//! use; until there is an answer nothing leaves.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use finch_llm::router::{Consent, RouterEvent};
use finch_llm::{ModelState, Origin, StateReceiver};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tower_lsp::lsp_types::notification::ShowMessage;
use tower_lsp::lsp_types::request::ShowMessageRequest;
use tower_lsp::lsp_types::{MessageActionItem, MessageType, ShowMessageParams, ShowMessageRequestParams};

use crate::editor::Editor;
use crate::limits::{FOLDERS_ASKED_MAX, PERSON_WAIT};
use crate::tasks::Tasks;
use crate::wire::status::{Answered, Left};

/// Writes down what the user answered for a folder; an error is told to the user.
pub type Agree = Arc<dyn Fn(&Path, Consent) -> Result<(), String> + Send + Sync>;

/// What is known of providers beyond this machine.
pub struct Clouds {
    pub events: broadcast::Receiver<RouterEvent>,
    pub agree: Agree,
    /// What left this machine today. Asked after each answer, so it has to be at hand.
    pub left: Arc<dyn Fn() -> Left + Send + Sync>,
}

/// What the client is told beside the state of the model.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) answered: Option<Answered>,
    pub(crate) left: Option<Left>,
}

/// The answers that the user may give. The first one is what Enter picks in some editors.
const NOT_NOW: &str = "Not now";
const NEVER: &str = "Never for this folder";
const ALLOW: &str = "Allow for this folder";

/// Follows what happens until the router is gone.
pub(crate) async fn follow(
    editor: Editor,
    tasks: Tasks,
    clouds: Clouds,
    (state, seen): (StateReceiver, watch::Sender<Seen>),
) {
    let Clouds { mut events, agree, left } = clouds;
    let mut asked = HashSet::new();
    loop {
        match events.recv().await {
            Ok(RouterEvent::ConsentWanted { origin: Origin { workspace: Some(folder), .. }, provider, host }) => {
                if !is_about_to_answer(&state.borrow())
                    && asked.len() < FOLDERS_ASKED_MAX
                    && asked.insert(Arc::clone(&folder))
                {
                    let question = question(&folder, &format!("{provider} ({host})"));
                    tasks.spawn_for_session(ask(editor.clone(), question, folder, Arc::clone(&agree)));
                }
            }
            // There is no folder for which the user could agree.
            Ok(RouterEvent::ConsentWanted { .. }) => {}
            Ok(RouterEvent::AllFailed { reason }) => show(&editor, format!("finch has no answer: {reason}")).await,
            Ok(RouterEvent::Answered { provenance, instead_of, .. }) => {
                let (provider, model) = (provenance.provider.to_string(), provenance.model);
                let now = Seen { answered: Some(Answered { provider, model, instead_of }), left: Some(left()) };
                seen.send_if_modified(|before| std::mem::replace(before, now.clone()) != now);
            }
            Err(RecvError::Lagged(missed)) => tracing::debug!(missed, "events of the router were missed"),
            Err(RecvError::Closed) => return,
        }
    }
}

/// The model will be there in a moment, and nobody is asked for that.
fn is_about_to_answer(state: &ModelState) -> bool {
    matches!(state, ModelState::Starting | ModelState::Loading { .. })
}

fn question(folder: &Path, provider: &str) -> ShowMessageRequestParams {
    let action =
        |title: &str| MessageActionItem { title: title.to_owned(), properties: std::collections::HashMap::new() };
    ShowMessageRequestParams {
        typ: MessageType::WARNING,
        message: format!(
            "finch: the local model cannot answer now. May text of {} go to the clouds that you have configured, first to \
             {provider}? Keys and passwords are left out; `finch ledger` shows what left.",
            folder.display()
        ),
        actions: Some([NOT_NOW, NEVER, ALLOW].map(action).to_vec()),
    }
}

async fn ask(editor: Editor, question: ShowMessageRequestParams, folder: Arc<Path>, agree: Agree) {
    let answer = match editor.ask_person::<ShowMessageRequest>(question, PERSON_WAIT).await {
        Ok(answer) => answer,
        Err(error) => return tracing::info!(%error, "the question of consent was not answered"),
    };
    let consent = match answer.as_ref().map(|action| action.title.as_str()) {
        Some(ALLOW) => Consent::Given,
        Some(NEVER) => Consent::Refused,
        _ => return,
    };
    // It writes a file.
    let written = tokio::task::spawn_blocking(move || agree(&folder, consent)).await;
    let problem = match written {
        Ok(Ok(())) => return,
        Ok(Err(problem)) => problem,
        Err(error) => error.to_string(),
    };
    show(&editor, format!("finch could not keep your answer: {problem}")).await;
}

async fn show(editor: &Editor, message: String) {
    editor.tell::<ShowMessage>(ShowMessageParams { typ: MessageType::WARNING, message }).await;
}
