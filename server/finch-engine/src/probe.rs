//! What a built model does on this machine: its context, how it fills in, how fast, and in how much memory.
//!
//! Loads the model in this process and runs it a little. `finch model probe` prints the report.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use finch_model::manifest::{InfillStyle, Manifest, Quant};

use crate::{
    EngineError, EngineOptions, Runtime,
    engine::session_options,
    kl::CORPUS,
    network::{Network, Slot},
    sampler::likeliest,
    vocabulary::Vocabulary,
};

/// Prompt tokens of the measurement, as far as the context allows.
const PREFILL_TOKENS: usize = 256;
/// Tokens generated behind them.
const DECODE_TOKENS: usize = 32;

/// What a model is and does here.
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeReport {
    pub model: String,
    pub architecture: String,
    pub quant: Quant,
    pub infill: InfillStyle,
    /// Tokens the model holds.
    pub context_tokens_max: usize,
    pub load: Duration,
    pub threads: usize,
    pub prefill_tokens_per_s: f64,
    pub decode_tokens_per_s: f64,
    /// Memory of this process after the measurement, where the system tells.
    pub memory_bytes: Option<u64>,
}

/// Loads a model and measures it.
pub fn probe(runtime: &Runtime, model_dir: &Path) -> Result<ProbeReport, EngineError> {
    let started = Instant::now();
    let manifest = Manifest::read(model_dir)?;
    let options = session_options(&EngineOptions::default());
    let mut network = Network::load(runtime, model_dir, &manifest, options)?;
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
    let decode_tokens_per_s = decode_speed(&mut network, &mut slot, first)?;
    Ok(ProbeReport {
        model: manifest.id.to_string(),
        architecture: manifest.architecture,
        quant: manifest.quant,
        infill: manifest.infill,
        context_tokens_max: manifest.shape.context_tokens_max,
        load,
        threads: options.threads,
        prefill_tokens_per_s,
        decode_tokens_per_s,
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
    use crate::testing::{TinyModel, runtime};

    #[test]
    fn a_probe_says_what_a_model_is_and_does() {
        let model = TinyModel::new(TinySpec::default(), Quant::Int8);
        let report = probe(&runtime(), &model.dir).unwrap();
        assert_eq!((&*report.model, &*report.architecture, report.quant), ("tiny", "llama", Quant::Int8));
        assert!(report.prefill_tokens_per_s > 0.0 && report.decode_tokens_per_s > 0.0, "{report:?}");
        assert!(report.context_tokens_max >= 512 && report.threads >= 1, "{report:?}");
    }
}
