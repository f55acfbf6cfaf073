//! Prompts and tokens a second beside llama.cpp's own speed program, and what our tokens cost: memory read, processor time.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use finch_engine::meter::Meter;
use finch_engine::{EngineOptions, Runtime};
use finch_model::Manifest;
use finch_model::kernels::Place;
use half::f16;

use crate::{home, peer};

const PASSES: usize = 32;
const CONTEXTS: [usize; 3] = [32, 500, 1024];
const GROWTH: [usize; 4] = [512, 1024, 2048, 4000];
/// Larger than any cache of a processor that this runs on.
const BANDWIDTH_BYTES: usize = 1 << 30;

pub(crate) fn print(id: &str) -> Result<()> {
    let threads = thread::available_parallelism()?.get();
    let (model, build) = peer::build(id)?;
    // The peer first, then ours: two pools of threads on the same cores slow each other down.
    let theirs = Figures {
        prompts: [256, 1024].map(|count| peer::tokens_per_s(&model, threads, (count, 0), 0)),
        contexts: CONTEXTS.map(|depth| peer::tokens_per_s(&model, threads, (0, PASSES), depth)),
        first: peer::tokens_per_s(&model, threads, (10, 0), 490),
    };
    let runtime = Runtime::load(&finch_engine::runtime::find(&home::home()?)?)?;
    let options = EngineOptions { threads: Some(threads), ..EngineOptions::default() };
    let started = Instant::now();
    let mut meter = Meter::load(&runtime, &home::model(id)?, options)?;
    meter.pass(0, 8, 1)?;
    let load = started.elapsed();
    let ours = Figures {
        prompts: [256, 1024].map(|count| prompt_speed(&mut meter, count)),
        contexts: CONTEXTS.map(|past| Ok(1.0 / token_time(&mut meter, past)?.as_secs_f64())),
        first: median(5, || meter.pass(490, 10, 1)).map(|time| 10.0 / time.as_secs_f64()),
    };
    println!("speed, {id} beside {build}, {threads} threads, tokens a second:");
    ours.print_beside(theirs)?;
    println!("  load and first pass: {:.0} ms", load.as_secs_f64() * 1e3);
    memory_limit(id, &mut meter, threads)?;
    growth(&mut meter)?;
    rows(&mut meter)
}

struct Figures {
    prompts: [Result<f64>; 2],
    contexts: [Result<f64>; 3],
    first: Result<f64>,
}

impl Figures {
    fn print_beside(self, theirs: Figures) -> Result<()> {
        let line = |what: String, ours: f64, theirs: f64| {
            println!("  {what}: finch {ours:.1}, llama.cpp {theirs:.1}, ratio {:.2}", ours / theirs);
        };
        for ((ours, theirs), count) in self.prompts.into_iter().zip(theirs.prompts).zip([256, 1024]) {
            line(format!("prompt of {count}"), ours?, theirs?);
        }
        for ((ours, theirs), past) in self.contexts.into_iter().zip(theirs.contexts).zip(CONTEXTS) {
            line(format!("token behind {past}"), ours?, theirs?);
        }
        let (ours, theirs) = (self.first?, theirs.first?);
        println!(
            "  first token, 490 of 500 cached: finch {:.1} ms, llama.cpp {:.1} ms, ratio of times {:.2}",
            10e3 / ours,
            10e3 / theirs,
            theirs / ours
        );
        Ok(())
    }
}

fn median(rounds: usize, mut pass: impl FnMut() -> Result<Duration, finch_engine::EngineError>) -> Result<Duration> {
    let mut times = (0..rounds).map(|_| pass()).collect::<Result<Vec<_>, _>>()?;
    times.sort();
    times.get(times.len() / 2).copied().context("no rounds")
}

fn prompt_speed(meter: &mut Meter, count: usize) -> Result<f64> {
    Ok(count as f64 / median(3, || meter.pass(0, count, 1))?.as_secs_f64())
}

/// The time of one token behind `past` others and those that follow.
fn token_time(meter: &mut Meter, past: usize) -> Result<Duration> {
    let mut at = past;
    median(PASSES, || {
        at += 1;
        meter.pass(at - 1, 1, 1)
    })
}

/// What share of the time of a token goes into reading what a token must read.
fn memory_limit(id: &str, meter: &mut Meter, threads: usize) -> Result<()> {
    let shape = Manifest::read(&home::model(id)?)?.shape;
    let folder = home::model(id)?;
    let graph = std::fs::read(folder.join(finch_model::manifest::GRAPH_FILE))?;
    let matrices = finch_model::kernels::rewrite(&graph)?.matrices;
    let mut weights = 0.0;
    for matrix in &matrices {
        let others = matrix.codes.bytes() + matrix.zeros.as_ref().map_or(0, Place::bytes);
        weights += others as f64 + scale_bytes(&folder, &matrix.scales)? as f64;
    }
    let bandwidth = bandwidth(threads);
    println!("  memory is read at {:.1} GB/s; a token reads {:.0} MB of weights", bandwidth / 1e9, weights / 1e6);
    for past in CONTEXTS {
        let cache = (past * shape.layers * shape.kv_heads * shape.head_dim * 2 * 4) as f64;
        let time = token_time(meter, past)?.as_secs_f64();
        println!("    behind {past}: {:.0} % of what memory allows", (weights + cache) / bandwidth / time * 100.0);
    }
    Ok(())
}

/// Bytes that the scales of a matrix take in memory: half as many as in the file where 16 bits hold all of them.
fn scale_bytes(folder: &Path, place: &Place) -> Result<u64> {
    let scales = match place {
        Place::Graph(bytes) => bytes.clone(),
        Place::File { name, offset, bytes } => {
            let mut scales = vec![0; usize::try_from(*bytes)?];
            File::open(folder.join(name))?.read_exact_at(&mut scales, *offset)?;
            scales
        }
    };
    let halves = scales
        .as_chunks::<4>()
        .0
        .iter()
        .map(|scale| f32::from_le_bytes(*scale))
        .all(|scale| f16::from_f32(scale).to_f32() == scale);
    Ok(if halves { place.bytes() / 2 } else { place.bytes() })
}

/// Bytes a second that all threads together read.
fn bandwidth(threads: usize) -> f64 {
    let numbers = vec![1_u64; BANDWIDTH_BYTES / 8];
    let rounds = (0..5).map(|_| {
        let started = Instant::now();
        thread::scope(|scope| {
            for part in numbers.chunks(numbers.len() / threads) {
                scope.spawn(move || black_box(part.iter().fold(0_u64, |sum, number| sum.wrapping_add(*number))));
            }
        });
        BANDWIDTH_BYTES as f64 / started.elapsed().as_secs_f64()
    });
    rounds.fold(0.0, f64::max)
}

fn growth(meter: &mut Meter) -> Result<()> {
    let capacity = meter.capacity();
    for past in GROWTH.into_iter().filter(|past| past + PASSES < capacity) {
        let before = processor_time();
        let time = token_time(meter, past)?;
        let spent = processor_time().saturating_sub(before).as_secs_f64() / PASSES as f64 * 100.0;
        println!(
            "  behind {past}: {:.1} tokens/s, {spent:.1} s of processor time for 100 tokens",
            1.0 / time.as_secs_f64()
        );
    }
    Ok(())
}

fn rows(meter: &mut Meter) -> Result<()> {
    for count in [1, 2, 4, 8] {
        let time = median(7, || meter.pass(500, count, count))?;
        println!("  {count} rows in one pass behind 500: {:.1} ms", time.as_secs_f64() * 1e3);
    }
    Ok(())
}

/// Time this process has computed, on all threads, in the kernel's ticks of 10 ms.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
