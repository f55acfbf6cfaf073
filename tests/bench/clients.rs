//! Several requests at the same time: tokens a second of all together, finch beside llama.cpp's server.

use std::time::Instant;

use anyhow::{Context as _, Result};
use finch_engine::{Engine, EngineOptions};
use finch_llm::{Chunk, ClientId, InfillRequest, Lane, Provider as _, Sampling};
use finch_model::InfillStyle;
use serde_json::json;

use crate::{corpus, home, llama, peer};

const COUNTS: [usize; 4] = [1, 2, 4, 8];
const TOKENS: usize = 64;
const PROMPT_BYTES: usize = 1_000;

pub(crate) fn print(id: &str) -> Result<()> {
    let threads = std::thread::available_parallelism()?.get();
    let (model, build) = peer::build(id)?;
    let theirs = COUNTS.map(|count| theirs(&model, threads, count));
    let options = EngineOptions { infill: Some(InfillStyle::Prefix), slots: 16, ..EngineOptions::default() };
    let engine = home::engine(id, EngineOptions { threads: Some(threads), ..options })?;
    println!("requests at the same time, {id} beside {build}, {TOKENS} tokens each, tokens a second of all together:");
    for (count, theirs) in COUNTS.into_iter().zip(theirs) {
        let (ours, theirs) = (ours(&engine, count)?, theirs?);
        println!("  {count}: finch {ours:.1}, llama.cpp {theirs:.1}, ratio {:.2}", ours / theirs);
    }
    Ok(())
}

/// Different for every request of every count, so that nothing is cached.
fn prompt(count: usize, number: usize) -> Result<String> {
    corpus::snippet(count + number, PROMPT_BYTES)
}

fn theirs(model: &std::path::Path, threads: usize, count: usize) -> Result<f64> {
    let parallel = count.to_string();
    let server = llama::Server::start_with(model, threads, &["--parallel", &parallel, "--ctx-size", "16384"])?;
    let prompts = (0..count).map(|number| prompt(count, number)).collect::<Result<Vec<_>>>()?;
    let started = Instant::now();
    let answers = std::thread::scope(|scope| {
        let ask = |prompt: &String| {
            let body = json!({ "prompt": prompt, "n_predict": TOKENS, "temperature": 0, "ignore_eos": true });
            server.post("/completion", &body)
        };
        let asked: Vec<_> = prompts.iter().map(|prompt| scope.spawn(move || ask(prompt))).collect();
        asked.into_iter().map(|thread| thread.join().ok().context("a client failed")?).collect::<Result<Vec<_>>>()
    })?;
    let time = started.elapsed();
    let tokens: u64 = answers.iter().filter_map(|answer| answer["tokens_predicted"].as_u64()).sum();
    Ok(tokens as f64 / time.as_secs_f64())
}

fn ours(engine: &Engine, count: usize) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let prompts = (0..count).map(|number| prompt(count, number)).collect::<Result<Vec<_>>>()?;
    runtime.block_on(async {
        let started = Instant::now();
        let mut streams: Vec<_> =
            prompts.into_iter().enumerate().map(|(number, prompt)| engine.infill(request(number, prompt))).collect();
        let mut tokens = 0;
        for stream in &mut streams {
            loop {
                match stream.next().await.context("the engine ended without an answer")?? {
                    Chunk::Done(done) => break tokens += done.usage.generated_tokens,
                    Chunk::Text(_) | Chunk::Reasoning(_) | Chunk::ToolCall(_) | Chunk::Unsure(_) | Chunk::Scored(_) => {
                    }
                }
            }
        }
        Ok(tokens as f64 / started.elapsed().as_secs_f64())
    })
}

fn request(number: usize, prefix: String) -> InfillRequest {
    InfillRequest {
        client: ClientId::new(format!("bench-{number}")),
        origin: finch_llm::Origin::default(),
        lane: Lane::Batch,
        prefix,
        suffix: String::new(),
        context: finch_llm::InfillContext::default(),
        prompt_tokens_max: 2_048,
        references: Vec::new(),
        sampling: Sampling { tokens_max: TOKENS, ..Sampling::default() },
    }
}
