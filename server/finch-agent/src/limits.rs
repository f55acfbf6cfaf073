//! The bounds of this crate, with their units.

// Files.

/// Bytes of a file that is read or made.
pub(crate) const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Bytes of a path, as systems have it.
pub(crate) const PATH_BYTES_MAX: usize = 4096;
