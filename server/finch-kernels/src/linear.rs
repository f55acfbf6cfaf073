//! Products of activations with block-quantised matrices: the codes of ONNX Runtime's `MatMulNBits`, turned into panels.
//!
//! Activations are rounded to 8 bits in blocks of 32, and blocks are multiplied in whole numbers. Few rows of activations
//! are bound by reading the matrix, so it is read once ([`few`]); many are bound by arithmetic, so codes are widened once
//! for all of them ([`many`]).

#[cfg(target_arch = "x86_64")]
mod activations;
#[cfg(target_arch = "x86_64")]
mod few;
#[cfg(target_arch = "x86_64")]
mod many;
mod panels;

#[cfg(test)]
mod tests;

pub use panels::{Matrix, PANEL_ROWS, Scales, Shape, Unfit, turn};

use crate::{Processor, Tasks};

/// How many bits a code has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bits {
    /// Two codes to a byte, the earlier one in the low half.
    Four,
    /// A byte each.
    Eight,
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
            Self::Plain { matrix, .. } => matrix.shape(),
            Self::Gated { gate, .. } => gate.shape(),
        }
    }
}

/// Activations and scales are rounded in blocks of this many.
pub(crate) const BLOCK: usize = 32;

/// Rows of activations up to which the matrix is read once.
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
