//! Model files: catalogue, download, GGUF and safetensors readers, quantiser, ONNX writer.

pub mod catalogue;
pub mod chat;
pub mod checkpoint;
pub mod digest;
pub mod fetch;
pub mod gguf;
pub mod home;
pub mod hub;
pub mod import;
pub mod kernels;
pub mod manifest;
pub mod outline;
pub mod ports;
pub mod tiny;
pub mod yardstick;

mod bytes;
mod graph;
mod limits;
mod onnx;
mod quant;
mod tokenizer;

pub use home::Home;
pub use manifest::{InfillStyle, Manifest, ModelId, Quant};
