//! Times single passes of a model: for benchmarks and for what `finch model probe` reports.
//!
//! Loads a model of its own and feeds it the tokens of a fixed text. Not used while serving.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use finch_model::manifest::Manifest;

use crate::{
    EngineError, EngineOptions, Runtime,
    engine::session_options,
    kl::CORPUS,
    network::{Network, Slot},
    vocabulary::Vocabulary,
};

/// A model whose passes can be timed one by one.
pub struct Meter {
    network: Network,
    slot: Slot,
    tokens: Vec<u32>,
    load: Duration,
}

impl Meter {
    /// Loads a model directory.
    pub fn load(runtime: &Runtime, model_dir: &Path, options: EngineOptions) -> Result<Self, EngineError> {
        let started = Instant::now();
        let manifest = Manifest::read(model_dir)?;
        let mut network = Network::load(runtime, model_dir, &manifest, session_options(&options))?;
        let slot = network.slot();
        let load = started.elapsed();
        let vocabulary = Vocabulary::load(model_dir, &manifest)?;
        let tokens = vocabulary.encode(CORPUS).map_err(|error| EngineError::Runtime { problem: error.to_string() })?;
        let tokens = tokens.into_iter().cycle().take(network.capacity()).collect();
        Ok(Self { network, slot, tokens, load })
    }

    /// How long the session took to load.
    #[must_use]
    pub fn load_time(&self) -> Duration {
        self.load
    }

    /// Tokens that fit.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.network.capacity()
    }

    /// One pass over `count` tokens behind `past` others, with the logits of the last `rows`.
    ///
    /// What stands in front need not have been computed: the time does not depend on it.
    pub fn pass(&mut self, past: usize, count: usize, rows: usize) -> Result<Duration, EngineError> {
        let front = &self.tokens[..past];
        self.slot.pretend(front);
        let started = Instant::now();
        self.network.forward(&mut self.slot, &self.tokens[past..past + count], rows)?;
        Ok(started.elapsed())
    }
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter").field("load", &self.load).finish_non_exhaustive()
    }
}
