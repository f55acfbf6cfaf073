//! Paths as they stand in the store: the bytes that the system has them in.

use std::path::{Path, PathBuf};

use super::StoreError;

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere a path may have no bytes")]
pub(super) fn to_bytes(path: &Path) -> Result<Vec<u8>, StoreError> {
    use std::os::unix::ffi::OsStrExt as _;
    Ok(path.as_os_str().as_bytes().to_vec())
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere bytes may be no path")]
pub(super) fn from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    Some(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

#[cfg(not(unix))]
pub(super) fn to_bytes(path: &Path) -> Result<Vec<u8>, StoreError> {
    match path.to_str() {
        Some(text) => Ok(text.as_bytes().to_vec()),
        None => Err(StoreError::NoText { path: path.to_owned() }),
    }
}

#[cfg(not(unix))]
pub(super) fn from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}
