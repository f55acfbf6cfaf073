//! The documents that the agent's work is shown in: how far a plan is, and what stands where in a review.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::review::Mark;
use crate::limits::PAPERS_MAX;
use crate::wire::turn_event::PlanStage;

/// What is known of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Paper {
    Plan {
        stage: PlanStage,
        /// The turn that last worked on it: what it did can be taken back.
        worked: Option<String>,
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
    pub(crate) fn plan(&self, path: &Path, stage: PlanStage, worked: Option<&str>) {
        let before = match self.of(path) {
            Some(Paper::Plan { worked, .. }) => worked,
            Some(Paper::Review(_)) | None => None,
        };
        let worked = worked.map(str::to_owned).or(before);
        self.put(path, Paper::Plan { stage, worked });
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
