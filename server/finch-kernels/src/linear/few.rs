//! Few rows of activations: the matrix is read once.
//!
//! A register holds codes of sixteen matrix rows and is multiplied with every row of activations before the next is read.
//! Whole numbers are summed over a block, then scaled. Decoding, and checking drafts, is this.

use std::arch::x86_64::{
    __m512, __m512i, _mm512_add_ps, _mm512_and_si512, _mm512_cvtepi32_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps,
    _mm512_mul_ps, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512,
    _mm512_srli_epi16, _mm512_srlv_epi32, _mm512_sub_epi32,
};
use std::ops::Range;

use super::{
    Bits, FEW_ROWS_MAX, Matrix, PANEL_ROWS, Product, Room,
    activations::{Piece, Rounded},
    panels::PanelScales,
};
use crate::{
    Tasks,
    lanes::{add_products, ahead, load_bytes, load_floats, load_some, load_widened, silu, store_some},
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
        room.rounded.for_few(input, &shape);
    }
    let panels = shape.panels();
    let step = panels.div_ceil(tasks.width() * PIECES_PER_THREAD);
    let job = Job { product, output: Shared::new(output), room, width: shape.rows };
    let task = |index: usize| {
        let range = index * step..((index + 1) * step).min(panels);
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
    tasks.run(panels.div_ceil(step), &task);
}

struct Job<'j> {
    product: &'j Product<'j>,
    output: Shared<'j, f32>,
    room: &'j Room,
    width: usize,
}

impl Job<'_> {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn compute<const M: usize>(&self, panels: Range<usize>) {
        for panel in panels {
            self.panel::<M>(panel);
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn panel<const M: usize>(&self, panel: usize) {
        let rounded = &self.room.rounded;
        let places = panel * PANEL_ROWS..((panel + 1) * PANEL_ROWS).min(self.width);
        let mut sums: [__m512; M];
        match self.product {
            Product::Plain { matrix, bias } => {
                sums = sixteen(matrix, panel, rounded);
                if let Some(bias) = bias {
                    let bias = load_some(&bias[places.clone()]);
                    for sums in &mut sums {
                        *sums = _mm512_add_ps(*sums, bias);
                    }
                }
            }
            Product::Gated { gate, up } => {
                sums = sixteen(gate, panel, rounded);
                for (sums, ups) in sums.iter_mut().zip(sixteen::<M>(up, panel, rounded)) {
                    *sums = _mm512_mul_ps(silu(*sums), ups);
                }
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            let start = row * self.width;
            store_some(self.output.range(start + places.start..start + places.end), sums);
        }
    }
}

/// The products of sixteen matrix rows, one to a lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn sixteen<const M: usize>(matrix: &Matrix<'_>, panel: usize, rounded: &Rounded) -> [__m512; M] {
    match matrix.scales(panel) {
        PanelScales::Half(scales) => scaled(matrix, panel, scales, rounded),
        PanelScales::Single(scales) => scaled(matrix, panel, scales, rounded),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn scaled<const M: usize, const N: usize>(
    matrix: &Matrix<'_>,
    panel: usize,
    scales: &[[u8; N]],
    rounded: &Rounded,
) -> [__m512; M] {
    let codes = matrix.codes(panel);
    match (matrix.shape().bits, matrix.zeros(panel)) {
        (Bits::Four, None) => four(codes, scales, rounded.whole_pieces()),
        (Bits::Four, Some(zeros)) => four_shifted(codes, scales, zeros, rounded.whole_pieces()),
        (Bits::Eight, _) if matrix.shape().block == super::BLOCK => eight(codes, scales, rounded.whole_pieces()),
        (Bits::Eight, _) => eight(codes, scales, rounded.half_pieces()),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn four<const M: usize, const N: usize>(
    codes: &[[u8; 64]],
    scales: &[[u8; N]],
    pieces: &[[Piece<8>; M]],
) -> [__m512; M] {
    let mut sums = [_mm512_setzero_ps(); M];
    for ((codes, scales), pieces) in codes.as_chunks::<4>().0.iter().zip(scales).zip(pieces) {
        let products = halves(codes, pieces);
        add(&mut sums, products, scales, pieces);
    }
    sums
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn four_shifted<const M: usize, const N: usize>(
    codes: &[[u8; 64]],
    scales: &[[u8; N]],
    zeros: &[[u8; PANEL_ROWS]],
    pieces: &[[Piece<8>; M]],
) -> [__m512; M] {
    let mut sums = [_mm512_setzero_ps(); M];
    for (block, ((codes, scales), pieces)) in codes.as_chunks::<4>().0.iter().zip(scales).zip(pieces).enumerate() {
        let mut products = halves(codes, pieces);
        let zero = zero(&zeros[block / 2], block % 2);
        for (product, piece) in products.iter_mut().zip(pieces) {
            *product = _mm512_fnmadd_ps(zero, _mm512_set1_ps(piece.sum), *product);
        }
        add(&mut sums, products, scales, pieces);
    }
    sums
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn eight<const M: usize, const STEPS: usize, const N: usize>(
    codes: &[[u8; 64]],
    scales: &[[u8; N]],
    pieces: &[[Piece<STEPS>; M]],
) -> [__m512; M] {
    let mut sums = [_mm512_setzero_ps(); M];
    for ((codes, scales), pieces) in codes.as_chunks::<STEPS>().0.iter().zip(scales).zip(pieces) {
        let products = bytes(codes, pieces);
        add(&mut sums, products, scales, pieces);
    }
    sums
}

/// The whole-number products of a block of 4-bit codes, around the middle of the codes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn halves<const M: usize>(codes: &[[u8; 64]; 4], pieces: &[Piece<8>; M]) -> [__m512; M] {
    let mut sums = starts(pieces);
    for (at, codes) in codes.iter().enumerate() {
        ahead(codes.as_ptr(), CODES_AHEAD);
        let codes = load_bytes(codes);
        let low = _mm512_and_si512(codes, _mm512_set1_epi8(15));
        let high = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), _mm512_set1_epi8(15));
        for (sum, piece) in sums.iter_mut().zip(pieces) {
            *sum = add_products(*sum, low, &piece.steps[2 * at]);
        }
        for (sum, piece) in sums.iter_mut().zip(pieces) {
            *sum = add_products(*sum, high, &piece.steps[2 * at + 1]);
        }
    }
    floats(sums)
}

/// The same of a block of 8-bit codes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn bytes<const M: usize, const STEPS: usize>(codes: &[[u8; 64]; STEPS], pieces: &[Piece<STEPS>; M]) -> [__m512; M] {
    let mut sums = starts(pieces);
    for (at, codes) in codes.iter().enumerate() {
        ahead(codes.as_ptr(), CODES_AHEAD);
        let codes = load_bytes(codes);
        for (sum, piece) in sums.iter_mut().zip(pieces) {
            *sum = add_products(*sum, codes, &piece.steps[at]);
        }
    }
    floats(sums)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn starts<const M: usize, const STEPS: usize>(pieces: &[Piece<STEPS>; M]) -> [__m512i; M] {
    let mut sums = [_mm512_setzero_si512(); M];
    for (sum, piece) in sums.iter_mut().zip(pieces) {
        *sum = _mm512_set1_epi32(piece.start);
    }
    sums
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn floats<const M: usize>(sums: [__m512i; M]) -> [__m512; M] {
    let mut floats = [_mm512_setzero_ps(); M];
    for (float, sum) in floats.iter_mut().zip(sums) {
        *float = _mm512_cvtepi32_ps(sum);
    }
    floats
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn add<const M: usize, const STEPS: usize, const N: usize>(
    sums: &mut [__m512; M],
    products: [__m512; M],
    scales: &[u8; N],
    pieces: &[Piece<STEPS>; M],
) {
    ahead(scales.as_ptr(), SCALES_AHEAD);
    let scales = load_floats(scales);
    for ((sum, product), piece) in sums.iter_mut().zip(products).zip(pieces) {
        *sum = _mm512_fmadd_ps(product, _mm512_mul_ps(scales, _mm512_set1_ps(piece.scale)), *sum);
    }
}

/// The zeros of one of two blocks, counted from the middle of the codes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn zero(pairs: &[u8; PANEL_ROWS], which: usize) -> __m512 {
    let shifted = _mm512_srlv_epi32(load_widened(pairs), _mm512_set1_epi32(which as i32 * 4));
    let zero = _mm512_and_si512(shifted, _mm512_set1_epi32(15));
    _mm512_cvtepi32_ps(_mm512_sub_epi32(zero, _mm512_set1_epi32(8)))
}
