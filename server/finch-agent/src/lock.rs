//! One writer of a file at a time: a lock on a file beside it, which is not replaced as that is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::limits::{LOCK_LOOK, LOCK_WAIT};

/// Why there is no lock. `path` is the file that is locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{}: {source}", path.display())]
    Disk { path: PathBuf, source: io::Error },
    #[error("another finch holds {} for too long", path.display())]
    Held { path: PathBuf },
}

/// Waits for the lock of the file at `path`. It goes with the file that is returned.
///
/// # Errors
/// [`LockError`] if it cannot be made, or another process keeps it.
pub fn take(path: &Path) -> Result<File, LockError> {
    let path = path.with_extension("lock");
    let failed = |source: io::Error| LockError::Disk { path: path.clone(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(failed)?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_WAIT => std::thread::sleep(LOCK_LOOK),
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}
