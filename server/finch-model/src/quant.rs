//! Turns rows of a GGUF tensor into the block layouts of `MatMulNBits` and `GatherBlockQuantized`.
//!
//! Symmetric source blocks are carried over code by code; everything else is rounded, to 8 bits plainly and to 4 bits by a
//! search. Works on one row at a time and never sees a file or a graph. Called by the importer, which spreads rows over
//! threads.

mod four;
mod reference;

#[cfg(test)]
mod tests;

use half::f16;

use crate::gguf::{TensorKind, Unpacked};

pub(crate) use reference::{q4_zero_block, q8_zero_block, round_like_q4_zero, round_like_q8_zero};

/// Rows are cut into blocks whose numbers share a scale. The importer refuses row lengths this does not divide.
pub(crate) const BLOCK: usize = 32;

/// A layout of quantised rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// 4-bit codes, this many to a scale, zero at 8. Only for what fits so exactly: `Q4_0` (32) and `Q3_K` (16).
    Four { block: usize },
    /// 4-bit codes, 32 to a scale, with a zero of their own.
    FourShifted,
    /// 8-bit codes, zero at 128, this many to a scale (16 or 32).
    Eight { block: usize },
}

impl Layout {
    /// The 4-bit layout that suits these sources: without zeros where all of them are symmetric 4-bit blocks already.
    pub(crate) fn four(sources: impl IntoIterator<Item = TensorKind>) -> Layout {
        let mut exact = sources.into_iter().map(|kind| match kind {
            TensorKind::Q4_0 | TensorKind::Q3K => kind.symmetric_group(),
            _ => None,
        });
        match exact.next().flatten() {
            Some(block) if exact.all(|other| other == Some(block)) => Layout::Four { block },
            _ => Layout::FourShifted,
        }
    }

    /// The 8-bit layout that suits these sources: scales for every 16 numbers where one of them has such scales.
    pub(crate) fn eight(sources: impl IntoIterator<Item = TensorKind>) -> Layout {
        let fine = sources.into_iter().any(|kind| kind.symmetric_group() == Some(16));
        Layout::Eight { block: if fine { 16 } else { BLOCK } }
    }

    pub(crate) fn bits(self) -> usize {
        match self {
            Layout::Four { .. } | Layout::FourShifted => 4,
            Layout::Eight { .. } => 8,
        }
    }

    pub(crate) fn block(self) -> usize {
        match self {
            Layout::FourShifted => BLOCK,
            Layout::Four { block } | Layout::Eight { block } => block,
        }
    }

    /// Bytes of codes in a row of `len` numbers.
    pub(crate) fn code_bytes(self, len: usize) -> usize {
        len * self.bits() / 8
    }

    /// Scales in a row of `len` numbers.
    pub(crate) fn scales(self, len: usize) -> usize {
        len / self.block()
    }

    /// Bytes of zero points in a row of `len` numbers.
    pub(crate) fn zero_bytes(self, len: usize) -> usize {
        match self {
            Layout::FourShifted => self.scales(len).div_ceil(2),
            Layout::Four { .. } | Layout::Eight { .. } => 0,
        }
    }
}

/// Where a quantised row goes. Invariant: the slices have the sizes its [`Layout`] gives for the row's length.
pub(crate) struct QuantRow<'a> {
    pub(crate) codes: &'a mut [u8],
    pub(crate) scales: &'a mut [f32],
    pub(crate) zeros: &'a mut [u8],
}

/// Room that quantising one row after another uses again.
pub(crate) struct RowQuantizer {
    layout: Layout,
    floats: Vec<f32>,
    unpacked: Unpacked,
}

impl RowQuantizer {
    pub(crate) fn new(layout: Layout, row_len: usize) -> Self {
        Self { layout, floats: vec![0.0; row_len], unpacked: Unpacked::default() }
    }

    /// Quantises one stored row. Invariant: the layout was made for a set of kinds that has `kind` in it.
    pub(crate) fn quantize(&mut self, kind: TensorKind, stored: &[u8], row: QuantRow<'_>) {
        match (self.layout, kind.symmetric_group()) {
            (Layout::Eight { block }, Some(group)) if group >= block => self.carry_eight(kind, stored, block, row),
            (Layout::Four { block }, _) => self.carry_four(kind, stored, block, row),
            (Layout::FourShifted, Some(BLOCK)) if kind == TensorKind::Q4_0 => {
                self.carry_four(kind, stored, BLOCK, row);
            }
            (Layout::FourShifted, _) => {
                kind.dequantize(stored, &mut self.floats);
                four::search(&self.floats, row);
            }
            (Layout::Eight { block }, _) => {
                kind.dequantize(stored, &mut self.floats);
                round_to_eight(&self.floats, block, row);
            }
        }
    }

    fn carry_eight(&mut self, kind: TensorKind, stored: &[u8], block: usize, row: QuantRow<'_>) {
        let len = kind.block_len();
        let group = kind.symmetric_group().unwrap_or(len);
        let targets = row.codes.chunks_exact_mut(len).zip(row.scales.chunks_exact_mut(len / block));
        for (stored, (codes, scales)) in stored.chunks_exact(kind.block_bytes()).zip(targets) {
            kind.unpack(stored, &mut self.unpacked);
            for (target, code) in codes.iter_mut().zip(&self.unpacked.codes) {
                *target = code.cast_unsigned() ^ 0x80;
            }
            for (index, scale) in scales.iter_mut().enumerate() {
                *scale = self.unpacked.scales[index * block / group];
            }
        }
    }

    fn carry_four(&mut self, kind: TensorKind, stored: &[u8], block: usize, row: QuantRow<'_>) {
        let len = kind.block_len();
        let targets = row.codes.chunks_exact_mut(len / 2).zip(row.scales.chunks_exact_mut(len / block));
        for (stored, (codes, scales)) in stored.chunks_exact(kind.block_bytes()).zip(targets) {
            kind.unpack(stored, &mut self.unpacked);
            four::pack(&self.unpacked.codes[..len], 8, codes);
            scales.copy_from_slice(&self.unpacked.scales[..len / block]);
        }
        // Zero 8 for every block, two to a byte; empty where the layout has it by default.
        row.zeros.fill(0x88);
    }
}

/// A scale near to this one that 16 bits hold, where there is one: half the bytes for kernels to read, and no less precise
/// once codes are chosen for it.
fn narrow(scale: f32) -> f32 {
    let narrow = f16::from_f32(scale).to_f32();
    if (narrow - scale).abs() <= scale.abs() * NARROW_ERROR_MAX { narrow } else { scale }
}

/// What a scale may lose, as a share of it; ordinary numbers of 16 bits lose an eighth of that at most.
const NARROW_ERROR_MAX: f32 = 1.0 / 256.0;

/// The largest magnitude of a block becomes code 127 or -127.
fn round_to_eight(floats: &[f32], block: usize, row: QuantRow<'_>) {
    let targets = row.codes.chunks_exact_mut(block).zip(row.scales.iter_mut());
    for (floats, (codes, scale)) in floats.chunks_exact(block).zip(targets) {
        let largest = floats.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        *scale = narrow(largest / 127.0);
        let inverse = if *scale > 0.0 { 1.0 / *scale } else { 0.0 };
        for (code, number) in codes.iter_mut().zip(floats) {
            // The cast saturates, and a NaN becomes zero.
            *code = ((number * inverse).round_ties_even() as i8).cast_unsigned() ^ 0x80;
        }
    }
}
