//! Many rows of activations: panels of the matrix are widened for arithmetic and used for all rows.
//!
//! A panel's codes become signed bytes, with the sums that make up for unsigned activations. A tile of two panels and a few rows of activations stays in registers over all columns.
//! Reading prompts is this.

use std::arch::x86_64::{
    __m512, __m512i, _mm512_and_si512, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_mul_ps,
    _mm512_mullo_epi32, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512,
    _mm512_slli_epi32, _mm512_srli_epi16, _mm512_srlv_epi32, _mm512_sub_epi8, _mm512_sub_epi32, _mm512_xor_si512,
};
use std::cell::RefCell;

use super::{
    BLOCK, Bits, Matrix, PANEL_ROWS, Product, Room,
    activations::{Line, ManyRow},
    panels::PanelScales,
};
use crate::{
    Tasks,
    lanes::{
        LANES, ahead, load, load_bytes, load_floats, load_integers, load_signed, load_some, load_widened, silu, store,
        store_integers, store_signed, store_some,
    },
    shared::Shared,
};

/// Rows of activations in a tile: with two panels, whole-number and float sums together fill the registers.
const TILE_ROWS: usize = 6;

/// A widened panel.
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
        let index = start / PANEL_ROWS;
        match self.product {
            Product::Plain { matrix, .. } => {
                lay_out(matrix, index, first);
                // Behind the last panel it is repeated, and what comes of it is not stored.
                lay_out(matrix, (index + 1).min(matrix.shape().panels() - 1), second);
            }
            Product::Gated { gate, up } => {
                lay_out(gate, index, first);
                lay_out(up, index, second);
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

/// Widens the codes of a panel to signed bytes.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn lay_out(matrix: &Matrix<'_>, index: usize, panel: &mut Panel) {
    let shape = matrix.shape();
    let blocks = shape.blocks();
    panel.codes.resize(shape.columns / 4, Line([0; 64]));
    panel.starts.resize(blocks, Line([0; LANES]));
    panel.scales.resize(blocks, Line([0.0; LANES]));
    match matrix.scales(index) {
        PanelScales::Half(scales) => lay_out_scales(scales, &mut panel.scales),
        PanelScales::Single(scales) => lay_out_scales(scales, &mut panel.scales),
    }
    let codes = matrix.codes(index);
    // The next panel is asked for while this one is laid out.
    let ask = |codes: &[u8; 64]| ahead(codes.as_ptr(), PANEL_ROWS * shape.code_bytes());
    match shape.bits {
        Bits::Eight => {
            let middle = _mm512_set1_epi8(i8::MIN);
            for (out, codes) in panel.codes.iter_mut().zip(codes) {
                ask(codes);
                store_signed(&mut out.0, _mm512_xor_si512(load_bytes(codes), middle));
            }
        }
        Bits::Four => {
            let zeros = matrix.zeros(index);
            let out = panel.codes.as_chunks_mut::<8>().0;
            for (block, (out, codes)) in out.iter_mut().zip(codes.as_chunks::<4>().0).enumerate() {
                let zero = zeros.map_or(_mm512_set1_epi8(8), |zeros| zero(&zeros[block / 2], block % 2));
                for (out, codes) in out.as_chunks_mut::<2>().0.iter_mut().zip(codes) {
                    ask(codes);
                    let codes = load_bytes(codes);
                    let low = _mm512_and_si512(codes, _mm512_set1_epi8(15));
                    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), _mm512_set1_epi8(15));
                    store_signed(&mut out[0].0, _mm512_sub_epi8(low, zero));
                    store_signed(&mut out[1].0, _mm512_sub_epi8(high, zero));
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

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn lay_out_scales<const N: usize>(scales: &[[u8; N]], out: &mut [Line<[f32; LANES]>]) {
    for (target, panel) in out.iter_mut().zip(scales) {
        // The next panel's.
        ahead(panel.as_ptr(), size_of_val(scales));
        store(&mut target.0, load_floats(panel));
    }
}

/// The zeros of one of two blocks, each in every byte of its lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn zero(pairs: &[u8; PANEL_ROWS], which: usize) -> __m512i {
    let shifted = _mm512_srlv_epi32(load_widened(pairs), _mm512_set1_epi32(which as i32 * 4));
    let zero = _mm512_and_si512(shifted, _mm512_set1_epi32(15));
    _mm512_mullo_epi32(zero, _mm512_set1_epi32(0x0101_0101))
}
