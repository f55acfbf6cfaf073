//! Model files: catalogue, download, GGUF, quantiser, ONNX writer.

pub mod digest;
pub mod home;
pub mod manifest;

mod limits;
