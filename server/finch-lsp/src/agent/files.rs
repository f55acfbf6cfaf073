//! Documents that finch writes for the user, and how the client is made to show one.

use std::path::{Path, PathBuf};

use tower_lsp::lsp_types::notification::ShowMessage;
use tower_lsp::lsp_types::request::ShowDocument;
use tower_lsp::lsp_types::{MessageType, ShowDocumentParams, ShowMessageParams, Url};

use super::buffers::EditorBuffers;
use super::off_thread;
use crate::dispatch::Shared;

/// Writes a file of finch's own: for its owner alone, whole or not at all.
pub(super) async fn save(path: PathBuf, text: String) -> Result<(), String> {
    let shown = path.display().to_string();
    let written = off_thread(move || finch_agent::whole::write(&path, text.as_bytes()));
    written.await?.map_err(|error| format!("{shown} cannot be written: {error}; is the disk full?"))
}

/// What the editor calls a file: as it opened it, or as a plain URI.
pub(super) fn uri_of(buffers: &EditorBuffers, path: &Path) -> String {
    buffers.uri(path).or_else(|| plain_uri(path)).unwrap_or_default()
}

pub(super) fn plain_uri(path: &Path) -> Option<String> {
    Url::from_file_path(path).ok().map(String::from)
}

/// Shows a file, or says where it is if the client cannot.
pub(super) async fn show(shared: &Shared, path: &Path, what: &str) {
    let shows = shared.with_session(|session| session.facts.shows_documents).unwrap_or(false);
    match Url::from_file_path(path) {
        Ok(uri) if shows => {
            let params = ShowDocumentParams { uri, external: Some(false), take_focus: Some(true), selection: None };
            // It is sent at once; nobody waits until it is on screen.
            drop(shared.editor.ask_client::<ShowDocument>(params));
        }
        Ok(_) | Err(()) => message(shared, MessageType::INFO, format!("finch: {what} is in {}", path.display())).await,
    }
}

pub(super) async fn message(shared: &Shared, typ: MessageType, message: String) {
    shared.editor.tell::<ShowMessage>(ShowMessageParams { typ, message }).await;
}
