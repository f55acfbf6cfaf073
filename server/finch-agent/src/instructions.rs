//! What the user and the authors of a repository ask for in files: CLAUDE.md, FINCH.md and AGENTS.md.
//!
//! They are data. Their text goes to the model, labelled and between marks that no file can write itself; nothing reads it
//! for permissions, and the gate does not know of it. The user's own files always count. Those of a workspace count only
//! where the user trusts it, and of the folders above it only those of the same repository do.
//!
//! In reading order: `places` says which files there may be, `content` reads one, `text` makes one text of all.

mod content;
mod places;
mod text;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use self::{
    content::{Content, Known},
    places::Place,
};
use crate::{limits::INSTRUCTION_FOLDERS_MAX, rules::Rules};

/// Whether the user trusts the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    Given,
    Not,
}

/// The instructions that hold in a workspace. What was read is kept, and read anew when its file changes.
#[derive(Debug)]
pub struct Instructions {
    rules: Rules,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Folders below the workspace that the task has come to.
    folders: BTreeSet<PathBuf>,
    folders_are_full: bool,
    known: BTreeMap<PathBuf, Known>,
}

/// What there is to say to a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// For the system's part of a conversation; empty if there are no instructions.
    pub text: String,
    /// The files whose text is in it, as [`Origin`](finch_llm::Origin) has them: by their names in the workspace, those
    /// outside by their whole paths.
    pub files: Vec<String>,
    /// What the user should know, the same each time for as long as it is so.
    pub warnings: Vec<String>,
}

impl Instructions {
    /// Those of the workspace of these rules. A file that the rules do not let be read without a question is left out.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self { rules, state: Mutex::default() }
    }

    /// Notes that the task changes the file at this canonical path: instructions in the folders above it count from now
    /// on.
    pub fn touched(&self, file: &Path) {
        let workspace = &self.rules.scope().workspace;
        let Some(folder) = file.parent().filter(|folder| folder.starts_with(workspace)) else { return };
        let mut state = self.state();
        for folder in folder.ancestors().take_while(|folder| folder != workspace) {
            if state.folders.len() >= INSTRUCTION_FOLDERS_MAX && !state.folders.contains(folder) {
                state.folders_are_full = true;
            } else {
                state.folders.insert(folder.to_owned());
            }
        }
    }

    /// The instructions as the files are now: to be asked for with each request. What has not changed is not read again.
    /// Blocks for as long as the disk takes.
    #[must_use]
    pub fn current(&self, trust: Trust) -> Loaded {
        let mut state = self.state();
        let places = places::places(self.rules.scope(), &state.folders);
        let mut warnings = Vec::new();
        let (places, untrusted): (Vec<Place>, Vec<Place>) =
            places.into_iter().partition(|place| place.is_own() || trust == Trust::Given);
        let untrusted: Vec<String> = untrusted.iter().filter(|place| place.is_there()).map(Place::label).collect();
        if !untrusted.is_empty() {
            warnings.push(format!(
                "instructions are left out, since you do not trust this workspace: {}; look at them, and then \
                 `finch trust give` the folder if you do",
                untrusted.join(", ")
            ));
        }
        if state.folders_are_full {
            warnings.push(format!(
                "the task changes files in more than {INSTRUCTION_FOLDERS_MAX} folders; instructions in the others are \
                 left out"
            ));
        }
        let mut found: Vec<(Place, Content)> = Vec::new();
        let mut still_known = BTreeMap::new();
        for place in places {
            let known = Known::now(&place, state.known.remove(place.path()), &self.rules, &found);
            if let Some(content) = known.content(&mut warnings) {
                found.push((place.clone(), content.clone()));
            }
            still_known.insert(place.path().to_owned(), known);
        }
        state.known = still_known;
        text::joined(&found, &self.rules.scope().workspace, warnings)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
