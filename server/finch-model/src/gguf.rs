//! Reads GGUF files: metadata by key, tensors by name, rows of a tensor as `f32`.
//!
//! The file is foreign bytes: every count, length, offset and product is checked against the file before it is used, so a
//! damaged or hostile file ends in a [`CheckpointError`] that names the file and the thing. It never knows what a model is; the
//! graph and the importer ask it by key and name. Called by `graph`, `tokenizer` and `import`.

mod blocks;
mod cursor;
mod header;
mod tensor;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

pub(crate) use self::blocks::Unpacked;
use self::cursor::{Cursor, Fault};
use self::header::Value;
pub(crate) use self::tensor::TensorInfo;
pub use self::tensor::{Tensor, TensorKind};
use crate::bytes::Bytes;
use crate::checkpoint::CheckpointError;

/// An open GGUF file.
#[derive(Debug)]
pub struct Gguf {
    file: String,
    bytes: Bytes,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, tensor::TensorInfo>,
}

impl Gguf {
    /// Maps a file and reads its header; tensor data is only touched when rows are asked for.
    pub fn open(path: &Path) -> Result<Gguf, CheckpointError> {
        let file = path.display().to_string();
        match Bytes::map(path) {
            Ok(bytes) => Self::parse(file, bytes),
            Err(source) => Err(CheckpointError::Open { file, source }),
        }
    }

    /// Reads a GGUF file that is already in memory; `name` stands in error messages.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Gguf, CheckpointError> {
        Self::parse(name.to_owned(), Bytes::Owned(bytes))
    }

    fn parse(file: String, bytes: Bytes) -> Result<Gguf, CheckpointError> {
        match header::read(&bytes) {
            Ok((metadata, tensors)) => Ok(Gguf { file, bytes, metadata, tensors }),
            Err(fault) => Err(fault.in_file(&file)),
        }
    }

    /// The file's name as it was asked for, for messages.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Lets go of the memory behind a part of the file.
    pub(crate) fn release(&self, part: &[u8]) {
        self.bytes.release(part);
    }

    /// A text value, if the key is there and holds text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A whole number that is not negative, whatever width the file stores it in.
    pub fn number(&self, key: &str) -> Option<u64> {
        match self.metadata.get(key) {
            Some(Value::Integer(number)) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A floating-point value.
    pub fn float(&self, key: &str) -> Option<f64> {
        match self.metadata.get(key) {
            Some(Value::Float(number)) => Some(*number),
            _ => None,
        }
    }

    /// A truth value.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.metadata.get(key) {
            Some(Value::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// An array of texts; `None` when the key is absent, an error when it holds anything else.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<&str>>, CheckpointError> {
        self.array(key, "texts", Cursor::text_array)
    }

    /// An array of whole numbers; `None` when the key is absent, an error when it holds anything else.
    pub fn numbers(&self, key: &str) -> Result<Option<Vec<i64>>, CheckpointError> {
        self.array(key, "whole numbers", Cursor::integer_array)
    }

    /// An array of floating-point numbers; `None` when the key is absent, an error when it holds anything else.
    pub fn floats(&self, key: &str) -> Result<Option<Vec<f64>>, CheckpointError> {
        self.array(key, "numbers", Cursor::float_array)
    }

    fn array<'a, T>(
        &'a self,
        key: &str,
        wanted: &str,
        read: fn(&mut Cursor<'a>, u32, usize) -> Result<Vec<T>, Fault>,
    ) -> Result<Option<Vec<T>>, CheckpointError> {
        let (element, count, start) = match self.metadata.get(key) {
            None => return Ok(None),
            Some(Value::Array { element, count, start }) => (*element, *count, *start),
            Some(_) => return Err(self.broken(format!("{key} is not an array of {wanted}"))),
        };
        let mut cursor = Cursor::new(&self.bytes, start);
        read(&mut cursor, element, count)
            .map(Some)
            .map_err(|fault| fault.within(&format!("{key}, an array of {wanted}")).in_file(&self.file))
    }

    /// All keys of the metadata, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.metadata.keys().map(String::as_str)
    }

    /// All tensors, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        self.tensors.iter().map(|(name, info)| Tensor::new(name, info, &self.bytes))
    }

    /// The tensor of that name, if there is one.
    pub fn tensor(&self, name: &str) -> Option<Tensor<'_>> {
        self.tensors.get_key_value(name).map(|(name, info)| Tensor::new(name, info, &self.bytes))
    }

    /// An error that names this file and what is wrong in it.
    pub(crate) fn broken(&self, what: String) -> CheckpointError {
        CheckpointError::Broken { file: self.file.clone(), what }
    }
}
