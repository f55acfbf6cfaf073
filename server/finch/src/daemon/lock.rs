//! Locks of a FINCH_HOME: who holds one is alone, and the system lets go of it when a process dies, however it dies.
//!
//! A file says nothing by being there, and no number of a process is looked at. Called by the daemon, which holds
//! [`LIFE`] as long as it lives, and by those who start one, who hold [`STARTING`] one after the other.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use finch_http::endpoint::{FOLDER, LOCK_FILE};

/// Held by the daemon, for life.
pub(crate) const LIFE: &str = LOCK_FILE;
/// Held by a process that starts or replaces the daemon.
pub(super) const STARTING: &str = "starting";

/// Held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes a lock; none if another process has it.
    pub(crate) fn take(home: &Path, name: &str) -> Result<Option<Self>> {
        let folder = folder(home)?;
        let path = folder.join(name);
        let file = open(&path).with_context(|| format!("opening {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file, path })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
        }
    }

    /// Whether whoever asks for this lock now asks for the same one: the file may have been removed or replaced.
    pub(crate) fn stands(&self) -> bool {
        match (self.file.metadata(), std::fs::metadata(&self.path)) {
            (Ok(held), Ok(there)) => is_same(&held, &there),
            (_, Err(error)) => error.kind() != io::ErrorKind::NotFound,
            (Err(_), Ok(_)) => true,
        }
    }
}

/// Whether nobody has the lock. Holds it for an instant.
pub(crate) fn is_free(home: &Path, name: &str) -> Result<bool> {
    Ok(Lock::take(home, name)?.is_some())
}

/// Whether somebody has the lock. Makes nothing, so that who only wants to tell leaves no file behind.
pub(crate) fn is_held(home: &Path, name: &str) -> Result<bool> {
    let path = home.join(FOLDER).join(name);
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened.with_context(|| format!("opening {}", path.display()))?,
    };
    // Shared, so that those who look are not taken for one who has it.
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

/// The folder of the daemon's files, which is the user's alone.
pub(super) fn folder(home: &Path) -> Result<PathBuf> {
    let folder = home.join(FOLDER);
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
    Ok(folder)
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn is_same(one: &std::fs::Metadata, other: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// A file that is open cannot be removed here.
#[cfg(not(unix))]
fn is_same(_one: &std::fs::Metadata, _other: &std::fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::{LIFE, Lock, STARTING, is_free, is_held};

    #[test]
    fn one_holds_a_lock_and_a_file_that_is_left_holds_nothing() {
        let home = tempfile::tempdir().unwrap();
        let lock = Lock::take(home.path(), LIFE).unwrap().unwrap();
        assert!(Lock::take(home.path(), LIFE).unwrap().is_none());
        assert!(!is_free(home.path(), LIFE).unwrap() && is_free(home.path(), STARTING).unwrap());
        drop(lock);
        assert!(home.path().join("daemon").join(LIFE).is_file(), "the file stays");
        assert!(is_free(home.path(), LIFE).unwrap());
    }

    #[test]
    fn who_looks_whether_a_lock_is_held_makes_nothing() {
        let home = tempfile::tempdir().unwrap();
        assert!(!is_held(home.path(), LIFE).unwrap() && !home.path().join("daemon").exists());
        let lock = Lock::take(home.path(), LIFE).unwrap().unwrap();
        assert!(is_held(home.path(), LIFE).unwrap() && !is_held(home.path(), STARTING).unwrap());
        drop(lock);
        assert!(!is_held(home.path(), LIFE).unwrap());
    }

    #[test]
    #[cfg(unix)]
    fn a_lock_whose_file_is_gone_is_worth_nothing() {
        let home = tempfile::tempdir().unwrap();
        let lock = Lock::take(home.path(), LIFE).unwrap().unwrap();
        assert!(lock.stands());
        std::fs::remove_file(home.path().join("daemon").join(LIFE)).unwrap();
        assert!(!lock.stands());
        let other = Lock::take(home.path(), LIFE).unwrap().unwrap();
        assert!(!lock.stands() && other.stands());
    }
}
