//! Many rows of activations: pieces of the matrix are laid out for arithmetic and used for all rows.
//!
//! Sixteen matrix rows become a panel: their signed codes, four columns of each to a register, with the sums that make up
//! for unsigned activations. A tile of two panels and a few rows of activations stays in registers over all columns.
//! Reading prompts is this.

use std::arch::x86_64::{
    __m512, __m512i, _mm512_and_si512, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_mul_ps,
    _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_shuffle_i32x4,
    _mm512_slli_epi32, _mm512_srli_epi16, _mm512_sub_epi8, _mm512_sub_epi32, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64, _mm512_xor_si512,
};
use std::cell::RefCell;

use super::{
    BLOCK, Bits, Matrix, Product, Room,
    activations::{Line, ManyRow},
};
use crate::{
    Tasks,
    lanes::{
        LANES, ahead, load, load_integers, load_signed, load_some, load_some_bytes, silu, store_integers, store_signed,
        store_some,
    },
    shared::Shared,
};

/// Rows of activations in a tile: with two panels, whole-number and float sums together fill the registers.
const TILE_ROWS: usize = 6;

/// Sixteen rows of a matrix.
#[derive(Debug, Default)]
struct Panel {
    /// A register a step.
    codes: Vec<Line<[i8; 64]>>,
    /// For every block, where its sums start: what unsigned activations add too much, negative.
    starts: Vec<Line<[i32; LANES]>>,
    scales: Vec<Line<[f32; LANES]>>,
}

thread_local! {
    /// Kept from product to product: a thread lays out one pair of panels at a time.
    static PANELS: RefCell<[Panel; 2]> = RefCell::default();
}

pub(super) fn multiply(tasks: &dyn Tasks, product: &Product<'_>, input: &[f32], output: &mut [f32], room: &mut Room) {
    let shape = product.shape();
    room.rounded.for_many(tasks, input, shape.columns, shape.bits);
    // A pair of panels is 32 rows of one matrix, or the same 16 of two.
    let step = match product {
        Product::Plain { .. } => 2 * LANES,
        Product::Gated { .. } => LANES,
    };
    let job = Job { product, output: Shared::new(output), room, rows: input.len() / shape.columns };
    let task = |index: usize| {
        PANELS.with_borrow_mut(|panels| {
            #[expect(unsafe_code, reason = "calls functions for this processor")]
            // SAFETY: this module is reached with a `Processor` of these instructions alone.
            unsafe {
                job.compute(index * step, panels);
            }
        });
    };
    tasks.run(shape.rows.div_ceil(step), &task);
}

struct Job<'j> {
    product: &'j Product<'j>,
    output: Shared<'j, f32>,
    room: &'j Room,
    rows: usize,
}

impl Job<'_> {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn compute(&self, start: usize, panels: &mut [Panel; 2]) {
        let [first, second] = panels;
        match self.product {
            Product::Plain { matrix, .. } => {
                lay_out(matrix, start, first);
                lay_out(matrix, start + LANES, second);
            }
            Product::Gated { gate, up } => {
                lay_out(gate, start, first);
                lay_out(up, start, second);
            }
        }
        let mut row = 0;
        while row < self.rows {
            let count = TILE_ROWS.min(self.rows - row);
            match count {
                1 => self.tile::<1>(row, start, panels),
                2 => self.tile::<2>(row, start, panels),
                3 => self.tile::<3>(row, start, panels),
                4 => self.tile::<4>(row, start, panels),
                5 => self.tile::<5>(row, start, panels),
                _ => self.tile::<TILE_ROWS>(row, start, panels),
            }
            row += count;
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn tile<const M: usize>(&self, first: usize, start: usize, panels: &[Panel; 2]) {
        let shape = self.product.shape();
        let rows: [ManyRow<'_>; M] = std::array::from_fn(|row| self.room.rounded.many_row(first + row));
        let sums = match shape.block {
            BLOCK => products::<M, 8>(panels, &rows),
            _ => products::<M, 4>(panels, &rows),
        };
        for (row, [low, high]) in sums.into_iter().enumerate() {
            let put = |start: usize, sums: __m512| {
                let end = (start + LANES).min(shape.rows);
                if start < end {
                    let place = (first + row) * shape.rows;
                    store_some(self.output.range(place + start..place + end), sums);
                }
            };
            match self.product {
                Product::Plain { bias, .. } => {
                    put(start, plus(low, *bias, start));
                    put(start + LANES, plus(high, *bias, start + LANES));
                }
                Product::Gated { .. } => put(start, _mm512_mul_ps(silu(low), high)),
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn plus(sums: __m512, bias: Option<&[f32]>, start: usize) -> __m512 {
    match bias.and_then(|bias| bias.get(start..)) {
        Some(bias) => _mm512_fmadd_ps(sums, _mm512_set1_ps(1.0), load_some(bias)),
        None => sums,
    }
}

/// A pair of panels with `M` rows of activations; `STEPS` of four columns to a block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn products<const M: usize, const STEPS: usize>(panels: &[Panel; 2], rows: &[ManyRow<'_>; M]) -> [[__m512; 2]; M] {
    let mut sums = [[_mm512_setzero_ps(); 2]; M];
    let [first, second] = panels;
    let codes = first.codes.as_chunks::<STEPS>().0.iter().zip(second.codes.as_chunks::<STEPS>().0);
    for (block, (low, high)) in codes.enumerate() {
        let mut whole = [[load_integers(&first.starts[block].0), load_integers(&second.starts[block].0)]; M];
        let steps: [&[i32; STEPS]; M] = std::array::from_fn(|row| &rows[row].steps.as_chunks::<STEPS>().0[block]);
        for step in 0..STEPS {
            let [low, high] = [load_signed(&low[step].0), load_signed(&high[step].0)];
            for (whole, steps) in whole.iter_mut().zip(&steps) {
                let four = _mm512_set1_epi32(steps[step]);
                whole[0] = _mm512_dpbusd_epi32(whole[0], four, low);
                whole[1] = _mm512_dpbusd_epi32(whole[1], four, high);
            }
        }
        let scales = [load(&first.scales[block].0), load(&second.scales[block].0)];
        for (row, (sums, whole)) in sums.iter_mut().zip(whole).enumerate() {
            let scale = _mm512_set1_ps(rows[row].scales[block * STEPS / 8]);
            sums[0] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole[0]), _mm512_mul_ps(scales[0], scale), sums[0]);
            sums[1] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole[1]), _mm512_mul_ps(scales[1], scale), sums[1]);
        }
    }
    sums
}

/// Lays sixteen matrix rows from `start` out; behind the last row it is repeated.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn lay_out(matrix: &Matrix<'_>, start: usize, panel: &mut Panel) {
    let shape = matrix.shape;
    let row = |lane: usize| (start + lane).min(shape.rows - 1);
    panel.codes.resize(shape.columns / 4, Line([0; 64]));
    let blocks = shape.blocks();
    panel.starts.resize(blocks, Line([0; LANES]));
    panel.scales.resize(blocks, Line([0.0; LANES]));
    for lane in 0..LANES {
        let scales = matrix.row_scales(row(lane));
        for (target, scales) in panel.scales.chunks_mut(LANES).zip(scales.chunks(LANES)) {
            ahead(scales.as_ptr(), LANES * blocks * size_of::<f32>());
            for (target, scale) in target.iter_mut().zip(scales) {
                target.0[lane] = *scale;
            }
        }
    }
    // Sixteen registers of four columns from 64 bytes of each row; a byte of 4-bit codes makes two of them.
    for (index, byte) in (0..shape.row_bytes()).step_by(64).enumerate() {
        let mut codes = [_mm512_setzero_si512(); LANES];
        for (lane, codes) in codes.iter_mut().enumerate() {
            let rest = &matrix.row_codes(row(lane))[byte..];
            // The next sixteen rows are asked for while these are laid out.
            ahead(rest.as_ptr(), LANES * shape.row_bytes());
            *codes = load_some_bytes(rest);
        }
        let codes = transpose(&codes);
        match shape.bits {
            Bits::Eight => {
                let middle = _mm512_set1_epi8(i8::MIN);
                let out = &mut panel.codes[index * LANES..];
                for (out, codes) in out.iter_mut().zip(codes) {
                    store_signed(&mut out.0, _mm512_xor_si512(codes, middle));
                }
            }
            Bits::Four => {
                let mut zeros = [_mm512_setzero_si512(); 4];
                for (block, zeros) in zeros.iter_mut().enumerate() {
                    *zeros = zeros_of(matrix, start, index * 4 + block);
                }
                let out = panel.codes[index * 2 * LANES..].as_chunks_mut::<2>().0;
                for (at, (out, codes)) in out.iter_mut().zip(codes).enumerate() {
                    let low = _mm512_and_si512(codes, _mm512_set1_epi8(15));
                    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), _mm512_set1_epi8(15));
                    store_signed(&mut out[0].0, _mm512_sub_epi8(low, zeros[at / 4]));
                    store_signed(&mut out[1].0, _mm512_sub_epi8(high, zeros[at / 4]));
                }
            }
        }
    }
    let ones = _mm512_set1_epi8(1);
    let of_block = panel.codes.chunks_exact(shape.block / 4);
    for (start, codes) in panel.starts.iter_mut().zip(of_block) {
        let mut sum = _mm512_setzero_si512();
        for codes in codes {
            sum = _mm512_dpbusd_epi32(sum, ones, load_signed(&codes.0));
        }
        store_integers(&mut start.0, _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32::<7>(sum)));
    }
}

/// The zeros of a block of sixteen rows, each in every byte of its lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn zeros_of(matrix: &Matrix<'_>, start: usize, block: usize) -> __m512i {
    let (Some(zeros), true) = (matrix.zeros, block < matrix.shape.blocks()) else {
        return _mm512_set1_epi8(8);
    };
    let bytes = matrix.shape.zero_bytes();
    let mut spread = [0; LANES];
    for (lane, spread) in spread.iter_mut().enumerate() {
        let row = (start + lane).min(matrix.shape.rows - 1);
        *spread = i32::from(zeros[row * bytes + block / 2] >> (block % 2 * 4) & 15) * 0x0101_0101;
    }
    load_integers(&spread)
}

/// Sixteen rows of sixteen integers become sixteen columns.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn transpose(rows: &[__m512i; LANES]) -> [__m512i; LANES] {
    // First inside the four 128-bit quarters of four rows, then the quarters of the four groups of rows.
    let mut quarters = [[_mm512_setzero_si512(); 4]; 4];
    for (group, quarters) in quarters.iter_mut().enumerate() {
        let [a, b, c, d] = rows.as_chunks::<4>().0[group];
        let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        *quarters = [
            _mm512_unpacklo_epi64(ab_low, cd_low),
            _mm512_unpackhi_epi64(ab_low, cd_low),
            _mm512_unpacklo_epi64(ab_high, cd_high),
            _mm512_unpackhi_epi64(ab_high, cd_high),
        ];
    }
    let mut columns = [_mm512_setzero_si512(); LANES];
    for place in 0..4 {
        let (a, b, c, d) = (quarters[0][place], quarters[1][place], quarters[2][place], quarters[3][place]);
        let (ab_even, ab_odd) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
        let (cd_even, cd_odd) = (_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xdd>(c, d));
        columns[place] = _mm512_shuffle_i32x4::<0x88>(ab_even, cd_even);
        columns[4 + place] = _mm512_shuffle_i32x4::<0x88>(ab_odd, cd_odd);
        columns[8 + place] = _mm512_shuffle_i32x4::<0xdd>(ab_even, cd_even);
        columns[12 + place] = _mm512_shuffle_i32x4::<0xdd>(ab_odd, cd_odd);
    }
    columns
}
