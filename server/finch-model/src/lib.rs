//! Model files: catalogue, download, GGUF, quantiser, ONNX writer.

pub mod catalogue;
pub mod chat;
pub mod digest;
pub mod fetch;
pub mod gguf;
pub mod home;
pub mod import;
pub mod manifest;
pub mod tiny;

mod graph;
mod limits;
mod onnx;
mod quant;
mod tokenizer;

pub use home::Home;
pub use manifest::{InfillStyle, Manifest, ModelId, Quant};
