//! One tensor of a GGUF file: its shape, its storage type, its rows.
//!
//! Rows are read one at a time straight from the mapped file, so a tensor is never held as a whole. Knows nothing of what
//! a tensor is for. Used by the quantiser and the importer.

use super::blocks::{self, Unpacked};

/// How the numbers of a tensor are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorKind {
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// 16-bit floats with the exponent of `f32`.
    Bf16,
    /// 4-bit blocks of 32 around zero.
    Q4_0,
    /// 4-bit blocks of 32 with a minimum.
    Q4_1,
    /// 5-bit blocks of 32 around zero.
    Q5_0,
    /// 5-bit blocks of 32 with a minimum.
    Q5_1,
    /// 8-bit blocks of 32 around zero.
    Q8_0,
    /// 2-bit superblocks of 256 with scales and minima for every 16.
    Q2K,
    /// 3-bit superblocks of 256 around zero with a scale for every 16.
    Q3K,
    /// 4-bit superblocks of 256 with scales and minima for every 32.
    Q4K,
    /// 5-bit superblocks of 256 with scales and minima for every 32.
    Q5K,
    /// 6-bit superblocks of 256 around zero with a scale for every 16.
    Q6K,
}

impl TensorKind {
    pub(super) const NAMES: &str = "F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 and Q2_K to Q6_K";

    /// Every kind and its number in the format.
    const NUMBERS: [(u32, TensorKind); 13] = [
        (0, TensorKind::F32),
        (1, TensorKind::F16),
        (2, TensorKind::Q4_0),
        (3, TensorKind::Q4_1),
        (6, TensorKind::Q5_0),
        (7, TensorKind::Q5_1),
        (8, TensorKind::Q8_0),
        (10, TensorKind::Q2K),
        (11, TensorKind::Q3K),
        (12, TensorKind::Q4K),
        (13, TensorKind::Q5K),
        (14, TensorKind::Q6K),
        (30, TensorKind::Bf16),
    ];

    /// The kind behind a type number of the format.
    pub fn from_number(number: u32) -> Option<TensorKind> {
        Self::NUMBERS.iter().find(|(known, _)| *known == number).map(|(_, kind)| *kind)
    }

    /// Its type number in the format.
    pub(crate) fn number(self) -> u32 {
        Self::NUMBERS.iter().find(|(_, kind)| *kind == self).map_or(u32::MAX, |(number, _)| *number)
    }

    /// Numbers in one block.
    pub fn block_len(self) -> usize {
        match self {
            TensorKind::F32 | TensorKind::F16 | TensorKind::Bf16 => 1,
            TensorKind::Q4_0 | TensorKind::Q4_1 | TensorKind::Q5_0 | TensorKind::Q5_1 | TensorKind::Q8_0 => 32,
            TensorKind::Q2K | TensorKind::Q3K | TensorKind::Q4K | TensorKind::Q5K | TensorKind::Q6K => 256,
        }
    }

    /// Bytes of one block.
    pub fn block_bytes(self) -> usize {
        match self {
            TensorKind::F32 => 4,
            TensorKind::F16 | TensorKind::Bf16 => 2,
            TensorKind::Q4_0 => 18,
            TensorKind::Q4_1 => 20,
            TensorKind::Q5_0 => 22,
            TensorKind::Q5_1 => 24,
            TensorKind::Q8_0 => 34,
            TensorKind::Q2K => 84,
            TensorKind::Q3K => 110,
            TensorKind::Q4K => 144,
            TensorKind::Q5K => 176,
            TensorKind::Q6K => 210,
        }
    }

    /// How many numbers share one scale, for kinds whose numbers are a whole code times a scale and nothing else.
    /// Exactly these can be carried over into other symmetric blocks without loss.
    pub(crate) fn symmetric_group(self) -> Option<usize> {
        match self {
            TensorKind::Q4_0 | TensorKind::Q5_0 | TensorKind::Q8_0 => Some(32),
            TensorKind::Q3K | TensorKind::Q6K => Some(16),
            _ => None,
        }
    }

    /// Writes the numbers of a row. Invariant: `bytes` are whole blocks and `out` has room for exactly their numbers.
    pub fn dequantize(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            TensorKind::F32 => {
                for (number, bytes) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                    *number = f32::from_le_bytes(*bytes);
                }
            }
            TensorKind::F16 => {
                for (number, bytes) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *number = half::f16::from_le_bytes(*bytes).to_f32();
                }
            }
            TensorKind::Bf16 => {
                for (number, bytes) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *number = half::bf16::from_le_bytes(*bytes).to_f32();
                }
            }
            _ => {
                let mut unpacked = Unpacked::default();
                let blocks = bytes.chunks_exact(self.block_bytes()).zip(out.chunks_exact_mut(self.block_len()));
                for (block, out) in blocks {
                    blocks::unpack(self, block, &mut unpacked);
                    unpacked.write_floats(out);
                }
            }
        }
    }

    /// Splits a block of one of the block kinds into codes, scales and offsets.
    pub(crate) fn unpack(self, block: &[u8], unpacked: &mut Unpacked) {
        blocks::unpack(self, block, unpacked);
    }
}

/// Where a tensor lies. Invariant: `start + bytes_len` is inside the file and `rows * row_bytes == bytes_len`.
#[derive(Debug)]
pub(crate) struct TensorInfo {
    pub(crate) kind: TensorKind,
    pub(crate) dims: Vec<usize>,
    pub(crate) rows: usize,
    pub(crate) row_bytes: usize,
    pub(crate) bytes_len: usize,
    pub(crate) start: usize,
    /// What is added to every stored number: some files keep the weights of a norm less one.
    pub(crate) offset: f32,
}

/// A tensor and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    name: &'a str,
    info: &'a TensorInfo,
    bytes: &'a [u8],
}

impl<'a> Tensor<'a> {
    pub(crate) fn new(name: &'a str, info: &'a TensorInfo, file: &'a [u8]) -> Self {
        Self { name, info, bytes: &file[info.start..info.start + info.bytes_len] }
    }

    /// Its name in the file.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// How its numbers are stored.
    pub fn kind(&self) -> TensorKind {
        self.info.kind
    }

    /// Its dimensions in the order of GGUF: the row length comes first.
    pub fn dims(&self) -> &'a [usize] {
        &self.info.dims
    }

    /// How many rows it has; a vector is one row.
    pub fn rows(&self) -> usize {
        self.info.rows
    }

    /// How many numbers a row has.
    pub fn row_len(&self) -> usize {
        self.info.dims[0]
    }

    /// All its bytes as stored.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The stored bytes of one row, if there is such a row.
    pub fn row_bytes(&self, row: usize) -> Option<&'a [u8]> {
        let start = row.checked_mul(self.info.row_bytes)?;
        self.bytes.get(start..start.checked_add(self.info.row_bytes)?)
    }

    /// The numbers of one row. Invariant: `out` has room for exactly a row.
    pub fn read_row(&self, row: usize, out: &mut [f32]) {
        if let Some(stored) = self.row_bytes(row) {
            self.kind().dequantize(stored, out);
        }
        if self.info.offset != 0.0 {
            out.iter_mut().for_each(|number| *number += self.info.offset);
        }
    }

    /// All its numbers; for vectors, which are small.
    pub(crate) fn numbers(&self) -> Vec<f32> {
        let mut numbers = vec![0.0; self.rows() * self.row_len()];
        for (row, numbers) in numbers.chunks_exact_mut(self.row_len()).enumerate() {
            self.read_row(row, numbers);
        }
        numbers
    }
}
