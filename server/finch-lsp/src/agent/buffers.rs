//! The open documents, as the agent's tools see them: by canonical path, saved or not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finch_agent::plan::Plan;
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

/// The same for a task: where the editor has not noticed that a plan was ticked on disk, the disk counts.
pub(super) struct TaskBuffers {
    pub(super) buffers: EditorBuffers,
    pub(super) plans: PathBuf,
}

impl Buffers for TaskBuffers {
    fn buffer(&self, path: &Path) -> Option<Buffer> {
        let buffer = self.buffers.buffer(path)?;
        if path.parent() != Some(&self.plans) {
            return Some(buffer);
        }
        let hash = |text: &str| Plan::from_markdown(text).ok().map(|plan| plan.hash());
        let on_disk = std::fs::read_to_string(path).ok().and_then(|text| hash(&text));
        // The same steps: they differ in ticks at most, and finch ticks on disk.
        let is_same_plan = on_disk.is_some() && on_disk == hash(&buffer.document.text());
        (!is_same_plan).then_some(buffer)
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.buffers.paths()
    }
}
