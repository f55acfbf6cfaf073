//! Whether a shared library is whole, before the system maps it.
//!
//! Mapping a truncated ELF file ends the process with SIGBUS instead of an error. So on systems that use ELF the
//! tables in the header are compared with the length of the file first; elsewhere the system's loader decides.

use std::{fs::File, io::Read, path::Path};

/// What is wrong with a library file.
#[derive(Debug, thiserror::Error)]
pub(super) enum Damage {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("it is no shared library")]
    NoLibrary,
    #[error("it is cut short: {bytes} bytes where its header speaks of {expected}")]
    CutShort { bytes: u64, expected: u64 },
}

const HEADER_BYTES: usize = 64;
const PROGRAM_HEADER_BYTES: usize = 56;

/// Refuses a 64-bit little-endian ELF file that is shorter than its header says.
pub(super) fn check(path: &Path) -> Result<(), Damage> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    if !cfg!(any(target_os = "linux", target_os = "android", target_os = "freebsd")) {
        return Ok(());
    }
    let mut header = [0; HEADER_BYTES];
    file.read_exact(&mut header).map_err(|_| Damage::NoLibrary)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Err(Damage::NoLibrary);
    }
    // The section table stands at the very end of what a linker writes.
    let sections_end = end(number(&header, 0x28, 8), number(&header, 0x3a, 2) * number(&header, 0x3c, 2));
    let mut expected = sections_end;
    let program_headers = number(&header, 0x38, 2);
    if number(&header, 0x20, 8) == HEADER_BYTES as u64 && number(&header, 0x36, 2) == PROGRAM_HEADER_BYTES as u64 {
        for _ in 0..program_headers {
            let mut entry = [0; PROGRAM_HEADER_BYTES];
            file.read_exact(&mut entry).map_err(|_| Damage::NoLibrary)?;
            expected = expected.max(end(number(&entry, 0x08, 8), number(&entry, 0x20, 8)));
        }
    }
    if bytes < expected { Err(Damage::CutShort { bytes, expected }) } else { Ok(()) }
}

fn end(offset: u64, length: u64) -> u64 {
    offset.saturating_add(length)
}

/// A little-endian number of up to eight bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
