//! Brings staged edits into the editor's documents, and the documents onto the disk.
//!
//! Invariant: what somebody typed is never overwritten. Edits go out as one edit of the workspace against the versions
//! that are known; an editor that has newer ones refuses, or its texts show that it did not take them, and then the edits
//! are carried over to the new texts and tried again. What meets what was typed is an error. It counts as applied when
//! the documents have the edits, and as done when the disk has them.
//!
//! An editor follows links when it saves, and writes into a file that has another name. So both are refused before an
//! edit and before it is saved.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use finch_agent::changes::{Base, ChangeSet, Standing};
use finch_agent::paths::leads_only_here;
use finch_agent::tools::bash::{Documents, Settled};
use finch_agent::view::{Buffers, NoBuffers, View};
use tokio::time::{Instant, timeout_at};
use tower_lsp::lsp_types::request::{ApplyWorkspaceEdit, Request};
use tower_lsp::lsp_types::{ApplyWorkspaceEditParams, MessageType};

use super::buffers::EditorBuffers;
use super::edit::Wording;
use super::files::{message, uri_of};
use super::off_thread;
use crate::limits::{
    APPLY_TRIES_MAX, APPLY_WAIT, ARRIVAL_WAIT, NAMED_FILES_MAX, SAVE_WAIT, SAVED_BY_HAND_WAIT, SAVED_LOOK,
};
use crate::wire::agent_client::{FilesSaved, SaveFiles};
use crate::wire::method;

enum Save {}

impl Request for Save {
    type Params = SaveFiles;
    type Result = FilesSaved;
    const METHOD: &'static str = method::SAVE;
}

pub(super) struct EditorDocuments {
    pub(super) buffers: EditorBuffers,
    /// What the edits are for.
    pub(super) title: String,
}

/// What became of an edit of the workspace.
enum Made {
    Yes,
    /// The texts are others by now.
    TooLate {
        reason: String,
    },
}

impl Documents for EditorDocuments {
    fn apply<'a>(&'a self, changes: &'a ChangeSet) -> Settled<'a> {
        Box::pin(async move {
            let paths: Vec<PathBuf> = changes.paths().map(Path::to_owned).collect();
            let changes = self.make(changes.clone()).await?;
            self.save(&changes, &paths).await
        })
    }
}

impl EditorDocuments {
    /// Returns the edits as they were made at last.
    async fn make(&self, mut changes: ChangeSet) -> Result<ChangeSet, String> {
        let agent = self.buffers.shared.agent.as_ref().ok_or("there is no agent")?;
        let _alone = agent.applying.acquire().await.map_err(|error| error.to_string())?;
        let mut why = String::new();
        for _ in 0..APPLY_TRIES_MAX {
            changes = self.carry_over(changes).await?;
            if changes.is_empty() {
                return Ok(changes);
            }
            match self.try_once(&changes).await? {
                Made::Yes => return Ok(changes),
                Made::TooLate { reason } => why = reason,
            }
        }
        Err(format!("the editor did not take the edits, {APPLY_TRIES_MAX} times: {why}"))
    }

    /// The edits on the texts as they are now.
    async fn carry_over(&self, mut changes: ChangeSet) -> Result<ChangeSet, String> {
        if let Some(path) = changes.paths().find(|path| self.buffers.is_lost(path)) {
            return Err(format!(
                "{} is open in the editor with a text that finch does not know; save it, close it and open it again",
                path.display()
            ));
        }
        let view = View::new(Arc::new(self.buffers.clone()), Arc::default());
        off_thread(move || {
            let paths: Vec<PathBuf> = changes.paths().map(Path::to_owned).collect();
            for path in paths {
                leads_only_here(&path).map_err(|error| error.to_string())?;
                let now = base(&view, &path)?;
                if changes.rebase(&path, &now) == Standing::InConflict {
                    let path = path.display();
                    return Err(format!(
                        "{path} was changed meanwhile where the edits are; read it again and edit it anew"
                    ));
                }
            }
            Ok(changes)
        })
        .await?
    }

    async fn try_once(&self, changes: &ChangeSet) -> Result<Made, String> {
        let shared = &self.buffers.shared;
        let facts = shared.with_session(|session| (session.facts.edits, session.facts.encoding));
        let (facts, encoding) = facts.ok_or("the session is broken")?;
        let uri = |path: &Path| uri_of(&self.buffers, path);
        let edit = Wording { facts, encoding, uri: &uri, title: &self.title }.edit(&changes.effects())?;
        let versions = self.versions(changes);
        let label = Some(format!("finch: {}", self.title));
        let params = ApplyWorkspaceEditParams { label, edit };
        let made = shared.editor.ask_person::<ApplyWorkspaceEdit>(params, APPLY_WAIT).await;
        let made = made.map_err(|error| format!("the editor did not make the edits: {error}"))?;
        if !made.applied {
            let reason = made.failure_reason.unwrap_or_else(|| "it gave no reason".to_owned());
            // An editor that refuses with the texts as they were would refuse again.
            return match self.versions(changes) == versions && !self.waits_for_news(changes, &versions).await {
                true => Err(format!("the editor refused the edits: {reason}")),
                false => Ok(Made::TooLate { reason }),
            };
        }
        match self.arrive(changes).await {
            None => Ok(Made::Yes),
            Some(path) if self.versions(changes) != versions => {
                Ok(Made::TooLate { reason: format!("{} was changed in the meantime", path.display()) })
            }
            Some(path) => Err(format!("the editor says that it made the edits, and {} is as it was", path.display())),
        }
    }

    fn versions(&self, changes: &ChangeSet) -> Vec<Option<i64>> {
        changes.paths().map(|path| self.buffers.buffer(path).map(|buffer| buffer.version)).collect()
    }

    /// Whether newer texts come within a moment: an editor may refuse before it tells of what was typed.
    async fn waits_for_news(&self, changes: &ChangeSet, versions: &[Option<i64>]) -> bool {
        let Some(mut touched) = self.buffers.shared.with_session(|session| session.touched.subscribe()) else {
            return false;
        };
        let until = Instant::now() + ARRIVAL_WAIT;
        while self.versions(changes) == versions {
            if !matches!(timeout_at(until, touched.changed()).await, Ok(Ok(()))) {
                return false;
            }
        }
        true
    }

    /// Waits until every open document has the edits; else one that has not.
    async fn arrive(&self, changes: &ChangeSet) -> Option<PathBuf> {
        let mut touched = self.buffers.shared.with_session(|session| session.touched.subscribe())?;
        let until = Instant::now() + ARRIVAL_WAIT;
        let mut missing: Vec<PathBuf> = changes.paths().map(Path::to_owned).collect();
        loop {
            touched.borrow_and_update();
            missing.retain(|path| {
                let now = self.buffers.buffer(path).map(|buffer| buffer.document.text());
                now.is_some_and(|now| !has_edits(changes, path, &now))
            });
            if missing.is_empty() || !matches!(timeout_at(until, touched.changed()).await, Ok(Ok(()))) {
                return missing.pop();
            }
        }
    }

    /// Has the files saved, and looks whether they are.
    pub(super) async fn save(&self, changes: &ChangeSet, paths: &[PathBuf]) -> Result<(), String> {
        let shared = &self.buffers.shared;
        let places = paths.to_vec();
        let straight = off_thread(move || places.iter().try_for_each(|path| leads_only_here(path))).await?;
        straight.map_err(|error| format!("the edits are made and not saved: {error}"))?;
        let kept = paths.iter().filter(|path| changes.staged(path) != Some(None));
        let uris: Vec<String> = kept.map(|path| uri_of(&self.buffers, path)).collect();
        let saves = shared.with_session(|session| session.facts.own.save).unwrap_or(false);
        if !saves {
            return self.wait_until_saved(changes, paths, SAVED_BY_HAND_WAIT, Saver::User).await;
        }
        if !uris.is_empty() {
            let saved = shared.editor.ask_person::<Save>(SaveFiles { uris }, SAVE_WAIT).await;
            let saved = saved.map_err(|error| format!("the editor did not save the edits: {error}"))?;
            if let Some(one) = saved.failed.first() {
                return Err(format!("the editor could not save {}: {}", one.uri, one.reason));
            }
        }
        self.wait_until_saved(changes, paths, ARRIVAL_WAIT, Saver::Editor).await
    }

    async fn wait_until_saved(
        &self,
        changes: &ChangeSet,
        paths: &[PathBuf],
        wait: Duration,
        saver: Saver,
    ) -> Result<(), String> {
        let until = Instant::now() + wait;
        let mut unsaved = self.unsaved(changes, paths.to_vec()).await?;
        if saver == Saver::User && !unsaved.is_empty() {
            let text = format!("finch: save all files, so that what runs next sees the edits: {}", names(&unsaved));
            message(&self.buffers.shared, MessageType::WARNING, text).await;
        }
        while !unsaved.is_empty() {
            if Instant::now() >= until {
                let seconds = wait.as_secs();
                return Err(format!("the edits are made and not saved after {seconds} s: {}", names(&unsaved)));
            }
            tokio::time::sleep(SAVED_LOOK).await;
            unsaved = self.unsaved(changes, unsaved).await?;
        }
        Ok(())
    }

    /// The files whose text on disk is not the editor's, or not the one it was to become.
    async fn unsaved(&self, changes: &ChangeSet, paths: Vec<PathBuf>) -> Result<Vec<PathBuf>, String> {
        let (buffers, changes) = (self.buffers.clone(), changes.clone());
        let disk = View::new(Arc::new(NoBuffers), Arc::default());
        off_thread(move || {
            let is_unsaved = |path: &PathBuf| {
                let Ok(on_disk) = base(&disk, path) else { return true };
                match (on_disk.text, buffers.buffer(path)) {
                    (None, _) => matches!(changes.staged(path), Some(Some(_))),
                    (Some(_), _) if changes.staged(path) == Some(None) => true,
                    (Some(on_disk), Some(buffer)) => !alike(&on_disk, &buffer.document.text()),
                    (Some(on_disk), None) => !has_edits(&changes, path, &on_disk),
                }
            };
            paths.into_iter().filter(is_unsaved).collect()
        })
        .await
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Saver {
    Editor,
    User,
}

fn base(view: &View, path: &Path) -> Result<Base, String> {
    match view.base(path) {
        Ok(Some(base)) => Ok(base),
        Ok(None) => Err(format!("{} is no text file any more", path.display())),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

/// Whether a text has all that was staged for it, whatever else was typed.
fn has_edits(changes: &ChangeSet, path: &Path, now: &str) -> bool {
    match changes.staged(path) {
        None => return true,
        Some(None) => return false,
        Some(Some(after)) if alike(after, now) => return true,
        Some(Some(_)) => {}
    }
    let mut rest = changes.clone();
    let text: Arc<str> = now.into();
    let now = Base { text: Some(Arc::clone(&text)), ..Base::default() };
    match rest.rebase(path, &now) {
        Standing::Unstaged => true,
        // Nothing is left to do when what is staged is the text itself.
        Standing::Staged => rest.staged(path) == Some(Some(&text)),
        Standing::InConflict => false,
    }
}

/// Whether two texts differ in the ends of lines at most: editors write their own.
fn alike(one: &str, other: &str) -> bool {
    one == other
        || (one.contains('\r') != other.contains('\r') && one.replace("\r\n", "\n") == other.replace("\r\n", "\n"))
}

fn names(paths: &[PathBuf]) -> String {
    let mut names: Vec<String> = paths
        .iter()
        .take(NAMED_FILES_MAX)
        .map(|path| finch_agent::characters::shown_on_one_line(&path.to_string_lossy()))
        .collect();
    if paths.len() > NAMED_FILES_MAX {
        names.push(format!("and {} more", paths.len() - NAMED_FILES_MAX));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &str, after: &str, now: &str, has: bool) {
        let mut changes = ChangeSet::default();
        let base = Base { text: Some(before.into()), ..Base::default() };
        changes.stage(Path::new("/a"), &base, Some(after.into()));
        assert_eq!(has_edits(&changes, Path::new("/a"), now), has, "{now:?}");
    }

    #[test]
    fn a_text_has_the_edits_whatever_else_was_typed() {
        let (before, after) = ("a\nb\nc\nd\ne\n", "A\nb\nc\nd\ne\n");
        check(before, after, after, true);
        check(before, after, before, false);
        check(before, after, "A\nb\nc\nd\nE\n", true);
        check(before, after, "a\nb\nc\nd\nE\n", false);
        check(before, after, "x\nb\nc\nd\ne\n", false);
        check(before, after, "A\r\nb\r\nc\r\nd\r\ne\r\n", true);
        check(before, after, "", false);
    }
}
