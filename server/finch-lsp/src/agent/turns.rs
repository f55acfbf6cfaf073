//! The turns under way: how many there may be, and how one is stopped.
//!
//! Invariant: a turn is listed until its guard goes, whatever ends it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::mailbox::Mailbox;
use crate::handlers::HandlerError;
use crate::limits::TURNS_MAX;
use crate::wire::turn_event::TaskKind;

#[derive(Debug, Clone, Default)]
pub(crate) struct Turns {
    running: Arc<Mutex<BTreeMap<String, Running>>>,
}

#[derive(Debug)]
struct Running {
    task: TaskKind,
    folder: PathBuf,
    stop: CancellationToken,
    mailbox: Arc<Mailbox>,
    /// The plan that is being made or carried out.
    plan: Option<PathBuf>,
}

/// One turn under way.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) id: String,
    pub(crate) task: TaskKind,
    pub(crate) stop: CancellationToken,
    pub(crate) mailbox: Arc<Mailbox>,
    turns: Turns,
}

/// A turn that is at a plan.
#[derive(Debug, Clone)]
pub(crate) struct AtPlan {
    pub(crate) id: String,
    pub(crate) task: TaskKind,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Turns {
    /// # Errors
    /// [`HandlerError::Failed`] if there are too many, or another one changes files of the folder.
    pub(crate) fn begin(&self, id: String, task: TaskKind, folder: &Path) -> Result<Turn, HandlerError> {
        let refuse = |reason: String| Err(HandlerError::Failed { reason });
        let mut running = self.held();
        if running.len() >= TURNS_MAX {
            return refuse(format!("{TURNS_MAX} tasks are under way; wait for one of them, or stop it"));
        }
        let is_in_the_way = |other: &Running| changes_files(other.task) && other.folder == folder;
        if running.contains_key(&id) || (changes_files(task) && running.values().any(is_in_the_way)) {
            return refuse("another task is working in this folder; wait for its end, or stop it".to_owned());
        }
        let (stop, mailbox) = (CancellationToken::new(), Arc::new(Mailbox::default()));
        let one =
            Running { task, folder: folder.to_owned(), stop: stop.clone(), mailbox: Arc::clone(&mailbox), plan: None };
        running.insert(id.clone(), one);
        Ok(Turn { id, task, stop, mailbox, turns: self.clone() })
    }

    /// Stops one turn or all of them. Whether there was one.
    pub(crate) fn stop(&self, id: Option<&str>) -> bool {
        let running = self.held();
        let stopped: Vec<_> = running.iter().filter(|(other, _)| id.is_none_or(|id| id == *other)).collect();
        stopped.iter().for_each(|(_, turn)| turn.stop.cancel());
        !stopped.is_empty()
    }

    /// The turn that makes this plan or carries it out.
    pub(crate) fn at_plan(&self, plan: &Path) -> Option<AtPlan> {
        let running = self.held();
        let (id, turn) = running.iter().find(|(_, turn)| turn.plan.as_deref() == Some(plan))?;
        Some(AtPlan { id: id.clone(), task: turn.task, mailbox: Arc::clone(&turn.mailbox) })
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Says which plan it is at.
    pub(crate) fn is_at(&self, plan: &Path) {
        if let Some(running) = self.turns.held().get_mut(&self.id) {
            running.plan = Some(plan.to_owned());
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.held().remove(&self.id);
    }
}

fn changes_files(task: TaskKind) -> bool {
    match task {
        TaskKind::Work | TaskKind::Change | TaskKind::Undo => true,
        TaskKind::Plan | TaskKind::Ask => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_turn_of_a_folder_may_change_files_and_a_few_may_look() {
        let turns = Turns::default();
        let (here, there) = (Path::new("/here"), Path::new("/there"));
        let work = turns.begin("a".to_owned(), TaskKind::Work, here).expect("the first one");
        assert!(turns.begin("b".to_owned(), TaskKind::Undo, here).is_err());
        assert!(turns.begin("a".to_owned(), TaskKind::Ask, there).is_err(), "the name is taken");
        let _other = turns.begin("c".to_owned(), TaskKind::Change, there).expect("another folder");
        let mut looking = Vec::new();
        while let Ok(turn) = turns.begin(format!("d{}", looking.len()), TaskKind::Ask, here) {
            looking.push(turn);
        }
        assert_eq!(looking.len(), TURNS_MAX - 2);
        drop((work, looking));
        assert!(turns.begin("b".to_owned(), TaskKind::Undo, here).is_ok());
    }

    #[test]
    fn one_turn_is_stopped_or_all() {
        let turns = Turns::default();
        let one = turns.begin("a".to_owned(), TaskKind::Ask, Path::new("/")).expect("a turn");
        let other = turns.begin("b".to_owned(), TaskKind::Plan, Path::new("/")).expect("a turn");
        other.is_at(Path::new("/plans/b.md"));
        assert_eq!(turns.at_plan(Path::new("/plans/b.md")).map(|turn| turn.id), Some("b".to_owned()));
        assert!(!turns.stop(Some("x")));
        assert!(turns.stop(Some("a")));
        assert_eq!((one.stop.is_cancelled(), other.stop.is_cancelled()), (true, false));
        assert!(turns.stop(None));
        assert!(other.stop.is_cancelled());
        drop((one, other));
        assert!(!turns.stop(None));
    }
}
