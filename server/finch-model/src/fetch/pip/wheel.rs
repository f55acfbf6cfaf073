//! One file out of a wheel, which is a zip archive from a stranger.
//!
//! Nothing the archive says of itself is believed: the entry must give exactly the bytes the catalogue states, and
//! no name in it is ever used as a path.

use std::{fs::File, io::Read, path::Path};

use zip::ZipArchive;

use crate::{
    fetch::{
        error::{PipError, SourceError, StorageError},
        slot::Part,
    },
    limits,
};

/// Adds `entry` of the wheel at `path` to the part.
pub(super) fn append(path: &Path, entry: &str, bytes: u64, package: &str, part: &mut Part) -> Result<(), SourceError> {
    let bad = |problem: String| PipError::BadWheel { package: package.to_owned(), problem };
    let file = File::open(path).map_err(|source| StorageError::Io { path: path.to_owned(), source })?;
    let mut archive = ZipArchive::new(file).map_err(|error| bad(format!("no wheel: {error}")))?;
    let mut reader = archive.by_name(entry).map_err(|error| bad(format!("{entry}: {error}")))?.take(bytes + 1);
    let mut buffer = vec![0; limits::COPY_BUFFER_BYTES];
    let mut written = 0;
    loop {
        let count = reader.read(&mut buffer).map_err(|error| bad(format!("{entry}: {error}")))?;
        if written + count as u64 > bytes {
            return Err(bad(format!("{entry} has more than its {bytes} bytes")).into());
        }
        if count == 0 {
            break;
        }
        part.write(&buffer[..count])?;
        written += count as u64;
    }
    if written == bytes { Ok(()) } else { Err(bad(format!("{entry} has {written} of its {bytes} bytes")).into()) }
}
