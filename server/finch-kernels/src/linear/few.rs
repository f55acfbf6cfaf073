//! Few rows of activations: the matrix is read once, where it lies.
//!
//! A register of codes is widened and multiplied with every row of activations before the next is read. Decoding and
//! checking drafts is this.

use std::arch::x86_64::{
    __m512, __m512i, _mm512_add_ps, _mm512_and_si512, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps,
    _mm512_fnmadd_ps, _mm512_mul_ps, _mm512_permutexvar_ps, _mm512_reduce_add_ps, _mm512_set1_epi8, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setr_epi32, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_srli_epi16, _mm512_srlv_epi32,
};
use std::ops::Range;

use super::{
    Bits, FEW_ROWS_MAX, Matrix, Product, Room,
    activations::{EightPiece, FourPiece, Rounded},
};
use crate::{
    Tasks,
    lanes::{LANES, ahead, load, load_bytes, load_four, load_signed, load_some, load_some_bytes, silu, store_some},
    shared::Shared,
};

/// Pieces of a matrix for each thread: small enough that nobody waits long for the last.
const PIECES_PER_THREAD: usize = 4;

/// How far ahead memory is asked for: a matrix is read once from end to end, faster than the processor guesses.
const CODES_AHEAD: usize = 2048;
const SCALES_AHEAD: usize = 512;

pub(super) fn multiply(tasks: &dyn Tasks, product: &Product<'_>, input: &[f32], output: &mut [f32], room: &mut Room) {
    let shape = product.shape();
    let rows = input.len() / shape.columns;
    #[expect(unsafe_code, reason = "calls functions for this processor")]
    // SAFETY: this module is reached with a `Processor` of these instructions alone.
    unsafe {
        room.rounded.for_few(input, shape.columns, shape.bits);
    }
    let step = shape.rows.div_ceil(tasks.width() * PIECES_PER_THREAD).next_multiple_of(LANES);
    let job = Job { product, output: Shared::new(output), room, width: shape.rows };
    let task = |index: usize| {
        let range = index * step..((index + 1) * step).min(shape.rows);
        #[expect(unsafe_code, reason = "calls functions for this processor")]
        // SAFETY: as above.
        unsafe {
            match rows {
                1 => job.compute::<1>(range),
                2 => job.compute::<2>(range),
                3 => job.compute::<3>(range),
                4 => job.compute::<4>(range),
                5 => job.compute::<5>(range),
                6 => job.compute::<6>(range),
                7 => job.compute::<7>(range),
                _ => job.compute::<FEW_ROWS_MAX>(range),
            }
        }
    };
    tasks.run(shape.rows.div_ceil(step), &task);
}

struct Job<'j> {
    product: &'j Product<'j>,
    output: Shared<'j, f32>,
    room: &'j Room,
    width: usize,
}

impl Job<'_> {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn compute<const M: usize>(&self, range: Range<usize>) {
        for start in range.clone().step_by(LANES) {
            self.block::<M>(start..(start + LANES).min(range.end));
        }
    }

    /// Up to sixteen matrix rows.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn block<const M: usize>(&self, block: Range<usize>) {
        let rounded = &self.room.rounded;
        let mut sums = [_mm512_setzero_ps(); M];
        match self.product {
            Product::Plain { matrix, bias } => {
                sixteen(matrix, &block, rounded, &mut sums);
                if let Some(bias) = bias {
                    let bias = load_some(&bias[block.clone()]);
                    for sums in &mut sums {
                        *sums = _mm512_add_ps(*sums, bias);
                    }
                }
            }
            Product::Gated { gate, up } => {
                let mut ups = sums;
                sixteen(gate, &block, rounded, &mut sums);
                sixteen(up, &block, rounded, &mut ups);
                for (sums, ups) in sums.iter_mut().zip(ups) {
                    *sums = _mm512_mul_ps(silu(*sums), ups);
                }
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            let place = row * self.width;
            store_some(self.output.range(place + block.start..place + block.end), sums);
        }
    }
}

/// The products of up to 16 matrix rows, one to a lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn sixteen<const M: usize>(matrix: &Matrix<'_>, block: &Range<usize>, rounded: &Rounded, out: &mut [__m512; M]) {
    let mut sums = [[0.0; LANES]; M];
    for (at, row) in block.clone().enumerate() {
        let (codes, scales) = (matrix.row_codes(row), matrix.row_scales(row));
        let products = match (matrix.shape.bits, matrix.row_zeros(row)) {
            (Bits::Four, None) => four::<M>(codes, scales, std::iter::repeat(8 * 0x1111), rounded.four_pieces()),
            (Bits::Four, Some(zeros)) => four::<M>(codes, scales, pairs(zeros), rounded.four_pieces()),
            (Bits::Eight, _) if matrix.shape.block == super::BLOCK => {
                eight::<M, 2>(codes, scales, rounded.eight_pieces())
            }
            (Bits::Eight, _) => eight::<M, 4>(codes, scales, rounded.eight_pieces()),
        };
        for (sums, product) in sums.iter_mut().zip(products) {
            sums[at] = product;
        }
    }
    for (out, sums) in out.iter_mut().zip(&sums) {
        *out = load(sums);
    }
}

/// The zeros of four blocks each, the first in the lowest bits.
#[inline]
fn pairs(zeros: &[u8]) -> impl Iterator<Item = i32> {
    let (pairs, rest) = zeros.as_chunks::<2>();
    pairs.iter().map(|pair| i32::from(u16::from_le_bytes(*pair))).chain(rest.iter().map(|zeros| i32::from(*zeros)))
}

/// One row of 4-bit codes with each row of activations.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn four<const M: usize>(
    codes: &[u8],
    scales: &[f32],
    zeros: impl Iterator<Item = i32>,
    pieces: &[[FourPiece; M]],
) -> [f32; M] {
    let mut sums = [_mm512_setzero_ps(); M];
    let (codes, codes_rest) = codes.as_chunks::<64>();
    let (scales, scales_rest) = scales.as_chunks::<4>();
    let mut zeros = zeros;
    let steps = codes.iter().zip(scales).zip(&mut zeros).zip(pieces);
    for (((codes, scales), zeros), pieces) in steps {
        ahead(codes.as_ptr(), CODES_AHEAD);
        ahead(scales.as_ptr(), SCALES_AHEAD);
        four_step(&mut sums, load_bytes(codes), load_four(scales), zeros, pieces);
    }
    if let Some(pieces) = pieces.get(codes.len())
        && let Some(zeros) = zeros.next()
    {
        four_step(&mut sums, load_some_bytes(codes_rest), load_some(scales_rest), zeros, pieces);
    }
    let mut totals = [0.0; M];
    for (total, sum) in totals.iter_mut().zip(sums) {
        *total = _mm512_reduce_add_ps(sum);
    }
    totals
}

/// A register of codes with each row of activations.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn four_step<const M: usize>(
    sums: &mut [__m512; M],
    codes: __m512i,
    scales: __m512,
    zeros: i32,
    pieces: &[FourPiece; M],
) {
    let low = _mm512_and_si512(codes, _mm512_set1_epi8(15));
    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), _mm512_set1_epi8(15));
    let scales = _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3), scales);
    let places = _mm512_setr_epi32(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
    let zeros = _mm512_srlv_epi32(_mm512_set1_epi32(zeros), places);
    let zeros = _mm512_cvtepi32_ps(_mm512_and_si512(zeros, _mm512_set1_epi32(15)));
    for (sum, piece) in sums.iter_mut().zip(pieces) {
        let even = _mm512_dpbusd_epi32(_mm512_setzero_si512(), low, load_signed(&piece.even));
        let both = _mm512_dpbusd_epi32(even, high, load_signed(&piece.odd));
        let centred = _mm512_fnmadd_ps(zeros, load(&piece.sums), _mm512_cvtepi32_ps(both));
        *sum = _mm512_fmadd_ps(centred, _mm512_mul_ps(scales, load(&piece.scales)), *sum);
    }
}

/// One row of 8-bit codes, `BLOCKS` of whose blocks fill a register, with each row of activations.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn eight<const M: usize, const BLOCKS: usize>(codes: &[u8], scales: &[f32], pieces: &[[EightPiece; M]]) -> [f32; M] {
    let mut sums = [_mm512_setzero_ps(); M];
    let (codes, codes_rest) = codes.as_chunks::<64>();
    let (scales, scales_rest) = scales.as_chunks::<BLOCKS>();
    for ((codes, scales), pieces) in codes.iter().zip(scales).zip(pieces) {
        ahead(codes.as_ptr(), CODES_AHEAD);
        ahead(scales.as_ptr(), SCALES_AHEAD);
        eight_step::<M, BLOCKS>(&mut sums, load_bytes(codes), load_some(scales), pieces);
    }
    if let Some(pieces) = pieces.get(codes.len())
        && !codes_rest.is_empty()
    {
        eight_step::<M, BLOCKS>(&mut sums, load_some_bytes(codes_rest), load_some(scales_rest), pieces);
    }
    let mut totals = [0.0; M];
    for (total, sum) in totals.iter_mut().zip(sums) {
        *total = _mm512_reduce_add_ps(sum);
    }
    totals
}

/// A register of codes with each row of activations.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn eight_step<const M: usize, const BLOCKS: usize>(
    sums: &mut [__m512; M],
    codes: __m512i,
    scales: __m512,
    pieces: &[EightPiece; M],
) {
    let spread = if BLOCKS == 2 {
        _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1)
    } else {
        _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3)
    };
    let scales = _mm512_permutexvar_ps(spread, scales);
    for (sum, piece) in sums.iter_mut().zip(pieces) {
        let product = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes, load_signed(&piece.codes));
        let centred = _mm512_fnmadd_ps(_mm512_set1_ps(128.0), load(&piece.sums), _mm512_cvtepi32_ps(product));
        *sum = _mm512_fmadd_ps(centred, _mm512_mul_ps(scales, load(&piece.scales)), *sum);
    }
}
