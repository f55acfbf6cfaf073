//! The hidden directory a model is built in, and its renaming to the model's name.
//!
//! Invariant: whoever holds the lock file of a models directory is its only importer, so every part directory it finds
//! there belongs to an importer that died: the one of the same recipe is continued, all others are removed. Called by
//! `import`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::ImportError;
use crate::digest::Digest;
use crate::home;
use crate::manifest::ModelId;

const LOCK_FILE: &str = ".import.lock";
const PART: &str = ".part-";

/// The right to build in a models directory.
#[derive(Debug)]
pub(super) struct Claim {
    models: PathBuf,
    /// Held open for its lock; the system lets go of it however this process ends.
    lock: File,
}

impl Claim {
    pub(super) fn of(models: &Path) -> Result<Claim, ImportError> {
        fs::create_dir_all(models).map_err(ImportError::at(models))?;
        Ok(Claim { models: models.to_owned(), lock: lock(models)? })
    }

    /// The part directory of this recipe, as an interrupted import of the same left it; all others are removed.
    pub(super) fn begin(self, id: &ModelId, recipe: Digest) -> Result<Staging, ImportError> {
        let name = format!(".{id}{PART}{}", &recipe.to_string()[..16]);
        remove_parts(&self.models, Some(&name))?;
        let (part, target) = (self.models.join(name), self.models.join(id));
        fs::create_dir_all(&part).map_err(ImportError::at(&part))?;
        Ok(Staging { models: self.models, part, target, end: End::Remove, _lock: self.lock })
    }
}

/// A part directory; removed again unless it is published or kept.
#[derive(Debug)]
pub(super) struct Staging {
    models: PathBuf,
    part: PathBuf,
    target: PathBuf,
    end: End,
    _lock: File,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Remove,
    Keep,
}

impl Staging {
    /// Leaves the part for the next import of the same.
    pub(super) fn keep(mut self) {
        self.end = End::Keep;
    }

    pub(super) fn dir(&self) -> &Path {
        &self.part
    }

    /// Gives the model its name, in place of one that has it already.
    pub(super) fn publish(self) -> Result<PathBuf, ImportError> {
        home::sync_dir(&self.part).map_err(ImportError::at(&self.part))?;
        // A directory cannot be renamed onto one that has files. The old one becomes a part that nobody claims.
        let mut replaced = self.part.clone().into_os_string();
        replaced.push("-replaced");
        let had_one = match fs::rename(&self.target, &replaced) {
            Ok(()) => true,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(ImportError::at(&self.target)(error)),
        };
        if let Err(error) = home::rename_durably(&self.part, &self.target) {
            if had_one {
                fs::rename(&replaced, &self.target).map_err(ImportError::at(&self.target))?;
            }
            return Err(ImportError::at(&self.target)(error));
        }
        remove_parts(&self.models, None)?;
        Ok(self.target.clone())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.end == End::Keep {
            return;
        }
        match fs::remove_dir_all(&self.part) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(part = %self.part.display(), %error, "a part of an import stays behind"),
        }
    }
}

fn lock(models: &Path) -> Result<File, ImportError> {
    let path = models.join(LOCK_FILE);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(ImportError::at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ImportError::Busy { models: models.to_owned() }),
        Err(TryLockError::Error(error)) => Err(ImportError::at(&path)(error)),
    }
}

fn remove_parts(models: &Path, but: Option<&str>) -> Result<(), ImportError> {
    for entry in fs::read_dir(models).map_err(ImportError::at(models))? {
        let entry = entry.map_err(ImportError::at(models))?;
        let name = entry.file_name();
        if but.is_some_and(|but| name == *but) {
            continue;
        }
        if name.to_string_lossy().starts_with('.') && name.to_string_lossy().contains(PART) {
            let path = entry.path();
            fs::remove_dir_all(&path).map_err(ImportError::at(&path))?;
        }
    }
    Ok(())
}
