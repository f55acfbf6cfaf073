//! Model files: catalogue, download, GGUF, quantiser, ONNX writer.

pub mod catalogue;
pub mod digest;
pub mod fetch;
pub mod home;
pub mod manifest;

mod limits;
