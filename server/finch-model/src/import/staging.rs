//! The hidden directory a model is built in, and its renaming to the model's name.
//!
//! Invariant: whoever holds the lock file of a models directory is its only importer, so every part directory it finds
//! there belongs to an importer that died, and is removed. Called by `import`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::ImportError;
use crate::home;
use crate::manifest::ModelId;

const LOCK_FILE: &str = ".import.lock";
const PART: &str = ".part-";

/// A part directory; removed again unless it is published.
#[derive(Debug)]
pub(super) struct Staging {
    models: PathBuf,
    part: PathBuf,
    target: PathBuf,
    /// Held open for its lock; the system lets go of it however this process ends.
    _lock: File,
}

impl Staging {
    pub(super) fn begin(models: &Path, id: &ModelId) -> Result<Staging, ImportError> {
        fs::create_dir_all(models).map_err(ImportError::at(models))?;
        let lock = lock(models)?;
        remove_parts(models)?;
        let part = models.join(format!(".{id}{PART}{}", std::process::id()));
        fs::create_dir(&part).map_err(ImportError::at(&part))?;
        Ok(Staging { models: models.to_owned(), part, target: models.join(id), _lock: lock })
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
        remove_parts(&self.models)?;
        Ok(self.target.clone())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
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

fn remove_parts(models: &Path) -> Result<(), ImportError> {
    for entry in fs::read_dir(models).map_err(ImportError::at(models))? {
        let entry = entry.map_err(ImportError::at(models))?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('.') && name.to_string_lossy().contains(PART) {
            let path = entry.path();
            fs::remove_dir_all(&path).map_err(ImportError::at(&path))?;
        }
    }
    Ok(())
}
