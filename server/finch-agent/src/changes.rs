//! What the agent wants changed and nobody has agreed to yet: edits of several files against the texts they were made on.
//!
//! Pure. Each file is held as the text it was and the text it is to be, so that a difference, a hunk and the way back
//! follow from the two. Invariant: a text that somebody changed meanwhile is never overwritten; the edits move over to
//! it where no lines meet, and are a [`Conflict`] otherwise, which gives no effect until someone decides.

mod effect;
mod lines;
mod merge;
mod plain;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::view::Encoding;

pub use effect::{Against, Effect, TextEdit, edited};
pub(crate) use lines::unified;
pub use plain::PlainChange;

/// A file as it was before the agent's edits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Base {
    /// None if there is no such file.
    pub text: Option<Arc<str>>,
    /// The editor's version; none if it was read from disk.
    pub version: Option<i64>,
    pub encoding: Encoding,
}

/// The agent's edits and somebody else's meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The file as it is now.
    pub now: Base,
    /// Lines of the text before both that both changed, counted from 0; none where it is the file as a whole.
    pub lines: Vec<Range<usize>>,
}

/// One place of a file that can be taken or left by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// Lines of the text before, counted from 0.
    pub old_lines: Range<usize>,
    /// Lines of the text after.
    pub new_lines: Range<usize>,
    pub old_text: String,
    pub new_text: String,
}

/// Why a choice could not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    #[error("nothing is staged for {path}")]
    NotStaged { path: String },
    #[error("{path} has no hunk {index}: the changes are not those that were shown; look at them again")]
    NoHunk { path: String, index: usize },
    #[error("{path} was changed meanwhile where the staged edits are; decide about it first")]
    InConflict { path: String },
    #[error("{path} exists already; choose another name or edit it")]
    Exists { path: String },
    #[error("there is no {path} to rename or remove")]
    Missing { path: String },
}

/// How a file's staged edits stand to the file as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is staged for it, or no longer.
    Unstaged,
    Staged,
    InConflict,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FileChange {
    base: Base,
    after: Option<Arc<str>>,
    conflict: Option<Conflict>,
}

/// Edits of several files, staged and not applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeSet {
    files: BTreeMap<PathBuf, FileChange>,
    /// New name → old name. Counts only while the one file comes and the other goes.
    renames: BTreeMap<PathBuf, PathBuf>,
    /// Grows with every change of the set.
    revision: u64,
}

impl ChangeSet {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Another number after every change: what was shown under an older one may not hold any more.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The files with staged edits, in order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(PathBuf::as_path)
    }

    /// What each file is to hold, as bytes; none if it goes. Files in conflict have nothing to hold yet.
    pub(crate) fn contents(&self) -> impl Iterator<Item = (&Path, Option<Vec<u8>>)> {
        let settled = self.files.iter().filter(|(_, file)| file.conflict.is_none());
        settled.map(|(path, file)| {
            let bytes = file.after.as_ref().map(|text| file.base.encoding.encode(text));
            (path.as_path(), bytes)
        })
    }

    /// Stages the text that `path` is to have, none to remove it. `base` is the text it was made on. What was staged
    /// before on another text, or is in conflict, gives way.
    pub fn stage(&mut self, path: &Path, base: &Base, after: Option<Arc<str>>) {
        self.revision += 1;
        let kept = self.files.remove(path).filter(|file| file.conflict.is_none() && file.base.text == base.text);
        let base = kept.map_or_else(|| base.clone(), |file| Base { version: base.version, ..file.base });
        if base.text != after {
            self.files.insert(path.to_owned(), FileChange { base, after, conflict: None });
        }
    }

    /// Stages a new name. The text may be edited under it.
    ///
    /// # Errors
    /// [`ChangeError`] if there is nothing to rename, or something in its place.
    pub fn rename(&mut self, from: (&Path, &Base), to: (&Path, &Base)) -> Result<(), ChangeError> {
        let (from, from_base) = from;
        let text = self.files.get(from).map_or(&from_base.text, |file| &file.after).clone();
        let Some(text) = text else { return Err(ChangeError::Missing { path: shown(from) }) };
        let (to, to_base) = to;
        if self.files.get(to).map_or(&to_base.text, |file| &file.after).is_some() {
            return Err(ChangeError::Exists { path: shown(to) });
        }
        self.stage(from, from_base, None);
        self.stage(to, to_base, Some(text));
        let first = self.renames.remove(from).unwrap_or_else(|| from.to_owned());
        if first != to {
            self.renames.insert(to.to_owned(), first);
        }
        Ok(())
    }

    /// Carries what is staged for `path` over to the file as it is now.
    pub fn rebase(&mut self, path: &Path, now: &Base) -> Standing {
        let Some(file) = self.files.get_mut(path) else { return Standing::Unstaged };
        if file.base.text == now.text {
            // What is not there has no encoding, but what comes back had one.
            let encoding = if now.text.is_none() { file.base.encoding } else { now.encoding };
            file.base = Base { encoding, ..now.clone() };
            file.conflict = None;
            return Standing::Staged;
        }
        if file.after == now.text {
            self.files.remove(path);
            self.revision += 1;
            return Standing::Unstaged;
        }
        let merged = match (&file.base.text, &file.after, &now.text) {
            (Some(base), Some(after), Some(now)) => merge::merge(base, after, now).map_err(|meeting| meeting.0),
            _ => Err(Vec::new()),
        };
        let standing = match merged {
            Ok(merged) => {
                *file = FileChange { base: now.clone(), after: Some(merged.into()), conflict: None };
                Standing::Staged
            }
            Err(lines) => {
                let conflict = Some(Conflict { now: now.clone(), lines });
                if file.conflict == conflict {
                    return Standing::InConflict;
                }
                file.conflict = conflict;
                Standing::InConflict
            }
        };
        self.revision += 1;
        standing
    }

    /// The text that is staged for `path`: `Some(None)` if it is to be removed, `None` if nothing is staged that holds.
    #[must_use]
    pub fn staged(&self, path: &Path) -> Option<Option<&Arc<str>>> {
        self.files.get(path).filter(|file| file.conflict.is_none()).map(|file| file.after.as_ref())
    }

    /// The files whose edits meet somebody else's.
    pub fn conflicts(&self) -> impl Iterator<Item = (&Path, &Conflict)> {
        self.files.iter().filter_map(|(path, file)| Some((path.as_path(), file.conflict.as_ref()?)))
    }

    /// The staged edits of one file as a unified diff, named as `name`; empty if there are none.
    #[must_use]
    pub fn diff(&self, path: &Path, name: &str) -> String {
        self.files
            .get(path)
            .map_or_else(String::new, |file| unified((name, name), file.base.text.as_deref(), file.after.as_deref()))
    }

    /// The places of one file that can be taken or left by themselves. A file that comes or goes is one.
    #[must_use]
    pub fn hunks(&self, path: &Path) -> Vec<Hunk> {
        let Some(file) = self.files.get(path) else { return Vec::new() };
        let (old, new) = (file.base.text.as_deref().unwrap_or_default(), file.after.as_deref().unwrap_or_default());
        file.pieces()
            .into_iter()
            .map(|piece| Hunk {
                old_text: old[piece.old].to_owned(),
                new_text: new[piece.new].to_owned(),
                old_lines: piece.old_lines,
                new_lines: piece.new_lines,
            })
            .collect()
    }

    /// Takes one hunk: what has to be done for it, and what undoes it. The rest of the file stays staged on the new text.
    ///
    /// # Errors
    /// [`ChangeError`] if there is no such hunk, or the file is in conflict.
    pub fn accept_hunk(&mut self, path: &Path, index: usize) -> Result<ChangeSet, ChangeError> {
        let (file, mixed) = self.with_hunks(path, |at| at == index, index)?;
        if self.with_other_name(path).len() > 1 {
            return self.accept_file(path);
        }
        let taken = FileChange { after: mixed.clone(), ..file.clone() };
        let rest = FileChange { base: Base { text: mixed, version: None, ..file.base }, ..file };
        self.put(path, rest);
        Ok(ChangeSet { files: BTreeMap::from([(path.to_owned(), taken)]), ..ChangeSet::default() })
    }

    /// Leaves one hunk: it is no longer staged.
    ///
    /// # Errors
    /// [`ChangeError`] if there is no such hunk, or the file is in conflict.
    pub fn reject_hunk(&mut self, path: &Path, index: usize) -> Result<(), ChangeError> {
        let (file, mixed) = self.with_hunks(path, |at| at != index, index)?;
        if self.with_other_name(path).len() > 1 {
            self.reject_file(path);
            return Ok(());
        }
        self.put(path, FileChange { after: mixed, ..file });
        Ok(())
    }

    /// Takes all that is staged for one file, with its other name if it has one.
    ///
    /// # Errors
    /// [`ChangeError`] if nothing is, or it is in conflict.
    pub fn accept_file(&mut self, path: &Path) -> Result<ChangeSet, ChangeError> {
        let mut taken = ChangeSet::default();
        for path in self.with_other_name(path) {
            self.unconflicted(&path)?;
            if let Some(file) = self.files.remove(&path) {
                taken.files.insert(path.clone(), file);
            }
            if let Some(from) = self.renames.remove(&path) {
                taken.renames.insert(path, from);
            }
        }
        self.revision += 1;
        Ok(taken)
    }

    /// Leaves all that is staged for one file, conflict or not, with its other name if it has one.
    pub fn reject_file(&mut self, path: &Path) {
        for path in self.with_other_name(path) {
            self.files.remove(&path);
            self.renames.remove(&path);
        }
        self.revision += 1;
    }

    /// Takes everything that is in no conflict, nor renamed together with what is.
    pub fn accept_all(&mut self) -> ChangeSet {
        let held = self.held();
        let (kept, files) = std::mem::take(&mut self.files).into_iter().partition(|(path, _)| held.contains(path));
        let (kept_names, renames) =
            std::mem::take(&mut self.renames).into_iter().partition(|(to, _)| held.contains(to));
        (self.files, self.renames) = (kept, kept_names);
        self.revision += 1;
        ChangeSet { files, renames, revision: 0 }
    }

    /// What has to be done, in order: what goes before what comes, so that a name is free when it is needed.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        let (mut effects, mut created) = (Vec::new(), Vec::new());
        let renamed: Vec<&PathBuf> = self.valid_renames().map(|(_, from)| from).collect();
        let held = self.held();
        for (path, file) in self.files.iter().filter(|(path, _)| !held.contains(*path)) {
            let path = path.clone();
            match (file.against(), &file.after) {
                (Some(against), Some(after)) => {
                    let edits = effect::edits(&against.text, after);
                    effects.push(Effect::Edit { path, against, edits });
                }
                (Some(against), None) if !renamed.contains(&&path) => effects.push(Effect::Remove { path, against }),
                (None, Some(text)) if !self.is_valid_rename(&path) => {
                    let (text, encoding) = (Arc::clone(text), file.base.encoding);
                    created.push(Effect::Create { path, text, encoding });
                }
                (_, _) => {}
            }
        }
        for (to, from) in self.valid_renames() {
            let (Some(old), Some(new)) = (self.files.get(from), self.files.get(to)) else { continue };
            if let (Some(against), Some(after)) = (old.against(), &new.after) {
                let edits = effect::edits(&against.text, after);
                effects.push(Effect::Rename { from: from.clone(), to: to.clone(), against, edits });
            }
        }
        effects.extend(created);
        effects
    }

    /// The set that undoes this one, against the texts that this one makes. [`ChangeSet::rebase`] carries it over to
    /// what has been typed since.
    #[must_use]
    pub fn reversed(&self) -> ChangeSet {
        let swap = |file: &FileChange| {
            let base = Base { text: file.after.clone(), version: None, encoding: file.base.encoding };
            FileChange { base, after: file.base.text.clone(), conflict: None }
        };
        ChangeSet {
            files: self.files.iter().map(|(path, file)| (path.clone(), swap(file))).collect(),
            renames: self.renames.iter().map(|(to, from)| (from.clone(), to.clone())).collect(),
            revision: 0,
        }
    }

    /// Makes one set of this and one that was applied after it, so that one step undoes both. What somebody else typed
    /// in between stays out of it.
    ///
    /// # Errors
    /// The files where what was typed in between meets this set's edits, and `later` unchanged: undo that one first.
    pub fn absorb(&mut self, later: ChangeSet) -> Result<(), (Vec<PathBuf>, ChangeSet)> {
        let mut joined = self.files.clone();
        let mut meeting = Vec::new();
        for (path, file) in &later.files {
            let Some(first) = joined.remove(path) else {
                joined.insert(path.clone(), file.clone());
                continue;
            };
            match first.base_with_what_came_between(&file.base) {
                Some(base) if base.text == file.after => {}
                Some(base) => {
                    joined.insert(path.clone(), FileChange { base, ..file.clone() });
                }
                None => meeting.push(path.clone()),
            }
        }
        if !meeting.is_empty() {
            return Err((meeting, later));
        }
        self.files = joined;
        for (to, from) in later.renames {
            let first = self.renames.remove(&from).unwrap_or(from);
            if first != to {
                self.renames.insert(to, first);
            }
        }
        self.revision += 1;
        Ok(())
    }

    fn put(&mut self, path: &Path, file: FileChange) {
        self.revision += 1;
        if file.base.text == file.after {
            self.files.remove(path);
        } else {
            self.files.insert(path.to_owned(), file);
        }
    }

    /// The file, and its text with the chosen hunks alone.
    fn with_hunks(
        &self,
        path: &Path,
        chosen: impl Fn(usize) -> bool,
        index: usize,
    ) -> Result<(FileChange, Option<Arc<str>>), ChangeError> {
        let file = self.unconflicted(path)?;
        let pieces = file.pieces();
        if index >= pieces.len() {
            return Err(ChangeError::NoHunk { path: shown(path), index });
        }
        let mixed = match (&file.base.text, &file.after) {
            (Some(base), Some(after)) => {
                let chosen = pieces.iter().enumerate().filter(|(at, _)| chosen(*at)).map(|(_, piece)| piece);
                Some(lines::with_pieces(base, after, chosen).into())
            }
            // The file as a whole.
            (base, after) => {
                if chosen(0) {
                    after.clone()
                } else {
                    base.clone()
                }
            }
        };
        Ok((file.clone(), mixed))
    }

    fn unconflicted(&self, path: &Path) -> Result<&FileChange, ChangeError> {
        match self.files.get(path) {
            None => Err(ChangeError::NotStaged { path: shown(path) }),
            Some(file) if file.conflict.is_some() => Err(ChangeError::InConflict { path: shown(path) }),
            Some(file) => Ok(file),
        }
    }

    /// The files in conflict, and what was renamed from them or to them: half a rename is none.
    fn held(&self) -> BTreeSet<PathBuf> {
        let mut held: BTreeSet<PathBuf> = self.conflicts().map(|(path, _)| path.to_owned()).collect();
        for (to, from) in &self.renames {
            if held.contains(to) || held.contains(from) {
                held.extend([to.clone(), from.clone()]);
            }
        }
        held
    }

    fn valid_renames(&self) -> impl Iterator<Item = (&PathBuf, &PathBuf)> {
        self.renames.iter().filter(|(to, from)| {
            let comes = |file: &FileChange| file.base.text.is_none() && file.after.is_some() && file.conflict.is_none();
            let goes = |file: &FileChange| file.base.text.is_some() && file.after.is_none() && file.conflict.is_none();
            self.files.get(*to).is_some_and(comes) && self.files.get(*from).is_some_and(goes)
        })
    }

    fn is_valid_rename(&self, to: &Path) -> bool {
        self.valid_renames().any(|(name, _)| name == to)
    }

    fn with_other_name(&self, path: &Path) -> Vec<PathBuf> {
        let mut paths = vec![path.to_owned()];
        for (to, from) in self.valid_renames() {
            if to == path {
                paths.push(from.clone());
            } else if from == path {
                paths.push(to.clone());
            }
        }
        paths
    }
}

impl FileChange {
    fn against(&self) -> Option<Against> {
        let text = self.base.text.clone()?;
        Some(Against { text, version: self.base.version, encoding: self.base.encoding })
    }

    fn pieces(&self) -> Vec<lines::Piece> {
        let (old, new) = (self.base.text.as_deref(), self.after.as_deref());
        let count = |text: Option<&str>| text.map_or(0, |text| similar::DiffableStr::tokenize_lines(text).len());
        match (old, new) {
            (Some(old), Some(new)) => lines::pieces(old, new),
            (old, new) => vec![lines::Piece {
                old: 0..old.map_or(0, str::len),
                new: 0..new.map_or(0, str::len),
                old_lines: 0..count(old),
                new_lines: 0..count(new),
            }],
        }
    }

    /// This file's base, with what somebody else changed between this change and the base of the next.
    fn base_with_what_came_between(&self, next: &Base) -> Option<Base> {
        if self.after == next.text {
            return Some(self.base.clone());
        }
        let (Some(base), Some(after), Some(next)) = (&self.base.text, &self.after, &next.text) else { return None };
        let text = merge::merge(after, base, next).ok()?;
        Some(Base { text: Some(text.into()), ..self.base.clone() })
    }
}

fn shown(path: &Path) -> String {
    crate::escape::path(path)
}

#[cfg(test)]
mod tests;
