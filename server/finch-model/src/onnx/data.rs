//! The file of external data: initialisers one after the other, aligned so that a runtime can map them in place.
//!
//! Knows bytes and offsets only. The importer streams into it and keeps the extents.

use std::io::{self, Write};

use half::f16;

/// Small initialisers begin on a cache line.
const ALIGNMENT_SMALL: u64 = 64;
/// Large ones begin on a page, so that each can be mapped and dropped on its own.
const ALIGNMENT_LARGE: u64 = 4096;
const LARGE_BYTES: u64 = 64 * 1024;

/// A stretch of the data file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// Appends initialisers to a writer.
#[derive(Debug)]
pub(crate) struct DataWriter<W> {
    out: W,
    at: u64,
}

impl<W: Write> DataWriter<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, at: 0 }
    }

    /// Pads to where an initialiser of `len` bytes may begin; exactly that many must be written next.
    pub(crate) fn begin(&mut self, len: u64) -> io::Result<Extent> {
        let alignment = if len >= LARGE_BYTES { ALIGNMENT_LARGE } else { ALIGNMENT_SMALL };
        let offset = self.at.next_multiple_of(alignment);
        io::copy(&mut io::Read::take(io::repeat(0), offset - self.at), &mut self.out)?;
        self.at = offset;
        Ok(Extent { offset, len })
    }

    /// Passes over an initialiser that an earlier writer has written.
    pub(crate) fn pass(&mut self, len: u64) -> Extent {
        let alignment = if len >= LARGE_BYTES { ALIGNMENT_LARGE } else { ALIGNMENT_SMALL };
        let offset = self.at.next_multiple_of(alignment);
        self.at = offset + len;
        Extent { offset, len }
    }

    /// Where the next byte goes.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Writes floats as the format stores them.
    pub(crate) fn write_floats(&mut self, floats: &[f32]) -> io::Result<()> {
        let mut bytes = [0; 4096];
        for floats in floats.chunks(bytes.len() / 4) {
            for (bytes, float) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(floats) {
                *bytes = float.to_le_bytes();
            }
            self.write(&bytes[..floats.len() * 4])?;
        }
        Ok(())
    }

    /// Writes 16-bit floats; what is beyond their range becomes their largest.
    pub(crate) fn write_halves(&mut self, floats: &[f32]) -> io::Result<()> {
        let (least, most) = (f16::MIN.to_f32(), f16::MAX.to_f32());
        let mut bytes = [0; 4096];
        for floats in floats.chunks(bytes.len() / 2) {
            for (bytes, float) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(floats) {
                *bytes = f16::from_f32(float.clamp(least, most)).to_le_bytes();
            }
            self.write(&bytes[..floats.len() * 2])?;
        }
        Ok(())
    }

    /// Everything written so far, flushed.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
