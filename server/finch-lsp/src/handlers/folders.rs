//! `workspace/didChangeWorkspaceFolders`: folders that were opened and closed after the beginning.
//!
//! The agent works in what is open when it is asked. A turn in a folder that is closed meanwhile goes on to its end.

use std::path::PathBuf;

use tower_lsp::lsp_types::DidChangeWorkspaceFoldersParams;

use crate::limits::FOLDERS_MAX;
use crate::path::folder_of;
use crate::session::Session;

/// Returns the folders that are new.
pub(crate) fn did_change(session: &mut Session, params: DidChangeWorkspaceFoldersParams) -> Vec<PathBuf> {
    let facts = &mut session.facts;
    let mut folders = std::mem::take(&mut facts.folders);
    // A client that named a root and no folders has that one open.
    if folders.is_empty() {
        folders.extend(facts.root.take());
    }
    let (added, removed) = (params.event.added, params.event.removed);
    folders.retain(|uri| removed.iter().all(|folder| !is_same(folder.uri.as_str(), uri)));
    let mut new = Vec::new();
    for folder in added {
        let uri = String::from(folder.uri);
        if folders.len() < FOLDERS_MAX && folders.iter().all(|known| !is_same(known, &uri)) {
            new.extend(folder_of(&uri));
            folders.push(uri);
        }
    }
    facts.root = folders.first().cloned();
    facts.folders = folders;
    new
}

/// Clients spell one folder in several ways.
fn is_same(one: &str, other: &str) -> bool {
    one == other || folder_of(one).is_some_and(|folder| Some(folder) == folder_of(other))
}
