//! What tasks have changed, so that it can be taken back, and what they have staged for the user to look at.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::TaskId;
use crate::changes::ChangeSet;
use crate::limits::{TASKS_STAGED_MAX, TASKS_UNDOABLE_MAX};
use crate::view::View;

/// What is remembered of tasks. Empty at first.
#[derive(Debug, Default)]
pub struct Made {
    applied: Mutex<Vec<Applied>>,
    staged: Mutex<Vec<(TaskId, View)>>,
}

/// What one task has changed: sets that were applied one after the other.
#[derive(Debug, Clone)]
pub(super) struct Applied {
    pub(super) id: TaskId,
    pub(super) layers: Vec<ChangeSet>,
}

impl Made {
    /// Remembers what was applied. What follows from an earlier set of the same task becomes one with it.
    pub(super) fn add(&self, id: &TaskId, changes: ChangeSet) {
        let mut applied = locked(&self.applied);
        let at = applied.iter().position(|one| one.id == *id);
        let mut one = at.map_or_else(|| Applied { id: id.clone(), layers: Vec::new() }, |at| applied.remove(at));
        match one.layers.last_mut().map(|last| last.absorb(changes.clone())) {
            Some(Ok(())) => {}
            // What somebody typed in between meets both: they are taken back one after the other.
            Some(Err(_)) | None => one.layers.push(changes),
        }
        applied.push(one);
        let too_many = applied.len().saturating_sub(TASKS_UNDOABLE_MAX);
        applied.drain(..too_many);
    }

    /// What the task has changed; the newest that changed anything if none is named.
    pub(super) fn applied(&self, id: Option<&TaskId>) -> Option<Applied> {
        let applied = locked(&self.applied);
        applied.iter().rev().find(|one| id.is_none_or(|id| one.id == *id)).cloned()
    }

    /// The last set of a task was taken back.
    pub(super) fn take_back(&self, id: &TaskId) {
        let mut applied = locked(&self.applied);
        if let Some(one) = applied.iter_mut().find(|one| one.id == *id) {
            one.layers.pop();
        }
        applied.retain(|one| !one.layers.is_empty());
    }

    pub(super) fn stage(&self, id: &TaskId, view: View) {
        let mut staged = locked(&self.staged);
        staged.retain(|(other, _)| other != id);
        staged.push((id.clone(), view));
        let too_many = staged.len().saturating_sub(TASKS_STAGED_MAX);
        staged.drain(..too_many);
    }

    pub(super) fn staged(&self, id: &TaskId) -> Option<View> {
        locked(&self.staged).iter().find(|(other, _)| other == id).map(|(_, view)| view.clone())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
