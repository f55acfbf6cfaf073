//! A file the user has already: it is checked and used where it lies.

use std::path::{Path, PathBuf};

use super::{error::SourceError, slot::blocking};
use crate::{catalogue::PinnedFile, digest::Digest};

/// The path, if its file is the pinned one to the byte.
pub(super) async fn check(path: &Path, pinned: &PinnedFile) -> Result<PathBuf, SourceError> {
    let (path, pinned) = (path.to_owned(), pinned.clone());
    blocking(move || {
        let failed = |reason| SourceError::File { path: path.clone(), reason };
        let offered = std::fs::metadata(&path).map_err(failed)?.len();
        if offered != pinned.bytes {
            return Err(SourceError::WrongSize { offered, expected: pinned.bytes });
        }
        let found = Digest::of_file(&path).map_err(failed)?;
        if found == pinned.sha256 { Ok(path) } else { Err(SourceError::NotTheFile { found, expected: pinned.sha256 }) }
    })
    .await
}
