//! Rounds activations to 8 bits and orders them the way the kernels read them.
//!
//! Blocks of 32 share a scale. Every order is of the same rounded numbers, so how many rows are computed together changes
//! only the order in which a result is summed up.

use std::arch::x86_64::{
    _mm_setr_epi8, _mm512_abs_ps, _mm512_broadcast_i32x4, _mm512_cvtepi32_epi8, _mm512_max_ps, _mm512_mul_ps,
    _mm512_reduce_max_ps, _mm512_set1_epi8, _mm512_set1_ps, _mm512_shuffle_epi8, _mm512_xor_si512,
};

use super::{BLOCK, Bits, Shape};
use crate::{
    Tasks,
    lanes::{LANES, load, load_signed, store_integers, store_sixteen, whole},
    shared::Shared,
};

/// Columns are padded to a multiple of this with zeros.
pub(super) const CHUNK: usize = 128;

/// Something that begins at a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Line<T>(pub(super) T);

/// Rounded rows.
#[derive(Debug, Default)]
pub(super) struct Rounded {
    columns: usize,
    /// As they stand, row after row.
    codes: Vec<Line<[i8; 64]>>,
    /// A scale for every block.
    scales: Vec<f32>,
    /// Four codes each, in the order in which panels hold theirs: unsigned for many rows, signed for few.
    steps: Vec<Line<[i32; LANES]>>,
    /// Pieces of all rows for the first block of the matrix, then for the next: for blocks of 32 and of 16.
    whole: Vec<Piece<8>>,
    half: Vec<Piece<4>>,
}

/// What a block of the matrix is multiplied with, of one row for few.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<const STEPS: usize> {
    pub(super) steps: [i32; STEPS],
    pub(super) scale: f32,
    /// The sum of the codes, and it times the middle of the matrix's codes, negative.
    pub(super) sum: f32,
    pub(super) start: i32,
}

/// One row for many.
#[derive(Debug, Clone, Copy)]
pub(super) struct ManyRow<'r> {
    pub(super) steps: &'r [i32],
    pub(super) scales: &'r [f32],
}

/// Rows that one task rounds.
const ROWS_AT_ONCE: usize = 8;

impl Rounded {
    /// Rounds rows for few of them.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn for_few(&mut self, input: &[f32], shape: &Shape) {
        let rows = self.resize(input, shape.columns);
        let lines = self.lines();
        self.steps.resize(lines, Line([0; LANES]));
        self.whole.resize(rows * shape.blocks(), Piece::NONE);
        self.half.resize(rows * shape.blocks(), Piece::NONE);
        for (index, row) in input.chunks_exact(shape.columns).enumerate() {
            round(row, &mut self.codes[..lines], &mut self.scales[..lines * 2]);
            order_steps::<0>(&self.codes[..lines], shape.bits, &mut self.steps[..lines]);
            let steps = integers(&self.steps[..lines]);
            if shape.block == BLOCK {
                fill(self.whole.iter_mut().skip(index).step_by(rows), steps, &self.scales, shape.bits);
            } else {
                fill(self.half.iter_mut().skip(index).step_by(rows), steps, &self.scales, shape.bits);
            }
        }
    }

    /// The pieces of all `M` rows, block after block of 32 columns.
    pub(super) fn whole_pieces<const M: usize>(&self) -> &[[Piece<8>; M]] {
        self.whole.as_chunks().0
    }

    /// The pieces of all `M` rows, block after block of 16 columns.
    pub(super) fn half_pieces<const M: usize>(&self) -> &[[Piece<4>; M]] {
        self.half.as_chunks().0
    }

    /// Rounds rows of `columns` and orders them for many rows.
    pub(super) fn for_many(&mut self, tasks: &dyn Tasks, input: &[f32], columns: usize, bits: Bits) {
        let rows = self.resize(input, columns);
        let lines = self.lines();
        self.steps.resize(rows * lines, Line([0; LANES]));
        let (codes, scales) = (Shared::new(&mut self.codes), Shared::new(&mut self.scales));
        let steps = Shared::new(&mut self.steps);
        let task = |index: usize| {
            let last = ((index + 1) * ROWS_AT_ONCE).min(rows);
            for row in index * ROWS_AT_ONCE..last {
                let place = row * lines..(row + 1) * lines;
                let codes = codes.range(place.clone());
                let scales = scales.range(place.start * 2..place.end * 2);
                #[expect(unsafe_code, reason = "calls functions for this processor")]
                // SAFETY: this module is reached with a `Processor` of these instructions alone.
                unsafe {
                    round(&input[row * columns..][..columns], codes, scales);
                    order_steps::<{ i8::MIN }>(codes, bits, steps.range(place));
                }
            }
        };
        tasks.run(rows.div_ceil(ROWS_AT_ONCE), &task);
    }

    fn resize(&mut self, input: &[f32], columns: usize) -> usize {
        let rows = input.len() / columns;
        self.columns = columns;
        self.codes.resize(rows * self.lines(), Line([0; 64]));
        self.scales.resize(rows * self.lines() * 2, 0.0);
        rows
    }

    /// Registers of codes in a row.
    fn lines(&self) -> usize {
        self.columns.next_multiple_of(CHUNK) / 64
    }

    pub(super) fn many_row(&self, row: usize) -> ManyRow<'_> {
        let lines = self.lines();
        ManyRow {
            steps: integers(&self.steps[row * lines..][..lines]),
            scales: &self.scales[row * lines * 2..][..lines * 2],
        }
    }
}

impl<const STEPS: usize> Piece<STEPS> {
    const NONE: Self = Self { steps: [0; STEPS], scale: 0.0, sum: 0.0, start: 0 };
}

/// The pieces of one row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn fill<'p, const STEPS: usize>(
    pieces: impl Iterator<Item = &'p mut Piece<STEPS>>,
    steps: &[i32],
    scales: &[f32],
    bits: Bits,
) {
    let middle = match bits {
        Bits::Four => 8,
        Bits::Eight => 128,
    };
    for (block, (piece, steps)) in pieces.zip(steps.as_chunks::<STEPS>().0).enumerate() {
        let sum: i32 = steps.iter().flat_map(|step| step.to_le_bytes()).map(|code| i32::from(code.cast_signed())).sum();
        *piece =
            Piece { steps: *steps, scale: scales[block * STEPS * 4 / BLOCK], sum: sum as f32, start: -middle * sum };
    }
}

#[expect(unsafe_code, reason = "lines of integers are integers")]
fn integers(lines: &[Line<[i32; LANES]>]) -> &[i32] {
    // SAFETY: a line is exactly its array of 16 integers, 64 bytes without padding.
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * LANES) }
}

/// Rounds one row; what is behind its end becomes zero.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn round(row: &[f32], codes: &mut [Line<[i8; 64]>], scales: &mut [f32]) {
    let blocks = row.as_chunks::<BLOCK>().0;
    for (index, block) in blocks.iter().enumerate() {
        let [low, high] = halves(block);
        let (low, high) = (load(low), load(high));
        let largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(low), _mm512_abs_ps(high)));
        scales[index] = largest / 127.0;
        let inverse = _mm512_set1_ps(if largest > 0.0 { 127.0 / largest } else { 0.0 });
        let target = &mut codes[index / 2].0.as_chunks_mut::<16>().0[index % 2 * 2..][..2];
        store_sixteen(&mut target[0], _mm512_cvtepi32_epi8(whole(_mm512_mul_ps(low, inverse))));
        store_sixteen(&mut target[1], _mm512_cvtepi32_epi8(whole(_mm512_mul_ps(high, inverse))));
    }
    for index in blocks.len()..scales.len() {
        scales[index] = 0.0;
        codes[index / 2].0[index % 2 * BLOCK..][..BLOCK].fill(0);
    }
}

fn halves(block: &[f32; BLOCK]) -> [&[f32; LANES]; 2] {
    let (halves, _) = block.as_chunks::<LANES>();
    [&halves[0], &halves[1]]
}

/// Codes in the order in which panels hold theirs, `FLIP` of their bits changed: as they stand for 8-bit weights; for 4-bit weights the four
/// at even places of every eight before the four at odd places.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn order_steps<const FLIP: i8>(codes: &[Line<[i8; 64]>], bits: Bits, out: &mut [Line<[i32; LANES]>]) {
    let apart = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15));
    let flip = _mm512_set1_epi8(FLIP);
    for (codes, out) in codes.iter().zip(out) {
        let flipped = _mm512_xor_si512(load_signed(&codes.0), flip);
        let ordered = match bits {
            Bits::Four => _mm512_shuffle_epi8(flipped, apart),
            Bits::Eight => flipped,
        };
        store_integers(&mut out.0, ordered);
    }
}
