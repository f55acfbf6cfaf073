//! Rounds activations to 8 bits and orders them the way the kernels read them.
//!
//! Blocks of 32 share a scale. Every order is of the same rounded numbers, so how many rows are computed together changes
//! only the order in which a result is summed up.

use std::arch::x86_64::{
    __m512i, _mm_setr_epi8, _mm512_abs_ps, _mm512_broadcast_i32x4, _mm512_castsi256_si512, _mm512_cvtepi16_epi8,
    _mm512_cvtepi32_epi8, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_inserti64x4, _mm512_max_ps, _mm512_mul_ps,
    _mm512_reduce_max_ps, _mm512_set1_epi8, _mm512_set1_ps, _mm512_setzero_si512, _mm512_shuffle_epi8,
    _mm512_srli_epi16, _mm512_xor_si512,
};

use super::{BLOCK, Bits};
use crate::{
    Tasks,
    lanes::{LANES, load, load_signed, store, store_integers, store_signed, store_sixteen, whole},
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
    /// Pieces of all rows for the first columns, then for the next.
    four: Vec<FourPiece>,
    eight: Vec<EightPiece>,
    /// Four unsigned codes each, in the order of [`many`](super::many)'s steps.
    steps: Vec<Line<[i32; LANES]>>,
}

/// What a register of 4-bit codes is multiplied with: 128 columns.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct FourPiece {
    pub(super) even: [i8; 64],
    pub(super) odd: [i8; 64],
    /// The scale of each lane, and the sum of what is multiplied into it.
    pub(super) scales: [f32; LANES],
    pub(super) sums: [f32; LANES],
}

/// What a register of 8-bit codes is multiplied with: 64 columns.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct EightPiece {
    pub(super) codes: [i8; 64],
    pub(super) scales: [f32; LANES],
    pub(super) sums: [f32; LANES],
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
    /// Rounds rows of `columns` and orders them for few rows.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn for_few(&mut self, input: &[f32], columns: usize, bits: Bits) {
        let rows = self.resize(input, columns);
        let lines = self.lines();
        match bits {
            Bits::Four => self.four.resize(rows * lines / 2, FourPiece::NONE),
            Bits::Eight => self.eight.resize(rows * lines, EightPiece::NONE),
        }
        for (index, row) in input.chunks_exact(columns).enumerate() {
            let codes = &mut self.codes[index * lines..][..lines];
            let scales = &mut self.scales[index * lines * 2..][..lines * 2];
            round(row, codes, scales);
            match bits {
                Bits::Four => {
                    let pieces = self.four.iter_mut().skip(index).step_by(rows);
                    let groups = codes.as_chunks::<2>().0.iter().zip(scales.as_chunks::<4>().0);
                    for (piece, (codes, scales)) in pieces.zip(groups) {
                        piece.fill(codes, scales);
                    }
                }
                Bits::Eight => {
                    let pieces = self.eight.iter_mut().skip(index).step_by(rows);
                    for (piece, (codes, scales)) in pieces.zip(codes.iter().zip(scales.as_chunks::<2>().0)) {
                        piece.fill(codes, scales);
                    }
                }
            }
        }
    }

    /// The pieces of all `M` rows, a step of 128 columns each.
    pub(super) fn four_pieces<const M: usize>(&self) -> &[[FourPiece; M]] {
        self.four.as_chunks::<M>().0
    }

    /// The pieces of all `M` rows, a step of 64 columns each.
    pub(super) fn eight_pieces<const M: usize>(&self) -> &[[EightPiece; M]] {
        self.eight.as_chunks::<M>().0
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
                    order_steps(codes, bits, steps.range(place));
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

impl FourPiece {
    const NONE: Self = Self { even: [0; 64], odd: [0; 64], scales: [0.0; LANES], sums: [0.0; LANES] };

    /// The codes at even places, then those at odd places: a byte of 4-bit weights holds one of each.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn fill(&mut self, codes: &[Line<[i8; 64]>; 2], scales: &[f32; 4]) {
        let [first, second] = [load_signed(&codes[0].0), load_signed(&codes[1].0)];
        let join = |first: __m512i, second: __m512i| {
            let low = _mm512_castsi256_si512(_mm512_cvtepi16_epi8(first));
            _mm512_inserti64x4::<1>(low, _mm512_cvtepi16_epi8(second))
        };
        let even = join(first, second);
        let odd = join(_mm512_srli_epi16::<8>(first), _mm512_srli_epi16::<8>(second));
        store_signed(&mut self.even, even);
        store_signed(&mut self.odd, odd);
        let ones = _mm512_set1_epi8(1);
        let sum = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(_mm512_setzero_si512(), ones, even), ones, odd);
        store(&mut self.sums, _mm512_cvtepi32_ps(sum));
        for (scales, scale) in self.scales.as_chunks_mut::<4>().0.iter_mut().zip(scales) {
            *scales = [*scale; 4];
        }
    }
}

impl EightPiece {
    const NONE: Self = Self { codes: [0; 64], scales: [0.0; LANES], sums: [0.0; LANES] };

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn fill(&mut self, codes: &Line<[i8; 64]>, scales: &[f32; 2]) {
        self.codes = codes.0;
        let sum = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), load_signed(&codes.0));
        store(&mut self.sums, _mm512_cvtepi32_ps(sum));
        for (scales, scale) in self.scales.as_chunks_mut::<8>().0.iter_mut().zip(scales) {
            *scales = [*scale; 8];
        }
    }
}

/// Unsigned codes in the order in which many rows take them: as they stand for 8-bit weights; for 4-bit weights the four
/// at even places of every eight before the four at odd places.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn order_steps(codes: &[Line<[i8; 64]>], bits: Bits, out: &mut [Line<[i32; LANES]>]) {
    let apart = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15));
    let middle = _mm512_set1_epi8(i8::MIN);
    for (codes, out) in codes.iter().zip(out) {
        let unsigned = _mm512_xor_si512(load_signed(&codes.0), middle);
        let ordered = match bits {
            Bits::Four => _mm512_shuffle_epi8(unsigned, apart),
            Bits::Eight => unsigned,
        };
        store_integers(&mut out.0, ordered);
    }
}
