//! The bounds of this crate, with their units.

use std::time::Duration;

/// Records that wait for the disk; then the oldest that nobody would miss goes.
pub(crate) const QUEUE_RECORDS_MAX: usize = 256;
/// Records of what people did are kept beyond that, while a disk does not answer, up to so many.
pub(crate) const QUEUE_ACTS_MAX: usize = 4096;

/// Bytes of one line of a file that are read; a longer line is passed over.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a segment, after which the next one is begun.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Bytes of all segments together.
pub(crate) const JOURNAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Segments at most.
pub(crate) const SEGMENTS_MAX: usize = 2048;
/// Names that are tried for a new segment.
pub(crate) const NAMES_TRIED_MAX: u32 = 1000;
/// Milliseconds after which a segment is old: 180 days.
pub(crate) const SEGMENT_AGE_MS_MAX: u64 = 180 * 24 * 60 * 60 * 1000;
/// Milliseconds after which a lock without its segment is left over: a day.
pub(crate) const LOCK_AGE_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// Bytes of each text in a record: a part of a prompt, what was offered, what was kept, what was typed instead.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a note.
pub const NOTE_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a name in a record: a language, a model, a reason.
pub(crate) const NAME_BYTES_MAX: usize = 256;
/// Bytes of a path in a record.
pub(crate) const PATH_BYTES_MAX: usize = 4 * 1024;

/// The best there is to say of a suggestion.
pub const WEIGHT_MAX: i32 = 1;
/// The worst.
pub const WEIGHT_MIN: i32 = -10;

/// Between two tries to write to a disk that refused.
pub(crate) const RETRY_WAIT: Duration = Duration::from_secs(5);
/// How long the last records may take to be written when the process ends.
pub(crate) const CLOSE_WAIT: Duration = Duration::from_secs(2);
