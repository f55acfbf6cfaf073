//! Staged edits that the user looks at before they reach the files: taken or left, by place, by file, or all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::event::tell;
use super::settling::Remembered;
use super::{Door, Edits, TaskError, TaskEvent, TaskId, Workbench};
use crate::changes::ChangeSet;
use crate::tools::Documents as _;
use crate::view::View;

/// What is taken or left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// One place of a file, by its number in [`ChangeSet::hunks`].
    Hunk {
        path: PathBuf,
        index: usize,
    },
    File(PathBuf),
    All,
}

impl Workbench {
    /// What the task has staged, as it is now.
    #[must_use]
    pub fn staged(&self, id: &TaskId) -> Option<ChangeSet> {
        self.made.staged(id).map(|view| view.changes().clone())
    }

    /// Brings what is chosen into the files. `revision` is that of the edits which the user has before him.
    ///
    /// # Errors
    /// [`TaskError`] if the edits are others by now, or cannot be applied; they stay staged then.
    pub async fn accept(
        self: &Arc<Self>,
        id: &TaskId,
        revision: u64,
        chosen: &Chosen,
        door: &Door,
        events: &mpsc::Sender<TaskEvent>,
    ) -> Result<(), TaskError> {
        let view = self.view_of(id, revision)?;
        // On a copy: what cannot be applied stays staged.
        let mut rest = view.changes().clone();
        let taken = match chosen {
            Chosen::Hunk { path, index } => rest.accept_hunk(path, *index)?,
            Chosen::File(path) => rest.accept_file(path)?,
            Chosen::All => rest.accept_all(),
        };
        let applying = Door { edits: Edits::Apply, ..door.clone() };
        let documents = Remembered::new(self, id, &applying, events);
        documents.apply(&taken).await.map_err(|reason| TaskError::NotApplied { reason })?;
        self.replace(&view, revision, rest, events).await
    }

    /// Leaves what is chosen.
    ///
    /// # Errors
    /// [`TaskError`] if the edits are others by now.
    pub async fn reject(
        &self,
        id: &TaskId,
        revision: u64,
        chosen: &Chosen,
        events: &mpsc::Sender<TaskEvent>,
    ) -> Result<(), TaskError> {
        let view = self.view_of(id, revision)?;
        let mut rest = view.changes().clone();
        match chosen {
            Chosen::Hunk { path, index } => rest.reject_hunk(path, *index)?,
            Chosen::File(path) => rest.reject_file(path),
            Chosen::All => {
                let paths: Vec<PathBuf> = rest.paths().map(Path::to_owned).collect();
                paths.iter().for_each(|path| rest.reject_file(path));
            }
        }
        self.replace(&view, revision, rest, events).await
    }

    /// Keeps what is staged for the user to look at, if anything is.
    pub(super) async fn stage_for_review(&self, id: &TaskId, view: &View, events: &mpsc::Sender<TaskEvent>) {
        let revision = Some(view.changes()).filter(|staged| !staged.is_empty()).map(|staged| staged.revision());
        if let Some(revision) = revision {
            self.made.stage(id, view.clone());
            tell(events, TaskEvent::Review { revision }).await;
        }
    }

    fn view_of(&self, id: &TaskId, revision: u64) -> Result<View, TaskError> {
        let view = self.made.staged(id).ok_or(TaskError::ReviewChanged)?;
        let is_shown = view.changes().revision() == revision;
        if is_shown { Ok(view) } else { Err(TaskError::ReviewChanged) }
    }

    async fn replace(
        &self,
        view: &View,
        revision: u64,
        rest: ChangeSet,
        events: &mpsc::Sender<TaskEvent>,
    ) -> Result<(), TaskError> {
        let now = rest.revision();
        {
            let mut staged = view.changes();
            if staged.revision() != revision {
                return Err(TaskError::ReviewChanged);
            }
            *staged = rest;
        }
        tell(events, TaskEvent::Review { revision: now }).await;
        Ok(())
    }
}
