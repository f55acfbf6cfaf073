//! What this machine has to give: memory that is free to take, how fast it is read, and how fast numbers are multiplied.
//!
//! `finch model list`, `finch model probe` and the choice of a model ask. Nothing is kept: memory is taken and given back
//! while finch runs.

mod memory;

use std::{
    hint::black_box,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use finch_model::yardstick;
use ort::value::Tensor;

use crate::{EngineError, EngineOptions, Runtime, device::Placement, engine::session_options, limits, session};

pub use memory::available_bytes;

/// How fast this machine does what models need.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Bytes that the threads read from memory in a second, all together.
    pub bandwidth_bytes_per_s: f64,
    /// Products of numbers in a second, as prompts need them. None without ONNX Runtime to measure them with.
    pub products_per_s: Option<f64>,
}

impl Rates {
    /// Measures both with the threads and kernels of a model that is loaded with `options`. Takes a fraction of a second.
    #[must_use]
    pub fn measure(runtime: Option<&Runtime>, options: &EngineOptions) -> Self {
        let products_per_s = runtime.and_then(|runtime| match products_per_s(runtime, options) {
            Ok(rate) => Some(rate),
            Err(error) => {
                tracing::warn!("how fast this machine multiplies cannot be measured: {error}");
                None
            }
        });
        Self { bandwidth_bytes_per_s: bandwidth_bytes_per_s(session_options(options).threads), products_per_s }
    }
}

fn bandwidth_bytes_per_s(threads: usize) -> f64 {
    let spare = available_bytes().map_or(u64::MAX, |bytes| bytes / limits::BANDWIDTH_SHARE_PARTS);
    let bytes = limits::BANDWIDTH_BYTES.min(usize::try_from(spare).unwrap_or(usize::MAX));
    let stretch = limits::BANDWIDTH_STRETCH_BYTES / size_of::<u64>();
    // Not zeros: untouched zeros are all one page to the system.
    let words = vec![1u64; (bytes / size_of::<u64>()).max(stretch)];
    let passes = (0..limits::BANDWIDTH_PASSES).flat_map(|_| words.chunks_exact(stretch));
    let fastest = passes.map(|words| read(words, threads.max(1))).min().unwrap_or(Duration::MAX);
    limits::BANDWIDTH_STRETCH_BYTES as f64 / seconds(fastest)
}

/// How long it takes to read everything, each thread its share.
fn read(words: &[u64], threads: usize) -> Duration {
    let start = Barrier::new(threads);
    let share = words.len().div_ceil(threads);
    let sum = |share: &[u64]| {
        start.wait();
        let started = Instant::now();
        black_box(share.iter().fold(0u64, |sum, &word| sum.wrapping_add(word)));
        started.elapsed()
    };
    thread::scope(|scope| {
        let readers: Vec<_> = (0..threads)
            .map(|at| (words.len().min(at * share), words.len().min((at + 1) * share)))
            .map(|(from, to)| scope.spawn(move || sum(&words[from..to])))
            .collect();
        readers.into_iter().filter_map(|reader| reader.join().ok()).max().unwrap_or(Duration::MAX)
    })
}

fn products_per_s(runtime: &Runtime, options: &EngineOptions) -> Result<f64, EngineError> {
    let [rows, columns, tokens] = limits::YARDSTICK;
    let graph = yardstick::product(rows, columns);
    let mut session = session::open_whole(runtime, &graph, session_options(options))?.session;
    let activations = Tensor::from_array(([tokens, columns], vec![1f32; tokens * columns]))?;
    let mut fastest = Duration::MAX;
    for _ in 0..limits::YARDSTICK_PASSES {
        let started = Instant::now();
        session.run(ort::inputs![yardstick::INPUT => &activations])?;
        fastest = fastest.min(started.elapsed());
    }
    Ok((rows * columns * tokens) as f64 / seconds(fastest))
}

/// Where a model that is loaded with `options` computes, found out with a product so small that it takes no time.
pub fn placement(runtime: &Runtime, options: &EngineOptions) -> Result<Placement, EngineError> {
    let [rows, columns] = [32; 2];
    Ok(session::open_whole(runtime, &yardstick::product(rows, columns), session_options(options))?.placement)
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64().max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Rates, read};
    use crate::{EngineOptions, Kernels, testing::runtime};

    #[test]
    fn memory_is_read_by_any_number_of_threads() {
        for (words, threads) in [(1 << 16, 1), (1 << 16, 3), (2, 5)] {
            let time = read(&vec![1; words], threads);
            assert!(time < Duration::MAX, "{words} words, {threads} threads");
        }
    }

    #[test]
    fn multiplying_is_measured_with_either_kernels_and_not_without_a_library() {
        for kernels in [Kernels::Auto, Kernels::OnnxRuntime] {
            let options = EngineOptions { kernels, ..EngineOptions::default() };
            let rates = Rates::measure(Some(&runtime()), &options);
            assert!(rates.products_per_s.is_some_and(|rate| rate > 1e6), "{kernels:?}: {rates:?}");
            assert!(rates.bandwidth_bytes_per_s > 1e6, "{rates:?}");
        }
        assert_eq!(Rates::measure(None, &EngineOptions::default()).products_per_s, None);
    }
}
