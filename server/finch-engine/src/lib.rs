//! The local provider: one ONNX Runtime session on one thread.
//!
//! In reading order: find and load ONNX Runtime, load a model directory, ask it through `finch_llm::Provider`,
//! measure it. Nothing else in finch knows ONNX Runtime.

pub mod device;
mod error;
pub mod estimate;
pub mod kl;
mod limits;
pub mod machine;
pub mod meter;
pub mod parting;
pub mod probe;
pub mod runtime;
pub mod trial;

mod cache;
mod chat;
mod decoder;
mod engine;
mod graph;
mod keep;
mod lanes;
mod memory;
mod network;
mod operators;
mod pace;
mod prompt;
mod sampler;
mod sequence;
mod session;
mod speculation;
mod structure;
mod task;
mod threads;
mod vocabulary;
mod watch;
mod worker;
mod writer;

#[cfg(test)]
mod testing;

pub use engine::{Engine, EngineOptions, Kernels, Speculation};
pub use error::EngineError;
pub use runtime::{Runtime, RuntimeError, RuntimeLibrary};
pub use threads::go_first;
