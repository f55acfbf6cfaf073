//! The bounds of this crate, with their units.

/// Chunks that wait for a slow reader before the producer pauses.
pub const CHUNKS_MAX: usize = 64;
