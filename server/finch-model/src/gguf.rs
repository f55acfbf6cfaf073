//! Reads GGUF files: metadata by key, tensors by name, rows of a tensor as `f32`.
//!
//! The file is foreign bytes: every count, length, offset and product is checked against the file before it is used, so a
//! damaged or hostile file ends in a [`GgufError`] that names the file and the thing. It never knows what a model is; the
//! graph and the importer ask it by key and name. Called by `graph`, `tokenizer` and `import`.

mod blocks;
mod cursor;
mod header;
mod tensor;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

pub(crate) use self::blocks::Unpacked;
use self::cursor::{Cursor, Fault};
use self::header::Value;
pub use self::tensor::{Tensor, TensorKind};

/// Why a GGUF file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// The file could not be opened or mapped: look at the path and its permissions.
    #[error("cannot open {file}: {source}")]
    Open {
        /// The file as it was asked for.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes contradict themselves: fetch the file again.
    #[error("{file} is damaged or not a GGUF file: {what}")]
    Broken {
        /// The file as it was asked for.
        file: String,
        /// The thing that is wrong.
        what: String,
    },
    /// The file is sound but holds something finch does not read: take another file.
    #[error("{file} cannot be used: {what}")]
    Unsupported {
        /// The file as it was asked for.
        file: String,
        /// The thing that is not supported.
        what: String,
    },
}

/// An open GGUF file.
#[derive(Debug)]
pub struct Gguf {
    file: String,
    bytes: Bytes,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, tensor::TensorInfo>,
}

#[derive(Debug)]
enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
    }
}

impl Gguf {
    /// Maps a file and reads its header; tensor data is only touched when rows are asked for.
    pub fn open(path: &Path) -> Result<Gguf, GgufError> {
        let file = path.display().to_string();
        match map(path) {
            Ok(map) => Self::parse(file, Bytes::Mapped(map)),
            Err(source) => Err(GgufError::Open { file, source }),
        }
    }

    /// Reads a GGUF file that is already in memory; `name` stands in error messages.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Gguf, GgufError> {
        Self::parse(name.to_owned(), Bytes::Owned(bytes))
    }

    fn parse(file: String, bytes: Bytes) -> Result<Gguf, GgufError> {
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
    pub fn texts(&self, key: &str) -> Result<Option<Vec<&str>>, GgufError> {
        self.array(key, "texts", Cursor::text_array)
    }

    /// An array of whole numbers; `None` when the key is absent, an error when it holds anything else.
    pub fn numbers(&self, key: &str) -> Result<Option<Vec<i64>>, GgufError> {
        self.array(key, "whole numbers", Cursor::integer_array)
    }

    fn array<'a, T>(
        &'a self,
        key: &str,
        wanted: &str,
        read: fn(&mut Cursor<'a>, u32, usize) -> Result<Vec<T>, Fault>,
    ) -> Result<Option<Vec<T>>, GgufError> {
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
    pub(crate) fn broken(&self, what: String) -> GgufError {
        GgufError::Broken { file: self.file.clone(), what }
    }

    /// An error that names this file and what finch does not read in it.
    pub(crate) fn unsupported(&self, what: String) -> GgufError {
        GgufError::Unsupported { file: self.file.clone(), what }
    }
}

#[expect(unsafe_code, reason = "mapping a file is the only way to read weights without copying them")]
fn map(path: &Path) -> std::io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the map is read-only and only ever seen as plain bytes, every value of which is valid. Another process that
    // cuts the file short while it is mapped makes a later read fault (SIGBUS) and ends finch; it cannot corrupt memory.
    // Model files are written once and renamed into place, so nothing of ours does that.
    unsafe { Mmap::map(&file) }
}
