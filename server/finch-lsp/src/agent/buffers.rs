//! The open documents, as the agent's tools see them: by canonical path, saved or not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finch_agent::view::{Buffer, Buffers};

use crate::dispatch::Shared;
use crate::documents::Missing;

#[derive(Clone)]
pub(super) struct EditorBuffers {
    pub(super) shared: Arc<Shared>,
}

impl EditorBuffers {
    /// Whether the file is open and its text not known: nobody may read or change it behind the editor's back.
    pub(super) fn is_lost(&self, path: &Path) -> bool {
        let lost = self.shared.with_session(|session| {
            let uri = session.places.uri(path)?.to_owned();
            matches!(session.documents.snapshot(&uri), Err(Missing::OutOfStep | Missing::TooLarge)).then_some(())
        });
        lost.flatten().is_some()
    }

    /// What the editor calls the file.
    pub(super) fn uri(&self, path: &Path) -> Option<String> {
        self.shared.with_session(|session| session.places.uri(path).map(str::to_owned)).flatten()
    }
}

impl Buffers for EditorBuffers {
    fn buffer(&self, path: &Path) -> Option<Buffer> {
        let snapshot = self.shared.with_session(|session| {
            let uri = session.places.uri(path)?;
            session.documents.snapshot(uri).ok()
        });
        snapshot.flatten().map(|snapshot| Buffer { document: snapshot.document, version: snapshot.version })
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.shared.with_session(|session| session.places.paths()).unwrap_or_default()
    }
}
