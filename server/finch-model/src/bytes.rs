//! The bytes of a file, mapped where it is on disk or owned where it was made in memory.
//!
//! The only place that maps. Knows nothing of what the bytes mean; called by the readers of weights.

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

#[derive(Debug)]
pub(crate) enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl Bytes {
    pub(crate) fn map(path: &Path) -> std::io::Result<Bytes> {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        map(&file).map(Bytes::Mapped)
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
    }
}

#[expect(unsafe_code, reason = "mapping a file is the only way to read weights without copying them")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only and only ever seen as plain bytes, every value of which is valid. Another process that
    // cuts the file short while it is mapped makes a later read fault (SIGBUS) and ends finch; it cannot corrupt memory.
    // Model files are written once and renamed into place, so nothing of ours does that.
    unsafe { Mmap::map(file) }
}
