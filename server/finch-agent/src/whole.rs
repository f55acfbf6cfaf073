//! Files of finch's own are written whole or not at all, and for their owner alone.

use std::io::{self, Write as _};
use std::path::Path;

/// Writes a file. A reader sees the old one or the new one, also after a power cut. Blocks for as long as the disk takes.
///
/// # Errors
/// The system's, if it is not written; the old one stays then.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(folder)?;
    // A temporary file is readable by its owner alone.
    let mut temporary = tempfile::Builder::new().prefix(".saving-").tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    // Elsewhere a folder cannot be opened to be synced.
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}
