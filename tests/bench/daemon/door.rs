//! One provider in the process and the same behind the door: time to the first token, and tokens a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use finch_engine::EngineOptions;
use finch_http::endpoint::{Endpoint, Token};
use finch_http::{Ensure, Link, NoDaemon};
use finch_llm::{
    Chunk, ClientId, InfillContext, InfillRequest, Lane, ModelState, Origin, Provider, Sampling, state_channel,
};
use tokio::time::timeout;

use super::home::Home;
use super::{WAIT_MAX, median};
use crate::corpus;

const ROUNDS: usize = 15;
const TOKENS: usize = 96;
const PROMPT_BYTES: usize = 1_500;

pub(super) fn print(id: &str) -> Result<()> {
    let home = Home::of_model(id)?;
    let _daemon = home.daemon()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .on_thread_start(finch_engine::go_first)
        .enable_all()
        .build()?;
    let engine: Arc<dyn Provider> = Arc::new(crate::home::engine(id, EngineOptions::default())?);
    let through = runtime.block_on(linked(&home))?;
    // As a server's threads do.
    finch_engine::go_first();
    let (mut first, mut rate): ([Vec<f64>; 2], [Vec<f64>; 2]) = Default::default();
    for round in 0..ROUNDS {
        // One after the other, so that the two engines never share the processor, and in turns, so that neither has the
        // machine's better minutes. Each is asked the same twice: what is measured has the prompt in its cache.
        let request = request(round)?;
        for (place, provider) in [(0, &engine), (1, &through)] {
            runtime.block_on(ask(provider, &request))?;
            let (to_first, tokens_a_second) = runtime.block_on(ask(provider, &request))?;
            first[place].push(to_first.as_secs_f64() * 1e3);
            rate[place].push(tokens_a_second);
        }
    }
    let [embedded, door] = first.each_mut().map(|values| median(values));
    println!(
        "first token, prompt cached: engine {embedded:.1} ms, through the door {door:.1} ms, added {:.1} ms (goal 3 ms)",
        door - embedded
    );
    let [embedded, door] = rate.each_mut().map(|values| median(values));
    println!(
        "tokens a second: engine {embedded:.1}, through the door {door:.1}, {:+.1} % (goal -2 %)",
        (door / embedded - 1.0) * 100.0
    );
    Ok(())
}

/// The daemon of a home as a provider, its model ready.
async fn linked(home: &Home) -> Result<Arc<dyn Provider>> {
    let (sender, mut state) = state_channel();
    let provider = finch_http::Daemon::new("bench", sender, tokio::runtime::Handle::current())?;
    let (endpoint, token) = (Endpoint::read(home.path())?.context("no endpoint")?, Token::read_or_make(home.path())?);
    let ensure: Ensure = Arc::new(move || {
        let link = Link::new(endpoint.url.clone(), token.clone());
        Box::pin(async move { Ok::<_, NoDaemon>(link) })
    });
    let keeper = provider.clone();
    tokio::spawn(async move { keeper.keep_linked(ensure).await });
    timeout(WAIT_MAX, state.wait_for(|state| matches!(state, ModelState::Ready { .. }))).await??;
    Ok(Arc::new(provider))
}

fn request(round: usize) -> Result<InfillRequest> {
    Ok(InfillRequest {
        client: ClientId::new("bench"),
        origin: Origin::default(),
        lane: Lane::Batch,
        prefix: corpus::snippet(round, PROMPT_BYTES)?,
        suffix: String::new(),
        context: InfillContext::default(),
        prompt_tokens_max: 1_024,
        references: Vec::new(),
        sampling: Sampling { tokens_max: TOKENS, ..Sampling::default() },
    })
}

/// Time to the first text, and tokens a second behind it.
async fn ask(provider: &Arc<dyn Provider>, request: &InfillRequest) -> Result<(Duration, f64)> {
    let started = Instant::now();
    let mut stream = provider.infill(request.clone());
    let mut first = None;
    loop {
        match stream.next().await.context("no end")?? {
            Chunk::Text(_) => drop(first.get_or_insert_with(|| started.elapsed())),
            Chunk::Done(done) => {
                let first = first.unwrap_or_else(|| started.elapsed());
                let rest = (started.elapsed() - first).as_secs_f64();
                return Ok((first, done.usage.generated_tokens.saturating_sub(1) as f64 / rest.max(1e-6)));
            }
            Chunk::Reasoning(_) | Chunk::ToolCall(_) | Chunk::Unsure(_) | Chunk::Scored(_) => {}
        }
    }
}
