//! Puts a GGUF file together in memory: metadata and tensors in the order they are given.
//!
//! A key or tensor that is given twice replaces the first, so a test can take a sound file and spoil one thing. Called by
//! `tiny`, and by tests of what reads such files.

use crate::gguf::TensorKind;

const VERSION: u32 = 3;
const ALIGNMENT: usize = 32;

/// A GGUF file in the making.
#[derive(Clone, Default)]
pub(crate) struct GgufWriter {
    metadata: Vec<(String, Vec<u8>)>,
    tensors: Vec<Tensor>,
}

#[derive(Clone)]
struct Tensor {
    name: String,
    dims: Vec<usize>,
    kind: TensorKind,
    data: Vec<u8>,
}

impl GgufWriter {
    pub(crate) fn text(&mut self, key: &str, text: &str) {
        self.put(key, 8, sized(text));
    }

    pub(crate) fn integer(&mut self, key: &str, number: u32) {
        self.put(key, 4, number.to_le_bytes().to_vec());
    }

    pub(crate) fn float(&mut self, key: &str, number: f32) {
        self.put(key, 6, number.to_le_bytes().to_vec());
    }

    pub(crate) fn texts(&mut self, key: &str, texts: &[String]) {
        let elements = texts.iter().flat_map(|text| sized(text)).collect();
        self.array(key, 8, texts.len(), elements);
    }

    pub(crate) fn integers(&mut self, key: &str, numbers: &[i32]) {
        let elements = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.array(key, 5, numbers.len(), elements);
    }

    pub(crate) fn floats(&mut self, key: &str, numbers: &[f32]) {
        let elements = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.array(key, 6, numbers.len(), elements);
    }

    fn array(&mut self, key: &str, element: u32, len: usize, elements: Vec<u8>) {
        let mut value = element.to_le_bytes().to_vec();
        value.extend((len as u64).to_le_bytes());
        value.extend(elements);
        self.put(key, 9, value);
    }

    /// Adds a value in the format's own encoding.
    pub(crate) fn put(&mut self, key: &str, kind: u32, encoded: Vec<u8>) {
        self.metadata.retain(|(known, _)| known != key);
        let mut value = kind.to_le_bytes().to_vec();
        value.extend(encoded);
        self.metadata.push((key.to_owned(), value));
    }

    pub(crate) fn tensor(&mut self, name: &str, dims: &[usize], kind: TensorKind, data: Vec<u8>) {
        self.tensors.retain(|tensor| tensor.name != name);
        self.tensors.push(Tensor { name: name.to_owned(), dims: dims.to_vec(), kind, data });
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            bytes.extend(sized(key));
            bytes.extend(value);
        }
        let mut data = Vec::new();
        for tensor in &self.tensors {
            bytes.extend(sized(&tensor.name));
            // Four dimensions at most, so the count is exact.
            bytes.extend((tensor.dims.len() as u32).to_le_bytes());
            bytes.extend(tensor.dims.iter().flat_map(|dim| (*dim as u64).to_le_bytes()));
            bytes.extend(tensor.kind.number().to_le_bytes());
            bytes.extend((data.len() as u64).to_le_bytes());
            data.extend(&tensor.data);
            data.resize(data.len().next_multiple_of(ALIGNMENT), 0);
        }
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes.extend(data);
        bytes
    }
}

/// A text behind its length.
fn sized(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}
