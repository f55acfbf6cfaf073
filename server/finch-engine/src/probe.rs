//! What a built model does on this machine: how fast, in how much memory, and what it can be asked for.
//!
//! Loads the model in this process and runs it a little. `finch model probe` prints the reports; `finch doctor` takes the
//! first of them for its proof.

mod abilities;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use finch_model::manifest::{InfillStyle, Manifest, Quant};

use crate::{
    EngineError, EngineOptions, Runtime,
    device::Placement,
    engine::session_options,
    estimate::{Sizes, Speed},
    kl::CORPUS,
    limits,
    machine::Rates,
    network::{Network, Slot},
    sampler::likeliest,
    vocabulary::Vocabulary,
};

pub use abilities::{Abilities, Ability, examine};

/// Prompt tokens of the measurement, as far as the context allows.
const PREFILL_TOKENS: usize = 256;
/// Tokens generated behind them.
const DECODE_TOKENS: usize = 32;

/// What a model is and how fast it is here.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeReport {
    pub model: String,
    pub architecture: String,
    pub quant: Quant,
    pub infill: InfillStyle,
    /// Tokens the model holds.
    pub context_tokens_max: usize,
    /// Tokens of prompt and answer that it is run with.
    pub context_tokens: usize,
    pub load: Duration,
    pub threads: usize,
    /// Where it computes.
    pub placement: Placement,
    pub rates: Rates,
    /// How fast it would be if nothing but reading weights and multiplying took time.
    pub limit: Speed,
    /// How fast it was expected to be.
    pub expected: Speed,
    /// How fast it reads a prompt of 256 tokens and writes behind it.
    pub measured: Speed,
    /// Tokens of an answer in a second behind a long context, and how long it was.
    pub far: (usize, f64),
    /// Memory of this process after the measurement, where the system tells.
    pub memory_bytes: Option<u64>,
}

/// Loads a model and measures it.
pub fn probe(runtime: &Runtime, model_dir: &Path, options: EngineOptions) -> Result<ProbeReport, EngineError> {
    let manifest = Manifest::read(model_dir)?;
    let sizes = Sizes::read(model_dir, &manifest)?;
    // Measured first: what the model computes leaves threads and memory busy.
    let rates = Rates::measure(Some(runtime), &options);
    let session = session_options(&options);
    let started = Instant::now();
    let mut network = Network::load(runtime, model_dir, &manifest, session)?;
    let vocabulary = Vocabulary::load(model_dir, &manifest)?;
    let mut slot = network.slot();
    let load = started.elapsed();
    let mut tokens = vocabulary.encode(CORPUS).map_err(|error| EngineError::Runtime { problem: error.to_string() })?;
    tokens.truncate(PREFILL_TOKENS.min(network.capacity() / 2));
    // The first pass sets buffers up.
    network.forward(&mut slot, &tokens, 1)?;
    slot.truncate(0);
    let started = Instant::now();
    let first = likeliest(network.forward(&mut slot, &tokens, 1)?);
    let prefill_tokens_per_s = tokens.len() as f64 / started.elapsed().as_secs_f64();
    let measured = Speed {
        prefill_tokens_per_s: Some(prefill_tokens_per_s),
        decode_tokens_per_s: decode_speed(&mut network, &mut slot, first)?,
    };
    let far = far_speed(&mut network, &mut slot, &tokens)?;
    Ok(ProbeReport {
        model: manifest.id.to_string(),
        architecture: manifest.architecture,
        quant: manifest.quant,
        infill: manifest.infill,
        context_tokens_max: manifest.shape.context_tokens_max,
        context_tokens: network.capacity(),
        load,
        threads: session.threads,
        placement: network.placement().clone(),
        rates,
        limit: sizes.limit(&rates),
        expected: sizes.expected(&rates),
        measured,
        far,
        memory_bytes: memory_bytes(),
    })
}

fn decode_speed(network: &mut Network, slot: &mut Slot, first: Option<usize>) -> Result<f64, EngineError> {
    let count = DECODE_TOKENS.min(network.capacity() - slot.tokens().len());
    let mut token = first;
    let started = Instant::now();
    for _ in 0..count {
        let id = token.and_then(|token| u32::try_from(token).ok()).unwrap_or(0);
        token = likeliest(network.forward(slot, &[id], 1)?);
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// The speed at the end of a context that holds what a user may fill it with. The time does not depend on its content,
/// only on its being there.
fn far_speed(network: &mut Network, slot: &mut Slot, tokens: &[u32]) -> Result<(usize, f64), EngineError> {
    let context = network.capacity().min(limits::PROBE_CONTEXT_TOKENS_MAX);
    let count = context.saturating_sub(DECODE_TOKENS).max(1);
    let held = tokens.iter().copied().cycle().take(count).collect();
    let state = vec![1.0; count * network.token_bytes() / size_of::<f32>()];
    if !network.restore(slot, held, &state) {
        return Err(EngineError::Runtime { problem: "a context could not be filled".to_owned() });
    }
    Ok((context, decode_speed(network, slot, None)?))
}

#[cfg(target_os = "linux")]
fn memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(not(target_os = "linux"))]
fn memory_bytes() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use finch_model::{manifest::Quant, tiny::TinySpec};

    use super::probe;
    use crate::{
        EngineOptions,
        testing::{TinyModel, runtime},
    };

    #[test]
    fn a_probe_says_what_a_model_is_and_how_fast() {
        let model = TinyModel::new(TinySpec::default(), Quant::Int8);
        let options = EngineOptions { context_tokens_max: 512, ..EngineOptions::default() };
        let report = probe(&runtime(), &model.dir, options).unwrap();
        assert_eq!((&*report.model, &*report.architecture, report.quant), ("tiny", "llama", Quant::Int8));
        assert_eq!((report.context_tokens, report.far.0), (512, 512));
        assert!(report.context_tokens_max >= 512 && report.threads >= 1, "{report:?}");
        for speed in [report.limit, report.expected, report.measured] {
            assert!(speed.prefill_tokens_per_s > Some(0.0) && speed.decode_tokens_per_s > 0.0, "{report:?}");
        }
        assert!(report.far.1 > 0.0, "{report:?}");
    }
}
