//! One safetensors file: which tensors it holds and where.
//!
//! The `safetensors` crate checks that sizes fit shapes and that the tensors fill the file without gaps or overlaps; here
//! the header is bounded before it is parsed, and what a model cannot have is refused. Never reads tensor data. Called by
//! `hub`.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorInfo as Described};

use crate::bytes::Bytes;
use crate::checkpoint::CheckpointError;
use crate::gguf::{Tensor, TensorInfo, TensorKind};
use crate::limits;

/// Bytes in front of the header that say how long it is.
const LENGTH_BYTES: usize = 8;

/// An open file.
#[derive(Debug)]
pub struct Safetensors {
    pub(super) bytes: Bytes,
    /// By their names in the file, sorted.
    pub(super) tensors: Vec<(String, TensorInfo)>,
}

impl Safetensors {
    /// Maps a file and reads its header.
    pub fn open(path: &Path) -> Result<Safetensors, CheckpointError> {
        let file = path.display().to_string();
        match Bytes::map(path) {
            Ok(bytes) => Ok(Self { tensors: read(&file, &bytes)?, bytes }),
            Err(source) => Err(CheckpointError::Open { file, source }),
        }
    }

    /// Reads a file that is already in memory; `name` stands in error messages.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Safetensors, CheckpointError> {
        Ok(Self { tensors: read(name, &bytes)?, bytes: Bytes::Owned(bytes) })
    }

    /// All tensors, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        self.tensors.iter().map(|(name, info)| Tensor::new(name, info, &self.bytes))
    }
}

fn read(file: &str, bytes: &[u8]) -> Result<Vec<(String, TensorInfo)>, CheckpointError> {
    let broken = |what: String| CheckpointError::Broken { file: file.to_owned(), what };
    let header_len = bytes.first_chunk::<LENGTH_BYTES>().map(|length| u64::from_le_bytes(*length));
    match header_len {
        None => return Err(broken("it ends before its header".to_owned())),
        Some(length) if length > limits::SAFETENSORS_HEADER_BYTES_MAX => {
            return Err(broken(format!("a header of {length} bytes")));
        }
        Some(_) => {}
    }
    let (header_len, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| broken(error.to_string()))?;
    let data_start = LENGTH_BYTES + header_len;
    let mut tensors = Vec::new();
    for name in metadata.offset_keys() {
        let Some(described) = metadata.info(&name) else { continue };
        let info = describe(described, data_start, bytes.len());
        let info = info.map_err(|fault| fault.of(&name).in_file(file))?;
        tensors.push((name, info));
    }
    if tensors.len() > limits::GGUF_TENSORS_MAX {
        return Err(broken(format!("{} tensors", tensors.len())));
    }
    tensors.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    Ok(tensors)
}

enum Fault {
    Broken(String),
    Unsupported(String),
}

impl Fault {
    fn of(self, tensor: &str) -> Fault {
        match self {
            Fault::Broken(what) => Fault::Broken(format!("tensor {tensor}: {what}")),
            Fault::Unsupported(what) => Fault::Unsupported(format!("tensor {tensor}: {what}")),
        }
    }

    fn in_file(self, file: &str) -> CheckpointError {
        let file = file.to_owned();
        match self {
            Fault::Broken(what) => CheckpointError::Broken { file, what },
            Fault::Unsupported(what) => CheckpointError::Unsupported { file, what },
        }
    }
}

fn describe(described: &Described, data_start: usize, file_len: usize) -> Result<TensorInfo, Fault> {
    let kind = match described.dtype {
        Dtype::F32 => TensorKind::F32,
        Dtype::F16 => TensorKind::F16,
        Dtype::BF16 => TensorKind::Bf16,
        other => return Err(Fault::Unsupported(format!("numbers of type {other:?}, finch reads F32, F16 and BF16"))),
    };
    // GGUF lists the row length first.
    let dims: Vec<usize> = described.shape.iter().rev().copied().collect();
    if dims.is_empty() || dims.len() > limits::GGUF_DIMENSIONS_MAX as usize || dims.contains(&0) {
        return Err(Fault::Broken(format!("shape {:?}", described.shape)));
    }
    let (begin, end) = described.data_offsets;
    let bounds = begin.checked_add(data_start).zip(end.checked_add(data_start));
    let sizes = bounds.and_then(|(start, end)| {
        let rows = dims[1..].iter().try_fold(1_usize, |rows, dim| rows.checked_mul(*dim))?;
        let row_bytes = dims[0].checked_mul(kind.block_bytes())?;
        let bytes_len = rows.checked_mul(row_bytes)?;
        (end <= file_len && end.checked_sub(start)? == bytes_len).then_some((start, rows, row_bytes, bytes_len))
    });
    match sizes {
        Some((start, rows, row_bytes, bytes_len)) => {
            Ok(TensorInfo { kind, dims, rows, row_bytes, bytes_len, start, offset: 0.0 })
        }
        None => Err(Fault::Broken("its shape does not fit its place in the file".to_owned())),
    }
}
