//! ONNX Runtime sessions as finch has them: threads that rest between passes, and kernels of its own where there are any.
//!
//! Knows graphs as bytes and nothing of what they compute. `network` opens models with it, `machine` the yardstick.

use std::path::Path;

use finch_kernels::Processor;
use ort::session::{
    Session,
    builder::{GraphOptimizationLevel, SessionBuilder},
};

use crate::{Kernels, Runtime, operators};

/// How a session is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionOptions {
    pub(crate) threads: usize,
    pub(crate) capacity: usize,
    pub(crate) kernels: Kernels,
}

/// A session for a graph in a file. Where the processor has kernels of ours, the graph is changed to use them.
pub(crate) fn open(runtime: &Runtime, path: &Path, options: SessionOptions) -> ort::Result<Session> {
    let mut builder = builder(runtime, options)?;
    let Some(processor) = processor(options) else {
        return builder.commit_from_file(path);
    };
    let graph = std::fs::read(path).map_err(|error| ort::Error::new(error.to_string()))?;
    let folder = path.parent().unwrap_or(path).to_string_lossy();
    let builder = builder.with_config_entry("session.model_external_initializers_file_folder_path", folder)?;
    with_our_kernels(builder, &graph, processor, options)
}

/// The same for a graph in memory, with all its weights.
pub(crate) fn open_whole(runtime: &Runtime, graph: &[u8], options: SessionOptions) -> ort::Result<Session> {
    let mut builder = builder(runtime, options)?;
    match processor(options) {
        Some(processor) => with_our_kernels(builder, graph, processor, options),
        None => builder.commit_from_memory(graph),
    }
}

fn builder(runtime: &Runtime, options: SessionOptions) -> ort::Result<SessionBuilder> {
    Ok(Session::builder(runtime.environment())?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_intra_threads(options.threads)?
        .with_inter_threads(1)?
        // Without spinning a token takes up to 40 % longer; a few dozen microseconds bridge the gaps inside a pass,
        // and between passes threads sleep, so an idle engine costs nothing.
        .with_config_entry("session.intra_op.spin_duration_us", "50")?
        .with_config_entry("session.force_spinning_stop", "1")?)
}

fn processor(options: SessionOptions) -> Option<Processor> {
    match options.kernels {
        Kernels::Auto => Processor::detect(),
        Kernels::OnnxRuntime => None,
    }
}

fn with_our_kernels(
    builder: SessionBuilder,
    graph: &[u8],
    processor: Processor,
    options: SessionOptions,
) -> ort::Result<Session> {
    let graph = finch_model::kernels::rewrite(graph).map_err(|error| ort::Error::new(error.to_string()))?;
    builder.with_operators(operators::domain(processor, options.threads)?)?.commit_from_memory(&graph)
}
