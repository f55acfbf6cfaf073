//! The arithmetic of a decoder on one processor: block-quantised linears and attention over a key-value cache.
//!
//! Pure functions over slices. They know neither graphs nor files nor threads: work is cut into tasks, and the caller
//! says how tasks run ([`Tasks`]). Whoever has no [`Processor`] computes with ONNX Runtime's own operators instead.

mod processor;
mod shared;
mod tasks;

pub mod attention;
pub mod linear;

#[cfg(target_arch = "x86_64")]
mod lanes;

pub use processor::Processor;
pub use tasks::{InOrder, Tasks};
