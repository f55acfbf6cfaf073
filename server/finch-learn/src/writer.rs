//! Appends lines to this process's own segment, and begins the next one when that is full or broken.
//!
//! Invariant: a segment is only appended to while everything in it is whole. After a failure what was written of the
//! last lines is cut off, and the next lines go into a new file.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;

use crate::limits::SEGMENT_BYTES_MAX;
use crate::segment::{self, Claim, Segment};

/// Whether lines must be on the disk, not only with the operating system, before they count as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// They survive the end of this process, however it ends.
    Process,
    /// They survive a power cut.
    Power,
}

pub(crate) struct Writer {
    folder: PathBuf,
    stem: String,
    next: u32,
    open: Option<Open>,
}

struct Open {
    segment: Segment,
    file: File,
    /// Bytes of whole lines.
    bytes: u64,
    /// Its name is durable.
    is_named: bool,
    /// Held as long as the file is.
    _claim: Option<Claim>,
}

impl Writer {
    /// Nothing is made before the first line.
    pub(crate) fn new(folder: PathBuf, stem: String) -> Self {
        Self { folder, stem, next: 0, open: None }
    }

    pub(crate) fn append(&mut self, lines: &[u8], durability: Durability) -> io::Result<()> {
        // The user may have removed the files meanwhile; what is written to a removed file is gone.
        let fits = |open: &Open| open.bytes == 0 || open.bytes + lines.len() as u64 <= SEGMENT_BYTES_MAX;
        let mut open = match self.open.take().filter(|open| fits(open) && open.segment.path.is_file()) {
            Some(open) => open,
            None => self.begin()?,
        };
        match open.append(lines, durability, &self.folder) {
            Ok(()) => {
                self.open = Some(open);
                Ok(())
            }
            Err(error) => {
                open.give_up();
                Err(error)
            }
        }
    }

    fn begin(&mut self) -> io::Result<Open> {
        let (segment, file, claim) = Segment::create(&self.folder, &self.stem, &mut self.next)?;
        Ok(Open { segment, file, bytes: 0, is_named: false, _claim: claim })
    }
}

impl Open {
    fn append(&mut self, lines: &[u8], durability: Durability, folder: &std::path::Path) -> io::Result<()> {
        self.file.write_all(lines)?;
        if durability == Durability::Power {
            self.file.sync_data()?;
            if !self.is_named {
                segment::sync_folder(folder)?;
                self.is_named = true;
            }
        }
        self.bytes += lines.len() as u64;
        Ok(())
    }

    /// Leaves whole lines behind, or no file.
    fn give_up(self) {
        let left =
            if self.bytes == 0 { std::fs::remove_file(&self.segment.path) } else { self.file.set_len(self.bytes) };
        if let Err(error) = left {
            tracing::debug!(%error, "a torn line is left behind");
        }
    }
}
