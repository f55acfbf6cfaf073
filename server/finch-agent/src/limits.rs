//! The bounds of this crate, with their units.

use std::time::Duration;

// Files.

/// Bytes of a file that is read or made.
pub(crate) const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Bytes of a path, as systems have it.
pub(crate) const PATH_BYTES_MAX: usize = 4096;

// What a tool tells the model.

/// Characters of a line before it is cut.
pub(crate) const LINE_CHARS_MAX: usize = 1000;
/// Lines that `Read` gives at once.
pub(crate) const READ_LINES_MAX: usize = 2000;
/// Bytes that `Read` gives at once.
pub(crate) const READ_BYTES_MAX: usize = 64 * 1024;
/// Lines of what stands in the place of a text that was not found.
pub(crate) const MISS_LINES_MAX: usize = 40;
/// Bytes of the same.
pub(crate) const MISS_BYTES_MAX: usize = 8 * 1024;

// Edits.

/// Bytes of a unified diff.
pub(crate) const PATCH_BYTES_MAX: usize = 1024 * 1024;
/// Files of a unified diff.
pub(crate) const PATCH_FILES_MAX: usize = 200;

// Searches.

/// Files that a search looks at.
pub(crate) const SEARCH_FILES_MAX: usize = 500_000;
/// How long a search takes.
pub(crate) const SEARCH_TIME_MAX: Duration = Duration::from_secs(20);
/// Threads of a search.
pub(crate) const SEARCH_THREADS_MAX: usize = 8;
/// Bytes of a pattern.
pub(crate) const PATTERN_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a compiled pattern.
pub(crate) const PATTERN_SIZE_MAX: usize = 10 * 1024 * 1024;
/// Files that `Glob` names.
pub(crate) const GLOB_NAMED_MAX: usize = 1000;
/// Files that it counts.
pub(crate) const GLOB_FOUND_MAX: usize = 100_000;
/// Lines that match a `Grep`.
pub(crate) const GREP_MATCHES_MAX: usize = 200;
/// Bytes that it gives.
pub(crate) const GREP_BYTES_MAX: usize = 64 * 1024;
/// Lines around a match.
pub(crate) const GREP_CONTEXT_MAX: usize = 10;
/// Characters of a line of its result.
pub(crate) const GREP_LINE_CHARS_MAX: usize = 300;
/// Bytes of a line that is searched; a file with a longer one is left out.
pub(crate) const GREP_LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a file that is searched.
pub(crate) const GREP_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
