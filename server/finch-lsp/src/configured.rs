//! What the user's files say while a session runs: which folder they are wanted for, and what they have become.
//!
//! This crate knows no such file. Who does is told the folder, and tells what holds from then on; what the editor has
//! set for its session goes before that.

use std::path::PathBuf;
use std::sync::Arc;

use finch_complete::Options;
use tokio::sync::watch;
use tower_lsp::lsp_types::notification::ShowMessage;
use tower_lsp::lsp_types::{MessageType, ShowMessageParams};

use crate::dispatch::Shared;
use crate::handlers::configuration::reconfigure;
use crate::serve::Settings;

/// Hears of the first folder that is open, or that there is none. Called once, within `initialize`: it must not wait.
pub type Began = Box<dyn FnOnce(Option<PathBuf>) + Send>;

/// The user's files behind a session.
pub struct Configuration {
    pub began: Began,
    /// What they say. The value that is there at the beginning is what the session began with.
    pub changes: watch::Receiver<Configured>,
}

/// What the user's files say.
#[derive(Debug, Clone, Default)]
pub struct Configured {
    pub options: Options,
    pub settings: Settings,
    /// What is wrong with them, to be shown to the user.
    pub complaint: Option<String>,
}

/// Takes over what changes, until nothing can.
pub(crate) async fn follow(shared: Arc<Shared>, mut changes: watch::Receiver<Configured>) {
    while changes.changed().await.is_ok() {
        let Configured { options, settings, complaint } = changes.borrow_and_update().clone();
        shared.with_session(|session| reconfigure(session, options, settings));
        if let Some(message) = complaint {
            shared.editor.tell::<ShowMessage>(ShowMessageParams { typ: MessageType::WARNING, message }).await;
        }
    }
}
