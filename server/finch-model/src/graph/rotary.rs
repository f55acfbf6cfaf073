//! The cosine and sine tables of rotary positions.
//!
//! Every way of scaling positions that finch supports ends here, in two tables of numbers; attention only looks them up.
//! Called by `graph`; `positions` reads the parameters.

use std::f64::consts::TAU;

/// What the tables depend on.
#[derive(Clone, Debug)]
pub(super) struct Rotary {
    /// Pairs of a head that rotate.
    pub(super) pairs: usize,
    /// Columns of the tables; those behind the pairs turn nothing.
    pub(super) columns: usize,
    pub(super) positions: usize,
    pub(super) base: f64,
    pub(super) scaling: Scaling,
    /// Frequencies are divided by these; empty for none.
    pub(super) factors: Vec<f32>,
    /// What rotated queries and keys are multiplied by.
    pub(super) magnitude: f64,
}

/// How frequencies are changed so that a model reaches further than it was trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scaling {
    None,
    /// Positions are divided.
    Linear {
        factor: f64,
    },
    /// Slow frequencies are divided, fast ones kept, and those between mixed by their index.
    Yarn {
        factor: f64,
        fast: f64,
        slow: f64,
        original: f64,
        edges: Edges,
    },
}

/// Where those between begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edges {
    /// At the nearest pair outside.
    OnPairs,
    /// Where the numbers say, between pairs.
    Exact,
}

impl Scaling {
    /// What the frequency of pair `index` becomes.
    fn of(self, frequency: f64, index: usize, rotary: &Rotary) -> f64 {
        match self {
            Scaling::None => frequency,
            Scaling::Linear { factor } => frequency / factor,
            Scaling::Yarn { factor, fast, slow, original, edges } => {
                let dim = 2.0 * rotary.pairs as f64;
                let index_of = |turns: f64| dim * (original / (turns * TAU)).ln() / (2.0 * rotary.base.ln());
                let (from, to) = match edges {
                    Edges::OnPairs => (index_of(fast).floor(), index_of(slow).ceil()),
                    Edges::Exact => (index_of(fast), index_of(slow)),
                };
                let (from, to) = (from.max(0.0), to.min(dim - 1.0));
                let keep = 1.0 - ((index as f64 - from) / (to - from).max(0.001)).clamp(0.0, 1.0);
                frequency * (keep + (1.0 - keep) / factor)
            }
        }
    }
}

/// Cosines and sines, one row for each position.
pub(super) fn tables(rotary: &Rotary) -> (Vec<f32>, Vec<f32>) {
    let frequency = |index: usize| {
        let factor = rotary.factors.get(index).map_or(1.0, |factor| f64::from(*factor));
        let plain = rotary.base.powf(-(index as f64) / rotary.pairs as f64);
        rotary.scaling.of(plain, index, rotary) / factor
    };
    let frequencies: Vec<f64> = (0..rotary.pairs).map(frequency).collect();
    let turn = |place: usize| {
        let still = std::iter::repeat_n((1.0, 0.0), rotary.columns - rotary.pairs);
        let turning = frequencies.iter().map(move |frequency| {
            let (sine, cosine) = (place as f64 * frequency).sin_cos();
            ((cosine * rotary.magnitude) as f32, (sine * rotary.magnitude) as f32)
        });
        turning.chain(still)
    };
    (0..rotary.positions).flat_map(turn).unzip()
}
