//! Tokens guessed ahead: 64 tokens of code at many places of real files, beside llama.cpp one token at a time.

use std::time::Duration;

use anyhow::{Context as _, Result};
use finch_engine::parting::{self, Parting, Start};
use finch_engine::{EngineOptions, Runtime};
use serde_json::json;

use crate::{corpus, home, llama, peer};

const TOKENS: usize = 64;
const PROMPT_BYTES: usize = 1_400;

pub(crate) fn print(id: &str, places: usize) -> Result<()> {
    let threads = std::thread::available_parallelism()?.get();
    let starts = (0..places).map(start).collect::<Result<Vec<_>>>()?;
    let (model, build) = peer::build(id)?;
    let theirs = peer_speed(&model, threads, &starts)?;
    let runtime = Runtime::load(&finch_engine::runtime::find(&home::home()?)?)?;
    let options = EngineOptions { threads: Some(threads), ..EngineOptions::default() };
    let partings = parting::measure(&runtime, &home::model(id)?, options, &starts, TOKENS)?;
    let speed = |time: fn(&Parting) -> Duration| {
        let time: Duration = partings.iter().map(time).sum();
        (partings.len() * (TOKENS - 1)) as f64 / time.as_secs_f64()
    };
    let (plain, ahead) = (speed(|it| it.plain), speed(|it| it.ahead));
    println!("{TOKENS} tokens of code at {places} places, {id} beside {build}, tokens a second:");
    println!("  one at a time: finch {plain:.1}, llama.cpp {theirs:.1}, ratio {:.2}", plain / theirs);
    println!("  guessed ahead: finch {ahead:.1}, ratio {:.2}", ahead / theirs);
    let sum = |count: fn(&Parting) -> usize| partings.iter().map(count).sum::<usize>();
    println!(
        "  {} tokens guessed, {} of them right, {} passes for {} tokens",
        sum(|it| it.drafted),
        sum(|it| it.accepted),
        sum(|it| it.passes),
        sum(|it| it.tokens)
    );
    print_partings(&partings);
    Ok(())
}

/// Where a text with guessing differs, and whether the two likeliest tokens were within the noise there.
fn print_partings(partings: &[Parting]) {
    let noise = partings.iter().flat_map(|it| &it.noise).copied().fold(0.0, f32::max);
    let parted: Vec<f32> = partings.iter().filter_map(|it| it.gaps.get(it.parted_at?).copied()).collect();
    let beyond = parted.iter().filter(|gap| **gap > noise).count();
    println!(
        "  parts from one at a time at {} places, {beyond} of them where the two likeliest are further apart than {noise:.3}, the largest difference measured",
        parted.len()
    );
}

/// The end of what stands before a place, with the whole file before it as an open document.
fn start(number: usize) -> Result<Start> {
    let text = corpus::snippet(number, 6_000)?;
    let split = text.floor_char_boundary(text.len().saturating_sub(PROMPT_BYTES));
    Ok(Start { prompt: text[split..].to_owned(), references: vec![text.into()] })
}

/// Tokens a second of the peer's server behind the same prompts.
fn peer_speed(model: &std::path::Path, threads: usize, starts: &[Start]) -> Result<f64> {
    let server = llama::Server::start(model, threads)?;
    let mut time_ms = 0.0;
    let mut tokens = 0.0;
    for start in starts {
        let body = json!({ "prompt": start.prompt, "n_predict": TOKENS, "temperature": 0, "ignore_eos": true });
        let timings = &server.post("/completion", &body)?["timings"];
        time_ms += timings["predicted_ms"].as_f64().context("the peer says no time")?;
        tokens += timings["predicted_n"].as_f64().context("the peer says no count")?;
    }
    Ok(tokens / time_ms * 1e3)
}
