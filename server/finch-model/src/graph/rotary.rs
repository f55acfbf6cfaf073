//! The cosine and sine tables of rotary positions.
//!
//! Every way of scaling positions that finch supports ends here, in two tables of numbers; attention only looks them up.
//! Called by `graph`; `shape` reads the parameters.

/// The tensor that holds a factor for each frequency, where a file has one.
pub(super) const FACTORS: &str = "rope_freqs.weight";

/// What the tables depend on.
#[derive(Debug)]
pub(super) struct Rotary {
    pub(super) head_dim: usize,
    pub(super) positions: usize,
    pub(super) base: f64,
    /// Positions are divided by this.
    pub(super) stretch: f64,
    /// Frequencies are divided by these; empty for none.
    pub(super) factors: Vec<f32>,
}

/// Cosines and sines, one row of `head_dim / 2` for each position.
pub(super) fn tables(rotary: &Rotary) -> (Vec<f32>, Vec<f32>) {
    let half = rotary.head_dim / 2;
    let frequency = |index: usize| {
        let factor = rotary.factors.get(index).map_or(1.0, |factor| f64::from(*factor));
        rotary.base.powf(-(index as f64) / half as f64) / (rotary.stretch * factor)
    };
    let frequencies: Vec<f64> = (0..half).map(frequency).collect();
    let angles = (0..rotary.positions).flat_map(|place| frequencies.iter().map(move |turn| place as f64 * turn));
    angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).unzip()
}
