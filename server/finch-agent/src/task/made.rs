//! What tasks have changed, so that it can be taken back, and what they have staged for the user to look at.
//!
//! What was changed is kept in the store, before it is done. Where that cannot be had it is kept here, for as long as
//! finch runs.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::kept::Keeping;
use super::{TaskError, TaskId};
use crate::changes::ChangeSet;
use crate::limits::{CHANGE_SETS_HERE_MAX, TASKS_STAGED_MAX};
use crate::store::SetNumber;
use crate::view::View;

/// What is remembered of tasks. Empty at first.
#[derive(Debug, Default)]
pub struct Made {
    here: Mutex<Here>,
    staged: Mutex<Vec<(TaskId, View)>>,
}

#[derive(Debug, Default)]
struct Here {
    applied: Vec<(TaskId, u64, ChangeSet)>,
    next: u64,
}

/// Names what was applied at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Stored(SetNumber),
    Here(u64),
}

/// What one task has changed: sets that were applied one after the other, and what they came from.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) layers: Vec<(Vec<Mark>, ChangeSet)>,
}

impl Applied {
    /// What follows from an earlier set becomes one with it.
    fn add(&mut self, mark: Mark, changes: ChangeSet) {
        let Some((marks, last)) = self.layers.last_mut() else {
            return self.layers.push((vec![mark], changes));
        };
        match last.absorb(changes) {
            Ok(()) => marks.push(mark),
            // What somebody typed in between meets both: they are taken back one after the other.
            Err((_, changes)) => self.layers.push((vec![mark], changes)),
        }
    }
}

impl Made {
    /// Remembers what is about to be applied.
    pub(super) async fn applying(&self, keeping: &Keeping, changes: &ChangeSet) -> Mark {
        let copy = changes.clone();
        match keeping.with("what a task changes", move |store, id| store.applying(id, &copy)).await {
            Some(number) => Mark::Stored(number),
            None => {
                let mut here = locked(&self.here);
                let number = here.next;
                here.next += 1;
                here.applied.push((keeping.id().clone(), number, changes.clone()));
                let too_many = here.applied.len().saturating_sub(CHANGE_SETS_HERE_MAX);
                here.applied.drain(..too_many);
                Mark::Here(number)
            }
        }
    }

    /// It was taken back, or did not come to be.
    pub(super) async fn take_back(&self, keeping: &Keeping, mark: Mark) {
        match mark {
            Mark::Stored(number) => {
                keeping.with("what a task changed", move |store, id| store.take_back(id, number)).await;
            }
            Mark::Here(number) => locked(&self.here).applied.retain(|(_, other, _)| *other != number),
        }
    }

    /// What the task has changed.
    pub(super) async fn applied(&self, keeping: &Keeping) -> Applied {
        let mut applied = Applied::default();
        let stored = keeping.with("what a task changed", |store, id| store.applied(id)).await;
        stored.into_iter().flatten().for_each(|set| applied.add(Mark::Stored(set.number), set.changes));
        let here = locked(&self.here);
        let own = here.applied.iter().filter(|(id, _, _)| id == keeping.id());
        own.for_each(|(_, number, changes)| applied.add(Mark::Here(*number), changes.clone()));
        applied
    }

    /// The task that changed something last.
    pub(super) async fn newest(&self, keeping: &Keeping, workspace: &Path) -> Result<TaskId, TaskError> {
        let here = locked(&self.here).applied.last().map(|(id, _, _)| id.clone());
        if let Some(id) = here {
            return Ok(id);
        }
        let workspace = workspace.to_owned();
        let stored = keeping.with("the newest changes", move |store, _| store.last_undoable(&workspace)).await;
        stored.flatten().map(|task| task.id).ok_or(TaskError::NothingToUndo)
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
