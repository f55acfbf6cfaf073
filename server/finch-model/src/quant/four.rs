//! Rounds floats to 4-bit blocks with as little weighted error as a bounded search finds.
//!
//! For every block a few candidate grids are laid over its range, the codes rounded, the scale fitted to the codes by
//! weighted least squares, and the best grid kept. Large numbers weigh more: they carry most of a product. Called by
//! `quant` alone.

use super::{BLOCK, QuantRow, narrow};

/// How far the range is shrunk for each candidate grid: cutting off an outlier may pay for the rest.
const SHRINKS: [f32; 8] = [1.06, 1.0, 0.94, 0.88, 0.82, 0.76, 0.7, 0.62];

/// How often the best grid is laid again under the scale fitted to its codes.
const REFINEMENTS: usize = 2;

/// Sums are kept in this many lanes, which is what lets a compiler use wide instructions for them.
const LANES: usize = 8;

/// Adding and taking this away rounds a small `f32` to a whole number, in a form compilers vectorise.
const ROUNDER: f32 = 12_582_912.0;

/// Codes are whole numbers near `number / scale + zero`.
#[derive(Clone, Copy)]
struct Grid {
    scale: f32,
    zero: f32,
}

/// Quantises a row with a zero of its own for each block.
pub(super) fn search(floats: &[f32], row: QuantRow<'_>) {
    row.zeros.fill(0);
    let targets = row.codes.chunks_exact_mut(BLOCK / 2).zip(row.scales.iter_mut());
    for (index, (floats, (codes, scale))) in floats.as_chunks::<BLOCK>().0.iter().zip(targets).enumerate() {
        let weights = weights(floats);
        let grid = best(floats, &weights);
        let rounded = round(floats, grid);
        *scale = narrow(fit(floats, &weights, grid).scale);
        pack(&rounded, 0, codes);
        row.zeros[index / 2] |= (grid.zero as u8) << (index % 2 * 4);
    }
}

/// Two codes to a byte, the earlier one in the low half; `zero` is added to each.
pub(super) fn pack(codes: &[i8], zero: i8, out: &mut [u8]) {
    for (byte, pair) in out.iter_mut().zip(codes.as_chunks::<2>().0) {
        *byte = (pair[0] + zero).cast_unsigned() | (pair[1] + zero).cast_unsigned() << 4;
    }
}

/// Numbers count by their size, and none for nothing.
fn weights(floats: &[f32; BLOCK]) -> [f32; BLOCK] {
    let mean_square = floats.iter().map(|number| number * number).sum::<f32>() / BLOCK as f32;
    let level = mean_square.sqrt();
    floats.map(|number| level + number.abs())
}

fn best(floats: &[f32; BLOCK], weights: &[f32; BLOCK]) -> Grid {
    let mut best = Grid { scale: 0.0, zero: 8.0 };
    let mut gain = 0.0;
    for grid in candidates(floats) {
        let fit = fit(floats, weights, grid);
        if fit.gain > gain {
            (best, gain) = (grid, fit.gain);
        }
    }
    for _ in 0..REFINEMENTS {
        let refined = Grid { scale: fit(floats, weights, best).scale, zero: best.zero };
        let fit = fit(floats, weights, refined);
        if fit.gain > gain {
            (best, gain) = (refined, fit.gain);
        }
    }
    best
}

fn candidates(floats: &[f32; BLOCK]) -> impl Iterator<Item = Grid> {
    let low = floats.iter().fold(0.0_f32, |low, number| low.min(*number));
    let high = floats.iter().fold(0.0_f32, |high, number| high.max(*number));
    SHRINKS.into_iter().flat_map(move |shrink| {
        let scale = (high - low) * shrink / 15.0;
        let zero = if scale > 0.0 { (-low * shrink / scale).round_ties_even().clamp(0.0, 15.0) } else { 8.0 };
        // The neighbouring zeros trade one end of the range against the other.
        [zero, (zero - 1.0).max(0.0), (zero + 1.0).min(15.0)].map(|zero| Grid { scale, zero })
    })
}

/// The scale that suits the codes of a grid best, and how much of the block it explains.
struct Fit {
    scale: f32,
    /// Weighted square sum of the block minus the weighted square error: what a better grid has more of.
    gain: f32,
}

fn fit(floats: &[f32; BLOCK], weights: &[f32; BLOCK], grid: Grid) -> Fit {
    let inverse = inverse(grid.scale);
    let (mut across, mut along) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    let chunks = floats.as_chunks::<LANES>().0.iter().zip(weights.as_chunks::<LANES>().0);
    for (floats, weights) in chunks {
        for lane in 0..LANES {
            let step = whole(floats[lane] * inverse + grid.zero) - grid.zero;
            let weighted = weights[lane] * step;
            across[lane] += weighted * floats[lane];
            along[lane] += weighted * step;
        }
    }
    let (across, along) = (across.iter().sum::<f32>(), along.iter().sum::<f32>());
    // With the fitted scale the error is the block's square sum less `across² / along`, so no second pass is needed.
    if along > 0.0 {
        Fit { scale: across / along, gain: across * across / along }
    } else {
        Fit { scale: 0.0, gain: 0.0 }
    }
}

fn round(floats: &[f32; BLOCK], grid: Grid) -> [i8; BLOCK] {
    let inverse = inverse(grid.scale);
    // The cast saturates, and a NaN becomes zero.
    floats.map(|number| whole(number * inverse + grid.zero) as i8)
}

fn whole(code: f32) -> f32 {
    (code.clamp(0.0, 15.0) + ROUNDER) - ROUNDER
}

fn inverse(scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { 1.0 / scale }
}
