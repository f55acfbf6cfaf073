//! `trust.toml`: what the user answered when asked whether text of a workspace may go to a cloud.
//!
//! A question goes to the nearest folder with an answer, from the workspace upwards, by canonical paths. An answer for a
//! root, for the home folder or for a folder above that is about that folder alone. Whatever cannot be read is no answer,
//! and no answer is no. Answers are written under a lock, so that two editors do not lose each other's.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use finch_llm::router::Consent;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::calendar::Moment;
use crate::limits::{TRUST_BAD_MAX, TRUST_BYTES_MAX};
use crate::surroundings::now_ms;

mod lock;
#[cfg(test)]
mod tests;

/// The answers of the user.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    path: PathBuf,
    /// The home folder of the user, canonical.
    user_home: Option<PathBuf>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workspace {
    pub(crate) path: PathBuf,
    pub(crate) cloud: Cloud,
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
            let mut here = answers.iter().filter(|answer| answer.path == folder).map(|answer| answer.cloud);
            match here.next() {
                // Of two answers for one folder, a file that somebody edited may have both, the careful one holds.
                Some(Cloud::Given) if here.all(|cloud| cloud == Cloud::Given) => return Consent::Given,
                Some(_) => return Consent::Refused,
                None => {}
            }
        }
        Consent::Unknown
    }

    /// Records an answer in the place of an earlier one; [`Consent::Unknown`] takes that back.
    pub(crate) fn answer(&self, workspace: &Path, consent: Consent) -> Result<(), TrustError> {
        let cloud = match consent {
            Consent::Given => Cloud::Given,
            Consent::Refused => Cloud::Refused,
            Consent::Unknown => return self.forget(workspace).map(|_| ()),
        };
        let folder = fs::canonicalize(workspace)
            .and_then(|folder| if folder.is_dir() { Ok(folder) } else { Err(io::ErrorKind::NotADirectory.into()) })
            .map_err(|source| TrustError::NoFolder { path: workspace.to_owned(), source })?;
        let Some(name) = folder.to_str() else {
            return Err(TrustError::NoText { path: folder, file: self.path.clone() });
        };
        let _lock = lock::take(&self.path)?;
        let mut document = self.mended()?;
        remove(&mut document, &folder);
        let mut entry = Table::new();
        entry["path"] = value(name);
        entry["cloud"] = value(cloud.name());
        if let Ok(at) = Moment::of(now_ms()).to_string().parse::<toml_edit::Datetime>() {
            entry["at"] = value(at);
        }
        let answers = document.entry("workspaces").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        if let Some(answers) = answers.as_array_of_tables_mut() {
            answers.push(entry);
        }
        self.save(&document)
    }

    /// All answers, in the order of the file.
    pub(crate) fn list(&self) -> Result<Vec<Workspace>, TrustError> {
        self.answers(&self.document()?)
    }

    /// Takes an answer back, also one for a folder that is gone; says whether there was one.
    pub(crate) fn forget(&self, workspace: &Path) -> Result<bool, TrustError> {
        let folder = fs::canonicalize(workspace).or_else(|_| std::path::absolute(workspace));
        let folder = folder.map_err(|source| TrustError::NoFolder { path: workspace.to_owned(), source })?;
        let _lock = lock::take(&self.path)?;
        let mut document = self.mended()?;
        let is_there = remove(&mut document, &folder);
        if is_there {
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
                Some("given") => Cloud::Given,
                Some("refused") => Cloud::Refused,
                _ => return Err(damaged(&format!("`cloud` of {path} is neither \"given\" nor \"refused\""))),
            };
            let at = entry.get("at").map(|at| at.to_string().trim().to_owned()).unwrap_or_default();
            answers.push(Workspace { path: path.into(), cloud, at });
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

/// Removes every answer for the folder; says whether there was one.
fn remove(document: &mut DocumentMut, folder: &Path) -> bool {
    let answers = document.get_mut("workspaces").and_then(Item::as_array_of_tables_mut);
    let Some(answers) = answers else { return false };
    let before = answers.len();
    answers.retain(|entry| entry.get("path").and_then(Item::as_str).is_none_or(|path| Path::new(path) != folder));
    answers.len() < before
}
