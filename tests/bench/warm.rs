//! Warm ghost text: a 500-token prompt of which 490 are cached, 12 tokens out; finch beside llama.cpp's server.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use finch_engine::EngineOptions;
use finch_llm::{Chunk, ClientId, Done, InfillRequest, Lane, Provider as _, Sampling};
use finch_model::InfillStyle;
use serde_json::{Value, json};

use crate::{corpus, home, llama, peer};

const PROMPT_TOKENS: usize = 500;
const CACHED_TOKENS: usize = 490;
const GENERATED_TOKENS: usize = 12;
const ROUNDS: usize = 15;

pub(crate) fn print(id: &str) -> Result<()> {
    let manifest = finch_model::Manifest::read(&home::model(id)?)?;
    let (peer_model, peer_quant) = peer::build(id)?;
    let threads = std::thread::available_parallelism()?.get();
    let prompts = {
        let server = llama::Server::start(&peer_model, threads)?;
        (0..ROUNDS).map(|round| prompt(&server, round)).collect::<Result<Vec<_>>>()?
    };
    // One engine at a time: two pools of threads on the same cores slow each other down.
    let ours = finch(id, threads, &prompts)?;
    let theirs = theirs(&peer_model, threads, &prompts)?;
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!(
        "warm ghost text, {id} {:?}, {PROMPT_TOKENS} tokens with {CACHED_TOKENS} cached, {GENERATED_TOKENS} out:",
        manifest.quant
    );
    println!(
        "  finch {:.0} ms, llama.cpp {peer_quant} {:.0} ms, ratio {ratio:.2} (median of {ROUNDS})",
        ms(ours),
        ms(theirs)
    );
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A text and its head, so that the head has `CACHED_TOKENS` tokens and the whole `PROMPT_TOKENS`.
fn prompt(server: &llama::Server, round: usize) -> Result<(String, String)> {
    let text = corpus::snippet(round, 6_000)?;
    Ok((head(server, &text, CACHED_TOKENS)?, head(server, &text, PROMPT_TOKENS)?))
}

/// The shortest start of a text that has so many tokens.
fn head(server: &llama::Server, text: &str, tokens: usize) -> Result<String> {
    let (mut few, mut enough) = (0, text.len());
    ensure!(server.tokenize(text)?.len() >= tokens, "the text is too short");
    while enough - few > 1 {
        let middle = few + (enough - few) / 2;
        if server.tokenize(&text[..text.floor_char_boundary(middle)])?.len() < tokens {
            few = middle;
        } else {
            enough = middle;
        }
    }
    Ok(text[..text.ceil_char_boundary(enough)].to_owned())
}

fn median(mut times: Vec<Duration>) -> Result<Duration> {
    times.sort();
    times.get(times.len() / 2).copied().context("no rounds")
}

fn theirs(model: &Path, threads: usize, prompts: &[(String, String)]) -> Result<Duration> {
    let server = llama::Server::start(model, threads)?;
    let mut times = Vec::new();
    for (head, whole) in prompts {
        complete(&server, head, 1)?;
        let (time, answer) = complete(&server, whole, GENERATED_TOKENS)?;
        ensure!(answer["tokens_predicted"] == GENERATED_TOKENS, "the peer generated {}", answer["tokens_predicted"]);
        times.push(time);
    }
    median(times)
}

fn finch(id: &str, threads: usize, prompts: &[(String, String)]) -> Result<Duration> {
    let options =
        EngineOptions { threads: Some(threads), infill: Some(InfillStyle::Prefix), ..EngineOptions::default() };
    let engine = home::engine(id, options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut times = Vec::new();
    for (head, whole) in prompts {
        runtime.block_on(infill(&engine, head, 1))?;
        let started = Instant::now();
        let done = runtime.block_on(infill(&engine, whole, GENERATED_TOKENS))?;
        let time = started.elapsed();
        ensure!(done.usage.cached_tokens + 16 >= CACHED_TOKENS, "{:?}", done.usage);
        // A model that ends early is asked about another place.
        if done.usage.generated_tokens == GENERATED_TOKENS {
            times.push(time);
        }
    }
    ensure!(
        times.len() * 2 > prompts.len(),
        "the model ended {} of {} answers early",
        prompts.len() - times.len(),
        prompts.len()
    );
    median(times)
}

async fn infill(engine: &finch_engine::Engine, prefix: &str, tokens_max: usize) -> Result<Done> {
    let mut stream = engine.infill(InfillRequest {
        client: ClientId::new("bench"),
        origin: finch_llm::Origin::default(),
        lane: Lane::Interactive,
        prefix: prefix.to_owned(),
        suffix: String::new(),
        context: finch_llm::InfillContext::default(),
        prompt_tokens_max: 2_048,
        references: Vec::new(),
        sampling: Sampling { tokens_max, ..Sampling::default() },
    });
    loop {
        match stream.next().await.context("the engine ended without an answer")?? {
            Chunk::Done(done) => return Ok(done),
            Chunk::Text(_) | Chunk::Reasoning(_) | Chunk::ToolCall(_) | Chunk::Unsure(_) | Chunk::Scored(_) => {}
        }
    }
}

/// The time for `tokens` greedy tokens after a prompt; what is cached of it is the server's affair.
fn complete(server: &llama::Server, prompt: &str, tokens: usize) -> Result<(Duration, Value)> {
    let body = json!({
        "prompt": prompt, "n_predict": tokens, "temperature": 0, "cache_prompt": true, "ignore_eos": true,
    });
    let started = Instant::now();
    let answer = server.post("/completion", &body)?;
    Ok((started.elapsed(), answer))
}
