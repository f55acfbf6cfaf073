//! `trust.toml`: of which workspaces text may go to a cloud, and of which the project's own file is read.
//!
//! A question goes to the nearest folder with an answer, from the workspace upwards, by canonical paths. An answer for a
//! root, for the home folder or for a folder above that is about that folder alone. Whatever cannot be read is no answer,
//! and no answer is no. Answers are written under a lock, so that two editors do not lose each other's.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use finch_agent::lock::{self, LockError};
use finch_llm::router::Consent;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::calendar::Moment;
use crate::config::project;
use crate::limits::{TRUST_BAD_MAX, TRUST_BYTES_MAX};
use crate::surroundings::now_ms;

#[cfg(test)]
mod tests;

/// The answers of the user.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    path: PathBuf,
    /// The home folder of the user, canonical.
    user_home: Option<PathBuf>,
}

/// What was answered for one folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Workspace {
    pub(crate) path: PathBuf,
    pub(crate) cloud: Option<Cloud>,
    /// Whether its `.finch/config.toml` is read.
    pub(crate) trusted: Option<bool>,
    /// When, as it stands in the file.
    pub(crate) at: String,
}

/// What may happen with text of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cloud {
    Given,
    Refused,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    #[error("{} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is damaged: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("{} cannot be written: {source}; make room or set its rights right, and answer again", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("another finch holds {} for too long; end it and answer again", path.display())]
    Locked { path: PathBuf },
    #[error("{} is no folder that can be opened: {source}", path.display())]
    NoFolder { path: PathBuf, source: io::Error },
    #[error("the name of {} is not UTF-8, which {} cannot hold; rename the folder", path.display(), file.display())]
    NoText { path: PathBuf, file: PathBuf },
    #[error("{} holds all the answers it can; remove some with `finch consent forget PATH`", path.display())]
    Full { path: PathBuf },
}

impl From<LockError> for TrustError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Disk { path, source } => Self::Write { path, source },
            LockError::Held { path } => Self::Locked { path },
        }
    }
}

impl From<Cloud> for Consent {
    fn from(cloud: Cloud) -> Self {
        match cloud {
            Cloud::Given => Self::Given,
            Cloud::Refused => Self::Refused,
        }
    }
}

impl Cloud {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Refused => "refused",
        }
    }
}

impl Trust {
    /// Answers in the file at `path`, of the user whose home folder is `user_home`.
    pub(crate) fn open(path: PathBuf, user_home: Option<PathBuf>) -> Self {
        let user_home = user_home.map(|home| fs::canonicalize(&home).unwrap_or(home));
        Self { path, user_home }
    }

    /// Whether text of the workspace may go to a cloud. What cannot be read is no answer, with a warning.
    pub(crate) fn consent(&self, workspace: &Path) -> Consent {
        let answers = match self.list() {
            Ok(answers) => answers,
            Err(error) => {
                tracing::warn!(
                    "{error}; no answer in it counts, so nothing goes to a cloud: mend or remove the file, or answer \
                     anew with `finch consent give PATH`"
                );
                return Consent::Unknown;
            }
        };
        let Ok(workspace) = fs::canonicalize(workspace) else { return Consent::Unknown };
        for folder in workspace.ancestors() {
            if folder != workspace && self.is_broad(folder) {
                return Consent::Unknown;
            }
            if let Some(cloud) = answer_for(&answers, folder).cloud {
                return cloud.into();
            }
        }
        Consent::Unknown
    }

    /// Whether the file of a project in the workspace is read. A folder that is a repository of its own is not covered
    /// by the trust in one around it: what was cloned into it may be anybody's.
    pub(crate) fn trusts(&self, workspace: &Path) -> project::Trust {
        let answers = match self.list() {
            Ok(answers) => answers,
            Err(error) => {
                tracing::warn!("{error}; no file of a project is read: mend or remove the file, and give trust anew");
                return project::Trust::Unknown;
            }
        };
        let Ok(workspace) = fs::canonicalize(workspace) else { return project::Trust::Unknown };
        for folder in workspace.ancestors() {
            if folder != workspace && self.is_broad(folder) {
                break;
            }
            match answer_for(&answers, folder).trusted {
                Some(true) => return project::Trust::Trusted,
                Some(false) => break,
                None if folder.join(".git").symlink_metadata().is_ok() => break,
                None => {}
            }
        }
        project::Trust::Unknown
    }

    /// Records an answer in the place of an earlier one; [`Consent::Unknown`] takes that back.
    pub(crate) fn answer(&self, workspace: &Path, consent: Consent) -> Result<(), TrustError> {
        let cloud = match consent {
            Consent::Given => Cloud::Given,
            Consent::Refused => Cloud::Refused,
            Consent::Unknown => return self.forget(workspace).map(|_| ()),
        };
        self.record(workspace, |answer| answer.cloud = Some(cloud))
    }

    /// Records that the file of a project in the workspace is read.
    pub(crate) fn give(&self, workspace: &Path) -> Result<(), TrustError> {
        self.record(workspace, |answer| answer.trusted = Some(true))
    }

    fn record(&self, workspace: &Path, change: impl FnOnce(&mut Workspace)) -> Result<(), TrustError> {
        let folder = fs::canonicalize(workspace)
            .and_then(|folder| if folder.is_dir() { Ok(folder) } else { Err(io::ErrorKind::NotADirectory.into()) })
            .map_err(|source| TrustError::NoFolder { path: workspace.to_owned(), source })?;
        let Some(name) = folder.to_str() else {
            return Err(TrustError::NoText { path: folder, file: self.path.clone() });
        };
        let _lock = lock::take(&self.path)?;
        let mut document = self.mended()?;
        let mut answer = answer_for(&self.answers(&document)?, &folder);
        change(&mut answer);
        remove(&mut document, &folder);
        push(&mut document, name, &answer);
        self.save(&document)
    }

    /// All answers, in the order of the file.
    pub(crate) fn list(&self) -> Result<Vec<Workspace>, TrustError> {
        self.answers(&self.document()?)
    }

    /// Takes consent or refusal back, also for a folder that is gone; says whether there was one.
    pub(crate) fn forget(&self, workspace: &Path) -> Result<bool, TrustError> {
        self.take_back(workspace, |answer| answer.cloud.take().is_some())
    }

    /// Takes trust back, also from a folder that is gone; says whether there was some.
    pub(crate) fn distrust(&self, workspace: &Path) -> Result<bool, TrustError> {
        self.take_back(workspace, |answer| answer.trusted.take().is_some())
    }

    fn take_back(&self, workspace: &Path, take: impl FnOnce(&mut Workspace) -> bool) -> Result<bool, TrustError> {
        let folder = fs::canonicalize(workspace).or_else(|_| std::path::absolute(workspace));
        let folder = folder.map_err(|source| TrustError::NoFolder { path: workspace.to_owned(), source })?;
        let _lock = lock::take(&self.path)?;
        let mut document = self.mended()?;
        let mut answer = answer_for(&self.answers(&document)?, &folder);
        let is_there = take(&mut answer);
        if is_there {
            remove(&mut document, &folder);
            if let Some(name) = folder.to_str().filter(|_| answer.cloud.is_some() || answer.trusted.is_some()) {
                push(&mut document, name, &answer);
            }
            self.save(&document)?;
        }
        Ok(is_there)
    }

    /// An answer for this folder says nothing of those in it.
    pub(crate) fn is_broad(&self, folder: &Path) -> bool {
        folder.parent().is_none() || self.user_home.as_ref().is_some_and(|home| home.starts_with(folder))
    }

    fn answers(&self, document: &DocumentMut) -> Result<Vec<Workspace>, TrustError> {
        let damaged = |reason: &str| TrustError::Damaged { path: self.path.clone(), reason: reason.to_owned() };
        let Some(workspaces) = document.get("workspaces") else { return Ok(Vec::new()) };
        let workspaces = workspaces.as_array_of_tables().ok_or_else(|| damaged("`workspaces` is no list of tables"))?;
        let mut answers = Vec::new();
        for entry in workspaces {
            let text = |key| entry.get(key).and_then(Item::as_str);
            let path = text("path").ok_or_else(|| damaged("an answer has no `path`"))?;
            let cloud = match text("cloud") {
                Some("given") => Some(Cloud::Given),
                Some("refused") => Some(Cloud::Refused),
                None if entry.get("cloud").is_none() => None,
                _ => return Err(damaged(&format!("`cloud` of {path} is neither \"given\" nor \"refused\""))),
            };
            let trusted = match entry.get("trusted").map(Item::as_bool) {
                Some(Some(trusted)) => Some(trusted),
                None => None,
                Some(None) => return Err(damaged(&format!("`trusted` of {path} is neither true nor false"))),
            };
            let at = entry.get("at").map(|at| at.to_string().trim().to_owned()).unwrap_or_default();
            answers.push(Workspace { path: path.into(), cloud, trusted, at });
        }
        Ok(answers)
    }

    fn document(&self) -> Result<DocumentMut, TrustError> {
        let path = || self.path.clone();
        let damaged = |reason: String| TrustError::Damaged { path: path(), reason };
        let file = match fs::File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(DocumentMut::new()),
            Err(source) => return Err(TrustError::Read { path: path(), source }),
        };
        let mut bytes = Vec::new();
        let read = file.take(TRUST_BYTES_MAX + 1).read_to_end(&mut bytes);
        read.map_err(|source| TrustError::Read { path: path(), source })?;
        if bytes.len() as u64 > TRUST_BYTES_MAX {
            return Err(damaged(format!("it has more than {TRUST_BYTES_MAX} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|_| damaged("it is not UTF-8 text".to_owned()))?;
        text.parse().map_err(|error: toml_edit::TomlError| damaged(error.to_string().trim_end().replace('\n', " ")))
    }

    /// What is there; if that is damaged, it is moved away first.
    fn mended(&self) -> Result<DocumentMut, TrustError> {
        let reason = match self.document().and_then(|document| self.answers(&document).map(|_| document)) {
            Ok(document) => return Ok(document),
            Err(TrustError::Damaged { reason, .. }) => reason,
            Err(error) => return Err(error),
        };
        let aside = self.aside();
        fs::rename(&self.path, &aside).map_err(|source| TrustError::Write { path: self.path.clone(), source })?;
        tracing::warn!(
            "{} was damaged ({reason}); it is {} now, and none of its answers count until you give them anew",
            self.path.display(),
            aside.display()
        );
        Ok(DocumentMut::new())
    }

    /// A name for a damaged file that is not taken yet.
    fn aside(&self) -> PathBuf {
        let named = |ending: &str| self.path.with_extension(format!("toml.{ending}"));
        let numbered = (2..=TRUST_BAD_MAX).map(|number| named(&format!("bad{number}")));
        std::iter::once(named("bad")).chain(numbered).find(|path| !path.exists()).unwrap_or_else(|| named("bad"))
    }

    fn save(&self, document: &DocumentMut) -> Result<(), TrustError> {
        let text = document.to_string();
        if text.len() as u64 > TRUST_BYTES_MAX {
            return Err(TrustError::Full { path: self.path.clone() });
        }
        finch_model::home::write_atomic(&self.path, text.as_bytes())
            .map_err(|source| TrustError::Write { path: self.path.clone(), source })
    }
}

/// What was answered for this very folder. Of two answers, a file that somebody edited may have both, the careful one
/// holds.
fn answer_for(answers: &[Workspace], folder: &Path) -> Workspace {
    let mut found = Workspace { path: folder.to_owned(), ..Workspace::default() };
    for answer in answers.iter().filter(|answer| answer.path == folder) {
        found.cloud = match (found.cloud, answer.cloud) {
            (Some(Cloud::Refused), _) | (_, Some(Cloud::Refused)) => Some(Cloud::Refused),
            (one, other) => one.or(other),
        };
        found.trusted = match (found.trusted, answer.trusted) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (one, other) => one.or(other),
        };
    }
    found
}

/// Removes every answer for the folder.
fn remove(document: &mut DocumentMut, folder: &Path) {
    if let Some(answers) = document.get_mut("workspaces").and_then(Item::as_array_of_tables_mut) {
        answers.retain(|entry| entry.get("path").and_then(Item::as_str).is_none_or(|path| Path::new(path) != folder));
    }
}

/// Writes an answer of now for a folder that has none.
fn push(document: &mut DocumentMut, name: &str, answer: &Workspace) {
    let mut entry = Table::new();
    entry["path"] = value(name);
    if let Some(cloud) = answer.cloud {
        entry["cloud"] = value(cloud.name());
    }
    if let Some(trusted) = answer.trusted {
        entry["trusted"] = value(trusted);
    }
    if let Ok(at) = Moment::of(now_ms()).to_string().parse::<toml_edit::Datetime>() {
        entry["at"] = value(at);
    }
    let answers = document.entry("workspaces").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    if let Some(answers) = answers.as_array_of_tables_mut() {
        answers.push(entry);
    }
}
