//! Several clients at once, each over HTTP in the same words, at finch's door and at llama.cpp's: tokens a second of all
//! together, and how long the unluckiest wait for the first token.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use finch_http::endpoint::Token;
use finch_llm::sse::SseParser;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::home::Home;
use crate::{corpus, llama, peer};

const COUNTS: [usize; 3] = [2, 4, 8];
/// Requests of each client, one after the other.
const ROUNDS: usize = 4;
const TOKENS: usize = 64;
const PROMPT_BYTES: usize = 1_000;
const SLOTS: usize = 8;

pub(super) fn print(id: &str) -> Result<()> {
    let threads = std::thread::available_parallelism()?.get();
    let (model, build) = peer::build(id)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    println!("clients at the same time, {TOKENS} tokens an answer, finch beside llama.cpp {build}:");
    for count in COUNTS {
        let theirs = {
            let slots = SLOTS.to_string();
            let server = llama::Server::start_with(&model, threads, &["--parallel", &slots, "--ctx-size", "16384"])?;
            runtime.block_on(load(&server.url(), None, count))?
        };
        let ours = {
            let home = Home::of_model(id)?;
            let daemon = home.daemon()?;
            let token = Token::read_or_make(home.path())?;
            runtime.block_on(ready(&daemon.url(), &token))?;
            runtime.block_on(load(&daemon.url(), Some(token.expose()), count))?
        };
        println!(
            "  {count}: tokens a second {:.1} beside {:.1}, {:.2} times; p95 first token {:.0} ms beside {:.0}, {:.2} times as fast",
            ours.rate,
            theirs.rate,
            ours.rate / theirs.rate,
            ours.first_ms,
            theirs.first_ms,
            theirs.first_ms / ours.first_ms
        );
    }
    Ok(())
}

/// A server that speaks like OpenAI's.
#[derive(Clone)]
struct Door {
    client: Client,
    url: String,
    token: Option<String>,
}

struct Load {
    rate: f64,
    first_ms: f64,
}

/// With a connection for every request: the peer closes them now and then.
fn client() -> Result<Client> {
    Ok(Client::builder().no_proxy().pool_max_idle_per_host(0).build()?)
}

/// Waits until the daemon's model has answered once.
pub(super) async fn ready(url: &str, token: &Token) -> Result<()> {
    let (client, started) = (client()?, Instant::now());
    let door = Door { client, url: url.to_owned(), token: Some(token.expose().to_owned()) };
    while ask(&door, "def a", 1).await.is_err() {
        ensure!(started.elapsed() < super::WAIT_MAX, "the daemon's model was not ready after {:?}", super::WAIT_MAX);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn load(url: &str, token: Option<&str>, count: usize) -> Result<Load> {
    let door = Door { client: client()?, url: url.to_owned(), token: token.map(str::to_owned) };
    let started = Instant::now();
    let clients: JoinSet<_> = (0..count).map(|number| one_client(door.clone(), count, number)).collect();
    let answers = clients.join_all().await.into_iter().collect::<Result<Vec<_>>>()?.concat();
    let time = started.elapsed().as_secs_f64();
    let mut firsts: Vec<f64> = answers.iter().map(|(first, _)| first.as_secs_f64() * 1e3).collect();
    firsts.sort_by(f64::total_cmp);
    let tokens: usize = answers.iter().map(|(_, tokens)| tokens).sum();
    Ok(Load { rate: tokens as f64 / time, first_ms: firsts[(firsts.len() * 95).div_ceil(100) - 1] })
}

async fn one_client(door: Door, count: usize, number: usize) -> Result<Vec<(Duration, usize)>> {
    let mut answers = Vec::new();
    for round in 0..ROUNDS {
        // Different for every request of every count, so that nothing is cached.
        let prompt = corpus::snippet(count * 40 + number * ROUNDS + round, PROMPT_BYTES)?;
        answers.push(ask(&door, &prompt, TOKENS).await?);
    }
    Ok(answers)
}

/// Time to the first text and the tokens of the answer.
async fn ask(door: &Door, prompt: &str, tokens: usize) -> Result<(Duration, usize)> {
    let body = json!({
        "prompt": prompt, "max_tokens": tokens, "temperature": 0, "stream": true, "stream_options": {"include_usage": true}
    });
    let started = Instant::now();
    let mut request =
        door.client.post(format!("{}/v1/completions", door.url)).header("content-type", "application/json");
    if let Some(token) = &door.token {
        request = request.bearer_auth(token);
    }
    let mut response = request.body(body.to_string()).send().await?.error_for_status()?;
    let (mut parser, mut events, mut first, mut generated) = (SseParser::default(), Vec::new(), None, None);
    while let Some(bytes) = response.chunk().await? {
        parser.push(&bytes, &mut events)?;
        for event in events.drain(..).filter(|event| event.data != "[DONE]") {
            let event: Value = serde_json::from_str(&event.data)?;
            ensure!(event.get("error").is_none(), "{event}");
            if event["choices"][0]["text"].as_str().is_some_and(|text| !text.is_empty()) {
                first.get_or_insert_with(|| started.elapsed());
            }
            generated = event["usage"]["completion_tokens"].as_u64().or(generated);
        }
    }
    let generated = usize::try_from(generated.context("no usage")?)?;
    Ok((first.unwrap_or_else(|| started.elapsed()), generated))
}
