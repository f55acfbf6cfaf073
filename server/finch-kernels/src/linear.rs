//! Products of activations with block-quantised matrices, in the layout of ONNX Runtime's `MatMulNBits`.
//!
//! Activations are rounded to 8 bits in blocks of 32, and blocks are multiplied in whole numbers. Few rows of activations
//! are bound by reading the matrix, so it is read once, in place ([`few`]); many are bound by arithmetic, so pieces of the
//! matrix are laid out for it first ([`many`]).

#[cfg(target_arch = "x86_64")]
mod activations;
#[cfg(target_arch = "x86_64")]
mod few;
#[cfg(target_arch = "x86_64")]
mod many;

#[cfg(test)]
mod tests;

use crate::{Processor, Tasks};

/// How many bits a code has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    /// Two codes to a byte, the earlier one in the low half.
    Four,
    /// A byte each.
    Eight,
}

/// The sizes of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub rows: usize,
    pub columns: usize,
    pub bits: Bits,
    /// Codes that share a scale.
    pub block: usize,
}

/// A quantised matrix: `scale * (code - zero)`, row after row.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'w> {
    shape: Shape,
    codes: &'w [u8],
    scales: &'w [f32],
    /// Two zeros to a byte, a row begins at a byte; without them zero is in the middle of the codes.
    zeros: Option<&'w [u8]>,
}

/// A matrix the kernels have no way for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("no kernel for these bits and blocks")]
    Layout,
    #[error("the codes, scales or zeros are not as long as the shape says")]
    Length,
}

impl Shape {
    /// Whether there is a kernel for this layout.
    #[must_use]
    pub fn is_supported(&self) -> bool {
        let block = match self.bits {
            Bits::Four => self.block == BLOCK,
            Bits::Eight => self.block == BLOCK || self.block == BLOCK / 2,
        };
        block && self.rows > 0 && self.columns > 0 && self.columns.is_multiple_of(BLOCK)
    }

    fn row_bytes(&self) -> usize {
        match self.bits {
            Bits::Four => self.columns / 2,
            Bits::Eight => self.columns,
        }
    }

    fn blocks(&self) -> usize {
        self.columns / self.block
    }

    fn zero_bytes(&self) -> usize {
        self.blocks().div_ceil(2)
    }
}

impl<'w> Matrix<'w> {
    /// A matrix over memory of exactly its size.
    pub fn new(shape: Shape, codes: &'w [u8], scales: &'w [f32], zeros: Option<&'w [u8]>) -> Result<Self, Unfit> {
        if !shape.is_supported() || (zeros.is_some() && shape.bits != Bits::Four) {
            return Err(Unfit::Layout);
        }
        let long = codes.len() == shape.rows * shape.row_bytes()
            && scales.len() == shape.rows * shape.blocks()
            && zeros.is_none_or(|zeros| zeros.len() == shape.rows * shape.zero_bytes());
        if long { Ok(Self { shape, codes, scales, zeros }) } else { Err(Unfit::Length) }
    }

    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    fn row_codes(&self, row: usize) -> &'w [u8] {
        &self.codes[row * self.shape.row_bytes()..][..self.shape.row_bytes()]
    }

    fn row_scales(&self, row: usize) -> &'w [f32] {
        &self.scales[row * self.shape.blocks()..][..self.shape.blocks()]
    }

    fn row_zeros(&self, row: usize) -> Option<&'w [u8]> {
        Some(&self.zeros?[row * self.shape.zero_bytes()..][..self.shape.zero_bytes()])
    }
}

/// What to compute from a row of activations.
#[derive(Debug, Clone, Copy)]
pub enum Product<'w> {
    /// `x W^T`, plus the bias.
    Plain { matrix: Matrix<'w>, bias: Option<&'w [f32]> },
    /// `silu(x G^T) * (x U^T)`. Invariant: both have the same shape.
    Gated { gate: Matrix<'w>, up: Matrix<'w> },
}

impl Product<'_> {
    fn shape(&self) -> Shape {
        match self {
            Self::Plain { matrix, .. } => matrix.shape,
            Self::Gated { gate, .. } => gate.shape,
        }
    }
}

/// Activations and scales are rounded in blocks of this many.
pub(crate) const BLOCK: usize = 32;

/// Rows of activations up to which the matrix is read in place.
const FEW_ROWS_MAX: usize = 8;

/// Memory that one product after another uses again.
#[derive(Debug, Default)]
pub struct Room {
    #[cfg(target_arch = "x86_64")]
    rounded: activations::Rounded,
}

/// Computes `product` for every row of `input` into the same row of `output`.
///
/// # Panics
/// When `input` or `output` are not whole rows of the matrix's sizes, or not equally many.
pub fn multiply(
    processor: Processor,
    tasks: &dyn Tasks,
    product: &Product<'_>,
    input: &[f32],
    output: &mut [f32],
    room: &mut Room,
) {
    let shape = product.shape();
    let rows = input.len() / shape.columns;
    assert!(input.len() == rows * shape.columns && output.len() == rows * shape.rows, "whole rows");
    match processor.0 {
        #[cfg(target_arch = "x86_64")]
        crate::processor::Kind::Avx512Vnni if rows <= FEW_ROWS_MAX => {
            few::multiply(tasks, product, input, output, room)
        }
        #[cfg(target_arch = "x86_64")]
        crate::processor::Kind::Avx512Vnni => many::multiply(tasks, product, input, output, room),
    }
}
