//! `finch ask`: one question to the local model, its answer printed as it comes.
//!
//! The answer goes to stdout, thoughts and complaints to stderr. Ctrl-C ends the answer where it stands: what was said
//! stays, and the exit code tells.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use finch_llm::{
    Chunk, ClientId, Done, GenerateRequest, GenerateStream, Lane, Message, OutputFormat, Progress, Provider, Sampling,
    StopReason,
};
use serde::Serialize;

use super::{print, setup};
use crate::Exit;
use crate::cli;
use crate::local;
use crate::progress::say;
use crate::surroundings::Surroundings;

/// A question or a schema longer than this is a mistake; no local model holds it.
const INPUT_BYTES_MAX: u64 = 8 << 20;

/// How an answer ended.
#[derive(Debug)]
enum End {
    Done(Done),
    /// The user stopped it; this much was done.
    Interrupted(Progress),
}

pub(super) fn run(mut surroundings: Surroundings, arguments: &cli::Ask) -> Result<Exit> {
    let started = Instant::now();
    let request = request(arguments)?;
    if let Some(model) = &arguments.model {
        surroundings.config.engine.model = Some(model.clone());
    }
    let runtime = super::runtime()?;
    let model = setup::ensure(&surroundings)?;
    let engine = local::load(&surroundings, &model)?;
    let mut shown = Shown::new(arguments.json);
    let end = runtime.block_on(listen(engine.generate(request), &mut shown))?;
    shown.finish()?;
    let (reason, usage) = match &end {
        End::Done(done) => (Some(done.reason), done.usage),
        End::Interrupted(progress) => (None, progress.usage),
    };
    if arguments.json && reason.is_some() {
        let (provider, model) = (engine.id(), engine.capabilities().model);
        let report = Report {
            text: &shown.text,
            provider: provider.as_str(),
            model: &model,
            usage: Usage {
                prompt_tokens: usage.prompt_tokens,
                cached_tokens: usage.cached_tokens,
                generated_tokens: usage.generated_tokens,
            },
            ms: milliseconds(&end, started.elapsed()),
        };
        print(&format!("{:#}\n", serde_json::to_value(report)?))?;
    }
    conclude(reason, arguments)
}

/// Says why an answer is not whole, and how the command ends.
fn conclude(reason: Option<StopReason>, arguments: &cli::Ask) -> Result<Exit> {
    let cut = match reason {
        None => return Ok(Exit::Interrupted),
        Some(StopReason::EndOfText | StopReason::ToolCalls | StopReason::StopText) => return Ok(Exit::Done),
        Some(StopReason::TokensMax) => format!("after {} tokens; allow more with --tokens", arguments.tokens),
        Some(StopReason::ContextFull) => "where the model's context is full".to_owned(),
    };
    match &arguments.schema {
        Some(_) => bail!("the JSON was cut off {cut}"),
        None => say(&format!("finch: the answer was cut off {cut}")),
    }
    Ok(Exit::Done)
}

fn request(arguments: &cli::Ask) -> Result<GenerateRequest> {
    let mut messages: Vec<Message> = arguments.system.iter().cloned().map(Message::System).collect();
    messages.push(Message::User(match arguments.text.as_str() {
        "-" => bounded(std::io::stdin().lock()).context("reading the question from stdin")?,
        text => text.to_owned(),
    }));
    let mut request = GenerateRequest::new(ClientId::new("cli"), Lane::Interactive, messages);
    if let Some(path) = &arguments.schema {
        let file = std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
        let text = bounded(file).with_context(|| format!("reading {}", path.display()))?;
        let schema = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
        request.output = OutputFormat::JsonSchema(schema);
    }
    request.sampling = Sampling {
        temperature: arguments.temperature,
        seed: arguments.seed,
        tokens_max: arguments.tokens as usize,
        ..Sampling::default()
    };
    Ok(request)
}

fn bounded(from: impl std::io::Read) -> Result<String> {
    let mut text = String::new();
    from.take(INPUT_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > INPUT_BYTES_MAX {
        bail!("more than {} MB are too much", INPUT_BYTES_MAX >> 20);
    }
    Ok(text)
}

/// Shows what comes until the answer ends or the user stops it.
async fn listen(mut stream: GenerateStream, shown: &mut Shown) -> Result<End> {
    let interrupt = tokio::signal::ctrl_c();
    tokio::pin!(interrupt);
    loop {
        let chunk = tokio::select! {
            biased;
            heard = &mut interrupt => {
                heard.context("listening for Ctrl-C")?;
                return Ok(End::Interrupted(stream.progress()));
            }
            chunk = stream.next() => chunk,
        };
        match chunk.context("the engine ended without an answer")?? {
            Chunk::Text(text) => shown.text(&text)?,
            Chunk::Reasoning(text) => shown.reasoning(&text),
            Chunk::Unsure(_) => {}
            Chunk::ToolCall(call) => bail!("the model called {} where nothing can be called", call.name),
            Chunk::Done(done) => return Ok(End::Done(done)),
        }
    }
}

/// What has been shown of an answer.
struct Shown {
    /// JSON is printed as a whole, at the end.
    json: bool,
    text: String,
    thinks: bool,
}

const DIM: &str = "\u{1b}[2m";
const NORMAL: &str = "\u{1b}[0m";

impl Shown {
    fn new(json: bool) -> Self {
        Self { json, text: String::new(), thinks: false }
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.end_thought();
        self.text.push_str(text);
        if self.json { Ok(()) } else { print(text) }
    }

    fn reasoning(&mut self, text: &str) {
        let mut err = std::io::stderr().lock();
        let begin = if !self.thinks && err.is_terminal() { DIM } else { "" };
        self.thinks = true;
        if write!(err, "{begin}{text}").and_then(|()| err.flush()).is_err() {
            tracing::debug!("stderr is closed");
        }
    }

    fn end_thought(&mut self) {
        if std::mem::take(&mut self.thinks) {
            say(if std::io::stderr().is_terminal() { NORMAL } else { "" });
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.end_thought();
        let ends_open = !self.json && !self.text.is_empty() && !self.text.ends_with('\n');
        if ends_open { print("\n") } else { Ok(()) }
    }
}

/// `finch ask --json`. The fields are a promise to scripts.
#[derive(Debug, Serialize)]
struct Report<'a> {
    text: &'a str,
    provider: &'a str,
    model: &'a str,
    usage: Usage,
    ms: Milliseconds,
}

#[derive(Debug, Serialize)]
struct Usage {
    prompt_tokens: usize,
    cached_tokens: usize,
    generated_tokens: usize,
}

#[derive(Debug, Serialize)]
struct Milliseconds {
    prefill: f64,
    decode: f64,
    /// From reading the question to the end of the answer, the loading of the model included.
    total: f64,
}

fn milliseconds(end: &End, total: Duration) -> Milliseconds {
    let timings = match end {
        End::Done(done) => done.timings,
        End::Interrupted(progress) => progress.timings,
    };
    let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    Milliseconds { prefill: ms(timings.prefill), decode: ms(timings.decode), total: ms(total) }
}
