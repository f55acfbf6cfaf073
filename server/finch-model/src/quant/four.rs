//! Rounds floats to 4-bit blocks with as little weighted error as a bounded search finds.
//!
//! For every block a few candidate grids are laid over its range, the codes rounded, the scale fitted to the codes by
//! weighted least squares, and the best grid kept. Large numbers weigh more: they carry most of a product. Called by
//! `quant` alone.

use super::{BLOCK, QuantRow};

/// How far the range is shrunk for each candidate grid: cutting off an outlier may pay for the rest.
const SHRINKS: [f32; 10] = [1.08, 1.0, 0.95, 0.9, 0.86, 0.82, 0.78, 0.74, 0.7, 0.62];

/// Adding and taking this away rounds an `f32` of small magnitude to a whole number, in a form compilers vectorise.
const ROUNDER: f32 = 12_582_912.0;

#[derive(Clone, Copy)]
struct Fit {
    codes: [f32; BLOCK],
    scale: f32,
    zero: f32,
    error: f32,
}

/// Quantises a row with a zero of its own for each block.
pub(super) fn search(floats: &[f32], row: QuantRow<'_>) {
    row.zeros.fill(0);
    let targets = row.codes.chunks_exact_mut(BLOCK / 2).zip(row.scales.iter_mut());
    for (index, (floats, (codes, scale))) in floats.as_chunks::<BLOCK>().0.iter().zip(targets).enumerate() {
        let fit = best_fit(floats, candidates_shifted(floats));
        *scale = fit.scale;
        pack_fit(&fit, codes);
        row.zeros[index / 2] |= (fit.zero as u8) << (index % 2 * 4);
    }
}

/// Quantises a row with zero at 8 in every block.
pub(super) fn search_symmetric(floats: &[f32], row: QuantRow<'_>) {
    let targets = row.codes.chunks_exact_mut(BLOCK / 2).zip(row.scales.iter_mut());
    for (floats, (codes, scale)) in floats.as_chunks::<BLOCK>().0.iter().zip(targets) {
        let fit = best_fit(floats, candidates_symmetric(floats));
        *scale = fit.scale;
        pack_fit(&fit, codes);
    }
}

/// Two codes to a byte, the earlier one in the low half.
pub(super) fn pack(codes: &[i8], zero: i8, out: &mut [u8]) {
    for (byte, pair) in out.iter_mut().zip(codes.as_chunks::<2>().0) {
        *byte = (pair[0] + zero).cast_unsigned() | (pair[1] + zero).cast_unsigned() << 4;
    }
}

fn pack_fit(fit: &Fit, out: &mut [u8]) {
    for (byte, pair) in out.iter_mut().zip(fit.codes.as_chunks::<2>().0) {
        *byte = pair[0] as u8 | (pair[1] as u8) << 4;
    }
}

/// Scale and zero of the grids to try for a block with a zero of its own.
fn candidates_shifted(floats: &[f32; BLOCK]) -> impl Iterator<Item = (f32, f32)> {
    let low = floats.iter().fold(0.0_f32, |low, number| low.min(*number));
    let high = floats.iter().fold(0.0_f32, |high, number| high.max(*number));
    SHRINKS.into_iter().flat_map(move |shrink| {
        let scale = (high - low) * shrink / 15.0;
        let zero = if scale > 0.0 { (-low * shrink / scale).round_ties_even().clamp(0.0, 15.0) } else { 8.0 };
        // The neighbouring zeros trade one end of the range against the other.
        [zero, (zero - 1.0).max(0.0), (zero + 1.0).min(15.0)].map(|zero| (scale, zero))
    })
}

/// The number of largest magnitude goes to code 0, which is one step further from 8 than code 15.
fn candidates_symmetric(floats: &[f32; BLOCK]) -> impl Iterator<Item = (f32, f32)> {
    let peak = floats.iter().fold(0.0_f32, |peak, number| if number.abs() > peak.abs() { *number } else { peak });
    SHRINKS.into_iter().flat_map(move |shrink| [peak * shrink / -8.0, peak * shrink / 7.5].map(|scale| (scale, 8.0)))
}

fn best_fit(floats: &[f32; BLOCK], candidates: impl Iterator<Item = (f32, f32)>) -> Fit {
    let weights = weights(floats);
    let mut best = Fit { codes: [8.0; BLOCK], scale: 0.0, zero: 8.0, error: f32::INFINITY };
    for (scale, zero) in candidates {
        let first = fit(floats, &weights, scale, zero);
        // Codes rounded again under the fitted scale are never worse under the scale fitted to them.
        let second = fit(floats, &weights, first.scale, zero);
        for fit in [first, second] {
            if fit.error < best.error {
                best = fit;
            }
        }
    }
    best
}

fn weights(floats: &[f32; BLOCK]) -> [f32; BLOCK] {
    let mean_square = floats.iter().map(|number| number * number).sum::<f32>() / BLOCK as f32;
    let level = mean_square.sqrt();
    floats.map(|number| level + number.abs())
}

/// Rounds to one grid, then fits the scale to the codes.
fn fit(floats: &[f32; BLOCK], weights: &[f32; BLOCK], scale: f32, zero: f32) -> Fit {
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let mut codes = [0.0; BLOCK];
    let (mut across, mut along) = ([0.0_f32; 8], [0.0_f32; 8]);
    for index in 0..BLOCK {
        let code = ((floats[index] * inverse + zero).clamp(0.0, 15.0) + ROUNDER) - ROUNDER;
        let step = code - zero;
        codes[index] = code;
        across[index % 8] += weights[index] * floats[index] * step;
        along[index % 8] += weights[index] * step * step;
    }
    let (across, along) = (across.iter().sum::<f32>(), along.iter().sum::<f32>());
    let scale = if along > 0.0 { across / along } else { 0.0 };
    let mut errors = [0.0_f32; 8];
    for index in 0..BLOCK {
        let miss = floats[index] - (codes[index] - zero) * scale;
        errors[index % 8] += weights[index] * miss * miss;
    }
    Fit { codes, scale, zero, error: errors.iter().sum() }
}
