//! The bounds of this crate, with their units.

/// Length of a model id; it is the name of a directory.
pub(crate) const MODEL_ID_BYTES_MAX: usize = 64;

/// A manifest longer than this was not written by finch.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 64 * 1024;

// What a graph may claim of itself. Far above any model that fits a workstation, far below what overflows.
pub(crate) const LAYERS_MAX: usize = 1024;
pub(crate) const HEADS_MAX: usize = 4096;
pub(crate) const HEAD_DIM_MAX: usize = 4096;
pub(crate) const HIDDEN_MAX: usize = 1 << 20;
pub(crate) const VOCAB_MAX: usize = 1 << 24;
pub(crate) const CONTEXT_TOKENS_MAX: usize = 1 << 24;

/// One step of reading, hashing or copying a file.
pub(crate) const COPY_BUFFER_BYTES: usize = 256 * 1024;
