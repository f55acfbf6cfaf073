//! A model put to a short use: loaded as an engine loads it, and a few tokens computed.
//!
//! What can go wrong with a model's files goes wrong here. Whoever does not know a file does this where nothing is lost
//! if it hangs, dies or eats all memory; `finch` does it in a child process of its own.

use std::path::Path;

use finch_model::{
    chat::ChatTemplates,
    manifest::{GRAPH_FILE, Manifest},
};

use crate::{
    EngineError, EngineOptions, Kernels, Runtime, engine::session_options, graph, limits, network::Network,
    prompt::Prompts, vocabulary::Vocabulary,
};

/// Loads a model and computes a little with it.
///
/// # Errors
/// [`EngineError`] that names the file which is not what it should be.
pub fn run(runtime: &Runtime, model_dir: &Path, kernels: Kernels) -> Result<(), EngineError> {
    let options = EngineOptions {
        threads: Some(1),
        context_tokens_max: limits::CONTEXT_TOKENS_MIN,
        kernels,
        ..EngineOptions::default()
    };
    let manifest = Manifest::read(model_dir)?;
    // What takes no time first.
    graph::check(model_dir, &manifest)?;
    let vocabulary = Vocabulary::load(model_dir, &manifest)?;
    let templates = ChatTemplates::read(model_dir, &manifest)?;
    Prompts::new(vocabulary, &manifest, None, options.context_tokens_max).with_templates(templates, &manifest);
    let mut network = Network::load(runtime, model_dir, &manifest, session_options(&options))?;
    let mut slot = network.slot();
    let last = u32::try_from(manifest.shape.vocab - 1).unwrap_or(u32::MAX);
    // Several at once, and one behind them: what an engine does. The last id shows whether there are as many.
    for tokens in [[0, last / 2, last].as_slice(), &[0]] {
        let of_graph = |problem: String| EngineError::Model { path: model_dir.join(GRAPH_FILE), problem };
        let logits = network.forward(&mut slot, tokens, 1).map_err(|error| of_graph(error.to_string()))?;
        if !logits.iter().all(|logit| logit.is_finite()) {
            return Err(of_graph("computes what are no numbers".to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
