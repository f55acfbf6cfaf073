//! What finch adds to a cloud's answer: the time to its first chunk beside a bare HTTP client, and how fast streams are read.
//!
//! The server is an echo on this machine, so that nothing but the clients differs. Both ask by turns in the same run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use finch_llm::cloud::{Cleartext, CloudProvider, CloudSpec, Endpoint, Key, Service};
use finch_llm::sse::SseParser;
use finch_llm::{Chunk, ClientId, GenerateRequest, Lane, Message, Provider as _, ProviderId, redact};
use serde_json::json;

use crate::echo::Echo;

/// Pairs of requests, after as many again as a tenth for warming up.
const PAIRS: usize = 300;
const PROMPTS: [(&str, usize); 3] =
    [("prompt of 1 kB", 1_000), ("prompt of 100 kB", 100_000), ("prompt of 1 MB", 1_000_000)];
const PARSED_BYTES: usize = 256 << 20;
/// What a socket gives at once.
const PIECE_BYTES: usize = 16 << 10;

pub(crate) fn print() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!("to the first chunk of an answer, {PAIRS} pairs of requests on one kept connection each, medians:");
    for (name, prompt_bytes) in PROMPTS {
        runtime.block_on(first_chunk(name, prompt_bytes))?;
    }
    println!("taking secrets out of a prompt, which what stays on this machine is spared and a cloud's is not:");
    for (name, prompt_bytes) in PROMPTS {
        redaction(name, prompt_bytes);
    }
    println!("events out of bytes, pieces of {} kB:", PIECE_BYTES >> 10);
    for (name, text_bytes) in [("a token each", 4), ("200 bytes of text each", 200), ("8 kB of text each", 8_000)] {
        parser(name, text_bytes)?;
    }
    println!("a whole answer over loopback:");
    for (name, text_bytes) in [("a token each", 4), ("200 bytes of text each", 200)] {
        runtime.block_on(whole(name, text_bytes))?;
    }
    Ok(())
}

/// One event as OpenAI's dialect has it.
fn event(text: &str) -> String {
    let choice = json!({ "index": 0, "delta": { "content": text }, "logprobs": null, "finish_reason": null });
    let chunk = json!({
        "id": "chatcmpl-0123456789abcdef01234567", "object": "chat.completion.chunk", "created": 1_770_000_000,
        "model": "echo-1", "system_fingerprint": null, "choices": [choice],
    });
    format!("data: {chunk}\n\n")
}

fn end() -> String {
    let choice = json!({ "index": 0, "delta": {}, "finish_reason": "stop" });
    format!("data: {}\n\ndata: [DONE]\n\n", json!({ "choices": [choice] }))
}

fn provider(url: &str) -> Result<CloudProvider> {
    let endpoint = Endpoint::new(url, Cleartext::Loopback)?;
    let mut spec = CloudSpec::new(ProviderId::new("echo"), Service::OpenAi, "echo-1", endpoint);
    spec.key = Some(Key::new("sk-echo")?);
    Ok(CloudProvider::new(
        spec,
        Arc::new(|_| Ok(finch_llm::cloud::Passage::unwatched())),
        tokio::runtime::Handle::current(),
    )?)
}

fn request(prompt_bytes: usize) -> GenerateRequest {
    let line = "    let total: usize = rows.iter().map(|row| row.len()).sum(); // \"quoted\"\n";
    let text: String = line.chars().cycle().take(prompt_bytes).collect();
    GenerateRequest::new(ClientId::new("bench"), Lane::Interactive, vec![Message::User(text)])
}

/// A client that does nothing but send a body that is ready and take the first bytes that come back.
struct Bare {
    client: reqwest::Client,
    url: String,
    body: Vec<u8>,
}

impl Bare {
    fn new(url: &str, prompt: &Message) -> Result<Self> {
        let Message::User(text) = prompt else { anyhow::bail!("the prompt is no text") };
        let body = json!({ "model": "echo-1", "stream": true, "messages": [{ "role": "user", "content": text }] });
        let client = reqwest::Client::builder().no_proxy().no_gzip().tcp_nodelay(true).build()?;
        Ok(Self { client, url: format!("{url}/chat/completions"), body: serde_json::to_vec(&body)? })
    }

    async fn ask(&self) -> Result<reqwest::Response> {
        let request = self.client.post(&self.url).header("content-type", "application/json");
        Ok(request.header("authorization", "Bearer sk-echo").body(self.body.clone()).send().await?)
    }

    async fn first_chunk(&self) -> Result<Duration> {
        let begun = Instant::now();
        let mut response = self.ask().await?;
        response.chunk().await?.context("no first chunk")?;
        let time = begun.elapsed();
        while response.chunk().await?.is_some() {}
        Ok(time)
    }
}

async fn ours(provider: &CloudProvider, request: GenerateRequest) -> Result<Duration> {
    let begun = Instant::now();
    let mut stream = provider.generate(request);
    stream.next().await.context("no first chunk")??;
    let time = begun.elapsed();
    while let Some(chunk) = stream.next().await {
        chunk?;
    }
    Ok(time)
}

async fn first_chunk(name: &str, prompt_bytes: usize) -> Result<()> {
    let echo = Echo::serve(event("word ").into_bytes(), end().into_bytes())?;
    let (provider, request) = (provider(&echo.url)?, request(prompt_bytes));
    let bare = Bare::new(&echo.url, &request.messages[0])?;
    let (mut theirs, mut finch, mut more) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..PAIRS + PAIRS / 10 {
        // Who goes first changes: the second finds warmer caches.
        let (one, other) = if number % 2 == 0 {
            let one = bare.first_chunk().await?;
            (one, ours(&provider, request.clone()).await?)
        } else {
            let other = ours(&provider, request.clone()).await?;
            (bare.first_chunk().await?, other)
        };
        if number >= PAIRS / 10 {
            theirs.push(one.as_secs_f64());
            finch.push(other.as_secs_f64());
            more.push(other.as_secs_f64() - one.as_secs_f64());
        }
    }
    let [theirs, finch, more] = [theirs, finch, more].map(Spread::of);
    let ratio = finch.median / theirs.median;
    println!(
        "  {name}: bare {:.3} ms, finch {:.3} ms, ratio {ratio:.2}; more by {:.3} ms, 95 % below {:.3} ms",
        theirs.median * 1e3,
        finch.median * 1e3,
        more.median * 1e3,
        more.high * 1e3,
    );
    Ok(())
}

struct Spread {
    median: f64,
    /// 95 of 100 are below.
    high: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
        Self { median: at(0.5), high: at(0.95) }
    }
}

fn redaction(name: &str, prompt_bytes: usize) {
    let Some(Message::User(text)) = request(prompt_bytes).messages.pop() else { return };
    let times = (0..PAIRS / 10).map(|_| {
        let begun = Instant::now();
        std::hint::black_box(redact::redact(&text));
        begun.elapsed().as_secs_f64()
    });
    println!("  {name}: {:.3} ms", Spread::of(times.collect()).median * 1e3);
}

/// The parser beside a search for the empty lines alone, which is the least that anybody has to do.
fn parser(name: &str, text_bytes: usize) -> Result<()> {
    let stream = event(&"x".repeat(text_bytes)).repeat(PARSED_BYTES / 8 / text_bytes.max(200)).into_bytes();
    let rounds = PARSED_BYTES.div_ceil(stream.len());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (mut parser, mut events, mut count) = (SseParser::default(), Vec::new(), 0);
        let begun = Instant::now();
        for piece in stream.chunks(PIECE_BYTES) {
            parser.push(piece, &mut events)?;
            count += events.len();
            events.clear();
        }
        ours.push(stream.len() as f64 / begun.elapsed().as_secs_f64() / 1e6);
        let begun = Instant::now();
        let found = memchr::memmem::find_iter(&stream, b"\n\n").count();
        theirs.push(stream.len() as f64 / begun.elapsed().as_secs_f64() / 1e6);
        anyhow::ensure!(count == found, "{count} events, {found} empty lines");
    }
    let (ours, theirs) = (Spread::of(ours).median, Spread::of(theirs).median);
    println!("  {name}: {ours:.0} MB/s; a search for empty lines alone {theirs:.0} MB/s, ratio {:.2}", ours / theirs);
    Ok(())
}

/// Text out of a long answer, JSON and all, beside a client that throws the bytes away.
async fn whole(name: &str, text_bytes: usize) -> Result<()> {
    const ANSWER_BYTES: usize = 16 << 20;
    const ROUNDS: usize = 5;
    let one = event(&"x".repeat(text_bytes));
    let (events, len) = (ANSWER_BYTES / one.len(), one.len() * (ANSWER_BYTES / one.len()));
    let echo = Echo::serve(one.repeat(events).into_bytes(), end().into_bytes())?;
    let (provider, request) = (provider(&echo.url)?, request(1_000));
    let bare = Bare::new(&echo.url, &request.messages[0])?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let mut response = bare.ask().await?;
        while response.chunk().await?.is_some() {}
        theirs.push(len as f64 / begun.elapsed().as_secs_f64() / 1e6);
        let begun = Instant::now();
        let (mut stream, mut text) = (provider.generate(request.clone()), 0);
        while let Some(chunk) = stream.next().await {
            if let Chunk::Text(piece) = chunk? {
                text += piece.len();
            }
        }
        ours.push(len as f64 / begun.elapsed().as_secs_f64() / 1e6);
        anyhow::ensure!(text == text_bytes * events, "{text} bytes of text");
    }
    let (ours, theirs) = (Spread::of(ours).median, Spread::of(theirs).median);
    println!("  {name}: finch {ours:.0} MB/s, bare client {theirs:.0} MB/s, ratio {:.2}", ours / theirs);
    Ok(())
}
