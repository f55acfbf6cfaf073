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

impl Bytes {
    /// Lets go of the memory behind a part of these bytes; whoever looks at it again reads the file again. Pages of a map
    /// count as memory of the process for as long as it has looked at them.
    pub(crate) fn release(&self, part: &[u8]) {
        let Bytes::Mapped(map) = self else { return };
        let offset = part.as_ptr().addr().checked_sub(map.as_ptr().addr());
        let inside = offset.filter(|offset| offset.checked_add(part.len()).is_some_and(|end| end <= map.len()));
        if let Some(offset) = inside
            && let Err(error) = release(map, offset, part.len())
        {
            tracing::debug!("mapped memory stays: {error}");
        }
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

#[cfg(unix)]
#[expect(unsafe_code, reason = "the advice that gives memory back is only harmless on maps that nobody writes to")]
fn release(map: &Mmap, offset: usize, len: usize) -> std::io::Result<()> {
    // SAFETY: the map is read-only and shows a file, so the pages that are let go of come back with the same bytes.
    unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, offset, len) }
}

/// Elsewhere the system takes back what it needs.
#[cfg(not(unix))]
fn release(_map: &Mmap, _offset: usize, _len: usize) -> std::io::Result<()> {
    Ok(())
}

#[expect(unsafe_code, reason = "mapping a file is the only way to read weights without copying them")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only and only ever seen as plain bytes, every value of which is valid. Another process that
    // cuts the file short while it is mapped makes a later read fault (SIGBUS) and ends finch; it cannot corrupt memory.
    // Model files are written once and renamed into place, so nothing of ours does that.
    unsafe { Mmap::map(file) }
}
