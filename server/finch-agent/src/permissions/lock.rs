//! One writer of `permissions.toml` at a time: a lock on a file beside it, which is not replaced as that is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Instant;

use super::PermissionsError;
use crate::limits::{PERMISSIONS_LOCK_LOOK, PERMISSIONS_LOCK_WAIT};

/// Waits for the lock. It goes with the file.
pub(super) fn take(path: &Path) -> Result<File, PermissionsError> {
    let path = path.with_extension("lock");
    let failed = |source: io::Error| PermissionsError::Write { path: path.clone(), source };
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
            Err(TryLockError::WouldBlock) if began.elapsed() < PERMISSIONS_LOCK_WAIT => {
                std::thread::sleep(PERMISSIONS_LOCK_LOOK);
            }
            Err(TryLockError::WouldBlock) => return Err(PermissionsError::Locked { path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}
