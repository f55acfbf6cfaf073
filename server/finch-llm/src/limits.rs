//! The bounds of this crate, with their units.

/// Chunks that wait for a slow reader before the producer pauses.
pub const CHUNKS_MAX: usize = 64;

/// A line of a stream, or an event of several lines. Real ones stay a thousand times below it.
pub const SSE_EVENT_BYTES_MAX: usize = 10 * 1024 * 1024;
