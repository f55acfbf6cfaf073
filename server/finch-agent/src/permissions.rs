//! `permissions.toml`: the rules that the user wrote or answered, and the workspaces that the user trusts.
//!
//! Everything goes by the canonical path of a workspace and holds for that folder alone, never for one whose name only
//! begins alike. A file that is damaged allows nothing. Writers take turns by a lock, so that two editors do not lose
//! each other's answers, and keep the comments of whoever edits the file by hand.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::limits::{PERMISSIONS_BAD_MAX, PERMISSIONS_BYTES_MAX, STORED_RULES_MAX};
use crate::lock::{self, LockError};
use crate::rules::{Pattern, Rule};
use crate::whole;

mod entry;
#[cfg(test)]
mod tests;

/// The file, read anew each time: another editor may have written it.
#[derive(Debug, Clone)]
pub struct Permissions {
    path: PathBuf,
}

/// One rule in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The workspace it holds in; `None` is every workspace.
    pub workspace: Option<PathBuf>,
    pub rule: Rule,
}

/// How a change was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    Done,
    /// The file was damaged and was moved here first.
    MovedAside(PathBuf),
}

#[derive(Debug, thiserror::Error)]
pub enum PermissionsError {
    #[error("{} cannot be read: {source}; set its rights right", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is damaged, so nothing in it counts: {reason}; mend or remove it", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("{} cannot be written: {source}; make room or set its rights right, and answer again", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("another finch holds {} for too long; end it and answer again", path.display())]
    Locked { path: PathBuf },
    #[error("{} is no folder that can be opened: {source}", path.display())]
    NoFolder { path: PathBuf, source: io::Error },
    #[error("{} cannot be written down, since it is not UTF-8; rename it", path.display())]
    NoText { path: PathBuf },
    #[error("{} holds all the rules it can; revoke some", path.display())]
    Full { path: PathBuf },
}

impl From<LockError> for PermissionsError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Disk { path, source } => Self::Write { path, source },
            LockError::Held { path } => Self::Locked { path },
        }
    }
}

impl Permissions {
    #[must_use]
    pub fn open(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The rules that hold in a workspace.
    ///
    /// # Errors
    /// [`PermissionsError`] if the file cannot be read whole. Then nothing may be allowed: a deny may be lost with it.
    pub fn rules(&self, workspace: &Path) -> Result<Vec<Rule>, PermissionsError> {
        let stored = self.list()?;
        let here = stored.into_iter().filter(|stored| stored.workspace.as_deref().is_none_or(|path| path == workspace));
        Ok(here.map(|stored| stored.rule).collect())
    }

    /// All rules, in the order of the file.
    ///
    /// # Errors
    /// As [`Self::rules`].
    pub fn list(&self) -> Result<Vec<Stored>, PermissionsError> {
        self.stored(&self.document()?)
    }

    /// Adds a rule. One that is there already is not added twice.
    ///
    /// # Errors
    /// [`PermissionsError`] if it is not saved.
    pub fn add(&self, stored: &Stored) -> Result<Saved, PermissionsError> {
        self.change(|document| {
            let there = self.stored(document)?;
            if there.contains(stored) {
                return Ok(());
            }
            if there.len() >= STORED_RULES_MAX {
                return Err(PermissionsError::Full { path: self.path.clone() });
            }
            let table = entry::written(stored).map_err(|path| PermissionsError::NoText { path })?;
            push(document, "rules", table);
            Ok(())
        })
    }

    /// Takes rules with this pattern back; says how many there were.
    ///
    /// # Errors
    /// [`PermissionsError`] if that is not saved.
    pub fn revoke(&self, workspace: Option<&Path>, pattern: &Pattern) -> Result<usize, PermissionsError> {
        let mut revoked = 0;
        self.change(|document| {
            if let Some(rules) = document.get_mut("rules").and_then(Item::as_array_of_tables_mut) {
                let before = rules.len();
                rules.retain(|table| {
                    entry::read(table)
                        .is_ok_and(|stored| stored.workspace.as_deref() != workspace || stored.rule.pattern != *pattern)
                });
                revoked = before - rules.len();
            }
            Ok(())
        })?;
        Ok(revoked)
    }

    /// Whether the user trusts exactly this folder. What cannot be read is no trust.
    #[must_use]
    pub fn is_trusted(&self, workspace: &Path) -> bool {
        let Ok(workspace) = fs::canonicalize(workspace) else { return false };
        match self.document().and_then(|document| self.trusted(&document)) {
            Ok(trusted) => trusted.contains(&workspace),
            Err(error) => {
                tracing::warn!("{error}; no workspace is trusted until then");
                false
            }
        }
    }

    /// Trusts a folder.
    ///
    /// # Errors
    /// [`PermissionsError`] if that is not saved.
    pub fn trust(&self, workspace: &Path) -> Result<Saved, PermissionsError> {
        let no_folder = |source| PermissionsError::NoFolder { path: workspace.to_owned(), source };
        let folder = fs::canonicalize(workspace).map_err(no_folder)?;
        let Some(name) = folder.to_str() else { return Err(PermissionsError::NoText { path: folder }) };
        self.change(|document| {
            if !self.trusted(document)?.contains(&folder) {
                let mut table = Table::new();
                table["path"] = value(name);
                push(document, "trusted", table);
            }
            Ok(())
        })
    }

    /// Takes trust back, also from a folder that is gone.
    ///
    /// # Errors
    /// [`PermissionsError`] if that is not saved.
    pub fn distrust(&self, workspace: &Path) -> Result<Saved, PermissionsError> {
        let no_folder = |source| PermissionsError::NoFolder { path: workspace.to_owned(), source };
        let folder = fs::canonicalize(workspace).or_else(|_| std::path::absolute(workspace)).map_err(no_folder)?;
        self.change(|document| {
            if let Some(trusted) = document.get_mut("trusted").and_then(Item::as_array_of_tables_mut) {
                trusted.retain(|table| {
                    table.get("path").and_then(Item::as_str).is_none_or(|path| Path::new(path) != folder)
                });
            }
            Ok(())
        })
    }

    fn stored(&self, document: &DocumentMut) -> Result<Vec<Stored>, PermissionsError> {
        let tables = self.tables(document, "rules")?;
        tables.map(|table| entry::read(table).map_err(|reason| self.damaged(reason))).collect()
    }

    fn trusted(&self, document: &DocumentMut) -> Result<Vec<PathBuf>, PermissionsError> {
        let tables = self.tables(document, "trusted")?;
        let path = |table: &Table| table.get("path").and_then(Item::as_str).map(PathBuf::from);
        tables.map(|table| path(table).ok_or_else(|| self.damaged("a trusted folder has no `path`"))).collect()
    }

    fn tables<'a>(
        &self,
        document: &'a DocumentMut,
        name: &str,
    ) -> Result<impl Iterator<Item = &'a Table> + use<'a>, PermissionsError> {
        let tables = match document.get(name) {
            None => None,
            Some(item) => {
                Some(item.as_array_of_tables().ok_or_else(|| self.damaged(format!("`{name}` is no list of tables")))?)
            }
        };
        Ok(tables.into_iter().flatten())
    }

    fn damaged(&self, reason: impl Into<String>) -> PermissionsError {
        PermissionsError::Damaged { path: self.path.clone(), reason: reason.into() }
    }

    fn document(&self) -> Result<DocumentMut, PermissionsError> {
        let unread = |source| PermissionsError::Read { path: self.path.clone(), source };
        let file = match fs::File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(DocumentMut::new()),
            Err(source) => return Err(unread(source)),
        };
        if file.metadata().map_err(unread)?.is_dir() {
            return Err(self.damaged("it is a folder"));
        }
        let mut bytes = Vec::new();
        file.take(PERMISSIONS_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unread)?;
        if bytes.len() as u64 > PERMISSIONS_BYTES_MAX {
            return Err(self.damaged(format!("it has more than {PERMISSIONS_BYTES_MAX} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|_| self.damaged("it is not UTF-8 text"))?;
        text.parse()
            .map_err(|error: toml_edit::TomlError| self.damaged(error.to_string().trim_end().replace('\n', " ")))
    }

    /// Changes the file under the lock. A damaged one is moved aside first.
    fn change(
        &self,
        change: impl FnOnce(&mut DocumentMut) -> Result<(), PermissionsError>,
    ) -> Result<Saved, PermissionsError> {
        let _lock = lock::take(&self.path)?;
        let whole = self.document().and_then(|document| {
            self.stored(&document)?;
            self.trusted(&document)?;
            Ok(document)
        });
        let (mut document, saved) = match whole {
            Ok(document) => (document, Saved::Done),
            Err(PermissionsError::Damaged { reason, .. }) => {
                let aside = self.move_aside()?;
                tracing::warn!(
                    "{} was damaged ({reason}); it is {} now, and none of its rules count until you give them anew",
                    self.path.display(),
                    aside.display()
                );
                (DocumentMut::new(), Saved::MovedAside(aside))
            }
            Err(error) => return Err(error),
        };
        change(&mut document)?;
        self.save(&document.to_string())?;
        Ok(saved)
    }

    /// Moves the file to a name that is not taken yet.
    fn move_aside(&self) -> Result<PathBuf, PermissionsError> {
        let named = |ending: &str| self.path.with_extension(format!("toml.{ending}"));
        let numbered = (2..=PERMISSIONS_BAD_MAX).map(|number| named(&format!("bad{number}")));
        let aside = std::iter::once(named("bad")).chain(numbered).find(|path| !path.exists());
        let aside = aside.unwrap_or_else(|| named("bad"));
        fs::rename(&self.path, &aside).map_err(|source| self.unwritten(source))?;
        Ok(aside)
    }

    fn save(&self, text: &str) -> Result<(), PermissionsError> {
        if text.len() as u64 > PERMISSIONS_BYTES_MAX {
            return Err(PermissionsError::Full { path: self.path.clone() });
        }
        whole::write(&self.path, text.as_bytes()).map_err(|source| self.unwritten(source))
    }

    fn unwritten(&self, source: io::Error) -> PermissionsError {
        PermissionsError::Write { path: self.path.clone(), source }
    }
}

fn push(document: &mut DocumentMut, name: &str, table: Table) {
    let tables = document.entry(name).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    if let Some(tables) = tables.as_array_of_tables_mut() {
        tables.push(table);
    }
}
