//! Reads how far a model reaches and how its positions are scaled.
//!
//! Some scalings depend on the length of the context, and keys are kept rotated, so a build settles on one length: that
//! of its tables. Knows keys and tensors; the numbers are `rotary`'s. Called by `shape`.

use super::keys::Keys;
use super::rotary::{Edges, Rotary, Scaling};
use crate::checkpoint::CheckpointError;
use crate::limits;

/// The tensor that divides each frequency, where a file has one.
const FACTORS: &str = "rope_freqs.weight";
/// The same for contexts up to and beyond the original length.
const SHORT_FACTORS: &str = "rope_factors_short.weight";
const LONG_FACTORS: &str = "rope_factors_long.weight";

/// Tensors that have their place in the tables.
pub(super) const TENSORS: [&str; 3] = [FACTORS, SHORT_FACTORS, LONG_FACTORS];

/// How positions are scaled, and how many there are.
struct Reach {
    base: f64,
    scaling: Scaling,
    magnitude: f64,
    /// The tensor of factors, if the model has one.
    factors: Option<&'static str>,
    positions: usize,
}

/// Reads the tables of layers that see everything.
pub(super) fn read(keys: &Keys<'_>, pairs: usize, columns: usize, asked: usize) -> Result<Rotary, CheckpointError> {
    let Reach { base, scaling, magnitude, factors, positions } = reach(keys, pairs, asked)?;
    let factors = factors.map_or(Ok(Vec::new()), |tensor| divisors(keys, tensor, pairs))?;
    Ok(Rotary { pairs, columns, positions, base, scaling, factors, magnitude })
}

/// The tables of layers with a window, in a family where those differ: their positions are never scaled.
pub(super) fn local(keys: &Keys<'_>, base: f64, global: &Rotary) -> Result<Rotary, CheckpointError> {
    let base = keys.float_or("rope.freq_base_swa", base)?;
    Ok(Rotary { base, scaling: Scaling::None, factors: Vec::new(), magnitude: 1.0, ..global.clone() })
}

fn reach(keys: &Keys<'_>, pairs: usize, asked: usize) -> Result<Reach, CheckpointError> {
    let trained = keys.size("context_length", limits::CONTEXT_TOKENS_MAX)?;
    let original = keys.size_or("rope.scaling.original_context_length", limits::CONTEXT_TOKENS_MAX, trained)?;
    let asked = asked.clamp(1, limits::ROTARY_POSITIONS_MAX);
    let has = |tensor: &'static str| keys.checkpoint.tensor(tensor).is_some();
    let mut reach = Reach {
        base: keys.float_or("rope.freq_base", 10_000.0)?,
        scaling: Scaling::None,
        magnitude: 1.0,
        factors: has(FACTORS).then_some(FACTORS),
        positions: trained.min(asked),
    };
    let factor = || keys.float("rope.scaling.factor");
    // A model may say how long it is scaled to, or only by how much.
    let scaled = |factor: f64| trained.max((original as f64 * factor) as usize).min(asked);
    match keys.text("rope.scaling.type")? {
        None | Some("none" | "longrope") if has(SHORT_FACTORS) || has(LONG_FACTORS) => {
            let scale = trained as f64 / original as f64;
            let stretched = (1.0 + scale.max(1.0).ln() / (original.max(2) as f64).ln()).sqrt();
            reach.magnitude = keys.float_or("rope.scaling.attn_factor", stretched)?;
            reach.factors = Some(if reach.positions > original { LONG_FACTORS } else { SHORT_FACTORS });
        }
        None | Some("none") => {}
        Some("linear") => reach.scaling = Scaling::Linear { factor: factor()? },
        Some("dynamic") => {
            let factor = factor()?;
            reach.positions = scaled(factor);
            let excess = (factor * reach.positions as f64 / trained as f64 - (factor - 1.0)).max(1.0);
            let dim = 2.0 * pairs as f64;
            reach.base *= excess.powf(dim / (dim - 2.0).max(1.0));
        }
        Some("yarn") => {
            let factor = factor()?;
            let fast = keys.float_or("rope.scaling.yarn_beta_fast", 32.0)?;
            let slow = keys.float_or("rope.scaling.yarn_beta_slow", 1.0)?;
            reach.positions = scaled(factor);
            let cut = keys.checkpoint.flag(&keys.name("rope.scaling.yarn_truncate")).unwrap_or(true);
            let edges = if cut { Edges::OnPairs } else { Edges::Exact };
            reach.scaling = Scaling::Yarn { factor, fast, slow, original: original as f64, edges };
            let stretched = 1.0 + 0.1 * factor.max(1.0).ln();
            reach.magnitude = stretched * keys.float_or("rope.scaling.attn_factor", 1.0)?;
        }
        Some(other) => return Err(keys.checkpoint.unsupported(format!("rotary scaling {other}"))),
    }
    Ok(reach)
}

fn divisors(keys: &Keys<'_>, name: &str, count: usize) -> Result<Vec<f32>, CheckpointError> {
    let Some(tensor) = keys.checkpoint.tensor(name) else {
        return Err(keys.checkpoint.broken(format!("it has no tensor {name}")));
    };
    if tensor.dims() != [count] {
        return Err(keys.checkpoint.broken(format!("tensor {name} is not {count} numbers")));
    }
    let factors = tensor.numbers();
    if factors.iter().any(|factor| !factor.is_finite() || *factor <= 0.0) {
        return Err(keys.checkpoint.broken(format!("tensor {name} has factors that are not positive")));
    }
    Ok(factors)
}
