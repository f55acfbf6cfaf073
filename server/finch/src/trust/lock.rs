//! One writer of `trust.toml` at a time: a lock on a file beside it, which is not replaced as that is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Instant;

use super::TrustError;
use crate::limits::{TRUST_LOCK_LOOK, TRUST_LOCK_WAIT};

/// Waits for the lock. It goes with the file.
pub(super) fn take(path: &Path) -> Result<File, TrustError> {
    let path = path.with_extension("lock");
    let failed = |source: io::Error| TrustError::Write { path: path.clone(), source };
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
            Err(TryLockError::WouldBlock) if began.elapsed() < TRUST_LOCK_WAIT => std::thread::sleep(TRUST_LOCK_LOOK),
            Err(TryLockError::WouldBlock) => return Err(TrustError::Locked { path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
}
