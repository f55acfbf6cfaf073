//! The documents that the agent's work is shown in: how far a plan is, and what stands where in a review.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::review::Mark;
use crate::limits::{PAPERS_MAX, PLAN_HASHES_MAX};
use crate::wire::turn_event::PlanStage;

/// What is known of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Paper {
    Plan {
        stage: PlanStage,
        /// The turn that last worked on it: what it did can be taken back.
        worked: Option<String>,
        /// Of each text that was written, the newest last.
        hashes: Vec<String>,
    },
    Review(Review),
}

/// A review as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Review {
    pub(crate) turn: String,
    pub(crate) revision: u64,
    pub(crate) text: String,
    pub(crate) marks: Vec<Mark>,
}

/// The newest last; there are few.
#[derive(Debug, Default)]
pub(crate) struct Papers {
    known: Mutex<Vec<(PathBuf, Paper)>>,
}

impl Papers {
    pub(crate) fn of(&self, path: &Path) -> Option<Paper> {
        self.held().iter().find(|(known, _)| known == path).map(|(_, paper)| paper.clone())
    }

    /// A plan was written by a turn; `worked` names it if the turn carries the plan out.
    pub(crate) fn plan(&self, path: &Path, stage: PlanStage, hash: &str, worked: Option<&str>) {
        let (before, mut hashes) = match self.of(path) {
            Some(Paper::Plan { worked, hashes, .. }) => (worked, hashes),
            Some(Paper::Review(_)) | None => (None, Vec::new()),
        };
        let worked = worked.map(str::to_owned).or(before);
        hashes.retain(|older| older != hash);
        hashes.push(hash.to_owned());
        let too_many = hashes.len().saturating_sub(PLAN_HASHES_MAX);
        hashes.drain(..too_many);
        self.put(path, Paper::Plan { stage, worked, hashes });
    }

    /// Whether a plan with this hash was written to the file and another one since: what an editor shows that does not
    /// read files anew.
    pub(crate) fn is_outdated(&self, path: &Path, hash: &str) -> bool {
        let Some(Paper::Plan { hashes, .. }) = self.of(path) else { return false };
        hashes.split_last().is_some_and(|(_, older)| older.iter().any(|one| one == hash))
    }

    pub(crate) fn review(&self, path: &Path, review: Review) {
        self.put(path, Paper::Review(review));
    }

    /// The turn was taken back.
    pub(crate) fn undone(&self, turn: &str) {
        for (_, paper) in self.held().iter_mut() {
            if let Paper::Plan { worked, .. } = paper
                && worked.as_deref() == Some(turn)
            {
                *worked = None;
            }
        }
    }

    fn put(&self, path: &Path, paper: Paper) {
        let mut known = self.held();
        known.retain(|(other, _)| other != path);
        known.push((path.to_owned(), paper));
        let too_many = known.len().saturating_sub(PAPERS_MAX);
        known.drain(..too_many);
    }

    fn held(&self) -> MutexGuard<'_, Vec<(PathBuf, Paper)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
