//! What the tests of this crate share: ONNX Runtime, found as it is in production.
