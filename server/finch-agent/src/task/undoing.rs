//! What a task changed is taken back, exactly, with what has been typed since kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::event::tell;
use super::{Door, TaskError, TaskEvent, TaskId, Workbench};
use crate::changes::{ChangeSet, Standing};
use crate::store::State;
use crate::view::View;

/// What was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    pub id: TaskId,
    pub paths: Vec<PathBuf>,
}

impl Workbench {
    /// Takes back what a task changed; the newest that changed anything if none is named. What its commands changed is
    /// not known, and stays.
    ///
    /// # Errors
    /// [`TaskError`] if nothing was, or something else was changed where the task had; that stays then.
    pub async fn undo(
        &self,
        id: Option<&TaskId>,
        door: &Door,
        events: &mpsc::Sender<TaskEvent>,
    ) -> Result<Undone, TaskError> {
        let _working = self.working.try_lock().map_err(|_| TaskError::Busy)?;
        let id = match id {
            Some(id) => id.clone(),
            None => self.made.newest(&self.keeping(&TaskId::new()), self.workspace()).await?,
        };
        let keeping = self.keeping(&id);
        keeping.check_free().await?;
        let applied = self.made.applied(&keeping).await;
        if applied.layers.is_empty() {
            return Err(TaskError::NothingToUndo);
        }
        let mut paths: Vec<PathBuf> = Vec::new();
        for (marks, layer) in applied.layers.iter().rev() {
            let back = back(layer, door).await?;
            if !back.is_empty() {
                door.documents.apply(&back).await.map_err(|reason| TaskError::NotApplied { reason })?;
            }
            for mark in marks.iter().rev() {
                self.made.take_back(&keeping, *mark).await;
            }
            paths.extend(back.paths().map(Path::to_owned));
        }
        paths.sort();
        paths.dedup();
        keeping.with("the end of a task", |store, id| store.set_state(id, State::Undone)).await;
        tell(events, TaskEvent::Applied { paths: paths.clone() }).await;
        Ok(Undone { id, paths })
    }
}

/// The way back from what was applied, on the texts as they are now.
async fn back(layer: &ChangeSet, door: &Door) -> Result<ChangeSet, TaskError> {
    let (mut back, view) = (layer.reversed(), View::new(Arc::clone(&door.buffers), Arc::default()));
    let looking = tokio::task::spawn_blocking(move || {
        let mut meeting = Vec::new();
        let paths: Vec<PathBuf> = back.paths().map(Path::to_owned).collect();
        for path in paths {
            match view.base(&path) {
                Ok(Some(now)) if back.rebase(&path, &now) != Standing::InConflict => {}
                _ => meeting.push(path),
            }
        }
        (back, meeting)
    });
    let (back, paths) = looking.await.map_err(|error| TaskError::BrokeOff { reason: error.to_string() })?;
    if paths.is_empty() { Ok(back) } else { Err(TaskError::Conflict { paths }) }
}
