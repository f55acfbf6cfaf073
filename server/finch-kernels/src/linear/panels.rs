//! The layout of matrices that the kernels read: sixteen rows side by side.
//!
//! A panel holds for sixteen rows their first four bytes of codes each, then their next four, so that a register has a lane
//! for every row; scales and zeros lie in the same way. A panel takes the bytes that its rows took before. Whoever loads a
//! model turns its matrices once.

use super::{BLOCK, Bits};

/// Rows of a panel.
pub const PANEL_ROWS: usize = 16;

/// The sizes of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    pub rows: usize,
    pub columns: usize,
    pub bits: Bits,
    /// Codes that share a scale.
    pub block: usize,
    pub scales: Scales,
}

/// How scales are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scales {
    /// In 16 bits. Scales that are such numbers lose nothing, and few rows of activations wait for fewer bytes.
    Half,
    /// In 32 bits.
    Single,
}

impl Scales {
    /// Bytes of a scale.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::Half => 2,
            Self::Single => size_of::<f32>(),
        }
    }
}

/// The scales of one panel, sixteen for each block.
#[derive(Debug, Clone, Copy)]
pub(super) enum PanelScales<'w> {
    Half(&'w [[u8; 32]]),
    Single(&'w [[u8; 64]]),
}

/// A quantised matrix in panels: `scale * (code - zero)`.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'w> {
    shape: Shape,
    codes: &'w [u8],
    scales: &'w [u8],
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

    /// Bytes of a row's codes.
    #[must_use]
    pub fn code_bytes(&self) -> usize {
        match self.bits {
            Bits::Four => self.columns / 2,
            Bits::Eight => self.columns,
        }
    }

    /// Bytes of a row's scales.
    #[must_use]
    pub fn scale_bytes(&self) -> usize {
        self.blocks() * self.scales.bytes()
    }

    /// Bytes of a row's zeros.
    #[must_use]
    pub fn zero_bytes(&self) -> usize {
        self.blocks().div_ceil(2)
    }

    /// Panels of the matrix; what the last has too many rows is zero.
    #[must_use]
    pub fn panels(&self) -> usize {
        self.rows.div_ceil(PANEL_ROWS)
    }

    pub(super) fn blocks(&self) -> usize {
        self.columns / self.block
    }
}

impl<'w> Matrix<'w> {
    /// A matrix over memory of exactly its size, each part [turned](turn).
    pub fn new(shape: Shape, codes: &'w [u8], scales: &'w [u8], zeros: Option<&'w [u8]>) -> Result<Self, Unfit> {
        if !shape.is_supported() || (zeros.is_some() && shape.bits != Bits::Four) {
            return Err(Unfit::Layout);
        }
        let rows = shape.panels() * PANEL_ROWS;
        let long = codes.len() == rows * shape.code_bytes()
            && scales.len() == rows * shape.scale_bytes()
            && zeros.is_none_or(|zeros| zeros.len() == rows * shape.zero_bytes());
        if long { Ok(Self { shape, codes, scales, zeros }) } else { Err(Unfit::Length) }
    }

    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The registers of codes of one panel.
    pub(super) fn codes(&self, panel: usize) -> &'w [[u8; 64]] {
        part(self.codes, self.shape.code_bytes(), panel)
    }

    pub(super) fn scales(&self, panel: usize) -> PanelScales<'w> {
        match self.shape.scales {
            Scales::Half => PanelScales::Half(part(self.scales, self.shape.scale_bytes(), panel)),
            Scales::Single => PanelScales::Single(part(self.scales, self.shape.scale_bytes(), panel)),
        }
    }

    /// The zeros of one panel, two blocks to a byte.
    pub(super) fn zeros(&self, panel: usize) -> Option<&'w [[u8; PANEL_ROWS]]> {
        Some(part(self.zeros?, self.shape.zero_bytes(), panel))
    }
}

fn part<const N: usize>(bytes: &[u8], row_bytes: usize, panel: usize) -> &[[u8; N]] {
    bytes[panel * PANEL_ROWS * row_bytes..][..PANEL_ROWS * row_bytes].as_chunks().0
}

/// Turns rows of `row_bytes`, which are taken `N` bytes at a time: 4 for codes, a scale's own for scales, 1 for zeros.
///
/// Only the places of the given rows are written: those behind the last of them keep what they hold.
///
/// # Panics
/// When `rows` are not whole rows of whole items, or `turned` is not as many panels.
pub fn turn<const N: usize>(row_bytes: usize, rows: &[u8], turned: &mut [u8]) {
    let panel_bytes = PANEL_ROWS * row_bytes;
    let whole = rows.len().is_multiple_of(row_bytes) && row_bytes.is_multiple_of(N);
    assert!(whole && rows.len().next_multiple_of(panel_bytes) == turned.len(), "whole rows of whole items");
    for (rows, turned) in rows.chunks(panel_bytes).zip(turned.chunks_exact_mut(panel_bytes)) {
        let (turned, _) = turned.as_chunks_mut::<N>();
        for (lane, row) in rows.chunks_exact(row_bytes).enumerate() {
            let places = turned.iter_mut().skip(lane).step_by(PANEL_ROWS);
            for (place, item) in places.zip(row.as_chunks::<N>().0) {
                *place = *item;
            }
        }
    }
}
