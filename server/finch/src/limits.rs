//! The bounds of this crate, with their units.

use std::time::Duration;

/// How long the first load of a model's files may take.
pub(crate) const TRIAL_TIME: Duration = Duration::from_secs(60);
/// Large models get a second more for so many bytes.
pub(crate) const TRIAL_BYTES_PER_S: u64 = 200 << 20;
/// The address space of that load, whatever the model: what ONNX Runtime, its threads and the vocabulary take.
pub(crate) const TRIAL_SPACE_BYTES: u64 = 4 << 30;
/// And so many times the bytes of the files: mapped, and laid out anew for the processor.
pub(crate) const TRIAL_SPACE_PER_BYTE: u64 = 4;
/// Processor time of that load, as a part of its time; it computes with one thread.
pub(crate) const TRIAL_PROCESSOR_SHARE: u64 = 2;
/// What is read of its answer.
pub(crate) const TRIAL_ANSWER_BYTES: u64 = 16 << 10;

/// How long feedback may take to reach the disk.
pub(crate) const FEEDBACK_WAIT: Duration = Duration::from_secs(5);
