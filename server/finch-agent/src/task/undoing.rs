//! What a task changed is taken back, exactly, with what has been typed since kept.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::event::tell;
use super::made::Mark;
use super::{Door, TaskError, TaskEvent, TaskId, Workbench};
use crate::changes::{Base, ChangeSet, Standing};
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
        let (marks, layers): (Vec<Vec<Mark>>, Vec<ChangeSet>) = applied.layers.into_iter().unzip();
        let back = back(layers, door).await?;
        if !back.is_empty() {
            door.documents.apply(&back).await.map_err(|reason| TaskError::NotApplied { reason })?;
        }
        for mark in marks.into_iter().flatten().rev() {
            self.made.take_back(&keeping, mark).await;
        }
        let paths: Vec<PathBuf> = back.paths().map(Path::to_owned).collect();
        keeping.with("the end of a task", |store, id| store.set_state(id, State::Undone)).await;
        tell(events, TaskEvent::Applied { paths: paths.clone() }).await;
        Ok(Undone { id, paths })
    }
}

/// The way back from what was applied, newest first, on the texts as they are now. One set: all of it is taken back, or
/// nothing is.
async fn back(layers: Vec<ChangeSet>, door: &Door) -> Result<ChangeSet, TaskError> {
    let view = View::new(Arc::clone(&door.buffers), Arc::default());
    let looking = tokio::task::spawn_blocking(move || {
        let (mut back, mut meeting) = (ChangeSet::default(), Vec::new());
        for layer in layers.iter().rev() {
            let mut step = layer.reversed();
            let paths: Vec<PathBuf> = step.paths().map(Path::to_owned).collect();
            for path in paths {
                match then(&view, &back, &path) {
                    Some(then) if step.rebase(&path, &then) != Standing::InConflict => {}
                    _ => meeting.push(path),
                }
            }
            if meeting.is_empty()
                && let Err((between, _)) = back.absorb(step)
            {
                meeting = between;
            }
            if !meeting.is_empty() {
                break;
            }
        }
        (back, meeting)
    });
    let (back, paths) = looking.await.map_err(|error| TaskError::BrokeOff { reason: error.to_string() })?;
    if paths.is_empty() { Ok(back) } else { Err(TaskError::Conflict { paths }) }
}

/// The file as it will be when that much has been taken back.
fn then(view: &View, back: &ChangeSet, path: &Path) -> Option<Base> {
    let now = view.base(path).ok()??;
    Some(match back.staged(path) {
        Some(text) => Base { text: text.cloned(), ..now },
        None => now,
    })
}

#[cfg(test)]
mod tests;
