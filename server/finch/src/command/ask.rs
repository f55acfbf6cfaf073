//! `finch ask`: one question, to the local model or a cloud, its answer printed as it comes.
//!
//! The answer goes to stdout, thoughts and complaints to stderr. Ctrl-C ends the answer where it stands: what was said
//! stays, and the exit code tells.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use finch_llm::router::Consent;
use finch_llm::{
    Chunk, ClientId, Done, GenerateRequest, GenerateStream, Lane, Message, Origin, OutputFormat, Progress, Provenance,
    Provider, Sampling, StopReason, Timings, structured,
};
use serde::Serialize;

use super::answerer::{Answerer, LOCAL, Wanted, process_name, workspace_of};
use super::print;
use crate::Exit;
use crate::cli;
use crate::progress::say;
use crate::surroundings::Surroundings;

/// A question or a schema longer than this is a mistake; no model holds it.
const INPUT_BYTES_MAX: u64 = 8 << 20;

/// What the daemon knows this command by.
const COMMAND: &str = "ask";

/// How an answer ended.
#[derive(Debug)]
enum End {
    Done(Done),
    /// The user stopped it; this much was done.
    Interrupted(Progress),
}

pub(super) fn run(mut surroundings: Surroundings, arguments: &cli::Ask) -> Result<Exit> {
    let started = Instant::now();
    let mut request = request(arguments)?;
    let runtime = super::runtime()?;
    let (provider, model) = (arguments.provider.as_deref(), arguments.model.as_deref());
    let wanted = Wanted { provider, model, ..Wanted::default() };
    let workspace = workspace_of(&std::env::current_dir().context("this folder cannot be read")?);
    surroundings.enter(&workspace);
    let answerer = Answerer::new(surroundings, COMMAND, wanted, runtime.handle())?;
    request.origin = Origin { workspace: Some(workspace.into()), named: answerer.named.clone(), ..Origin::default() };
    if !agree(&answerer, &mut request.origin)? {
        return Ok(Exit::NothingToOffer);
    }
    if let (OutputFormat::JsonSchema(schema), true) = (&request.output, answerer.may_leave()) {
        let schema = schema.clone();
        return structured(&runtime, &answerer, request, &schema, (arguments, started));
    }
    let mut shown = Shown::new(arguments.json);
    let mut stream = answerer.router.generate(request);
    let end = runtime.block_on(listen(&mut stream, &mut shown));
    shown.finish()?;
    let end = end?;
    let (reason, progress) = match &end {
        End::Done(done) => (Some(done.reason), Progress { usage: done.usage, timings: done.timings }),
        End::Interrupted(progress) => (None, *progress),
    };
    let from = stream.provenance().map(|from| answerer.turned_out(from));
    if arguments.json && reason.is_some() {
        report(&shown.text, from.as_ref(), progress, (&answerer, started.elapsed()))?;
    } else {
        answerer.tell(from.as_ref());
    }
    conclude(reason, arguments)
}

/// Asks the user, where a cloud is the next to be asked and the user has not said yet whether it may; `false` is for
/// breaking off. Where nobody can be asked, the router's refusal says what to do.
fn agree(answerer: &Answerer, origin: &mut Origin) -> Result<bool> {
    let Some(first) = &answerer.first_cloud else { return Ok(true) };
    let has_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let is_open = origin.named.is_none() && answerer.desk.consent(origin) == Consent::Unknown;
    if !has_terminal || !is_open || answerer.router.is_ready(origin) {
        return Ok(true);
    }
    let folder = origin.workspace.as_deref().unwrap_or(Path::new(".")).to_owned();
    let question = format!("Nobody on this machine can answer. May the question go to {first}?");
    let answer = cliclack::select(question)
        .item(Answer::No, "No", "")
        .item(Answer::Once, "Yes, this one", "")
        .item(Answer::Always, format!("Yes, and all from {}", folder.display()), "remembered; see `finch consent list`")
        .interact();
    match answer {
        Ok(Answer::No) => Ok(false),
        Ok(Answer::Once) => {
            origin.named = Some(first.clone());
            Ok(true)
        }
        Ok(Answer::Always) => {
            answerer.desk.answer(&folder, Consent::Given).map_err(anyhow::Error::msg)?;
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    No,
    Once,
    Always,
}

/// JSON from whoever answers: printed when it is whole and fits.
fn structured(
    runtime: &tokio::runtime::Runtime,
    answerer: &Answerer,
    request: GenerateRequest,
    schema: &serde_json::Value,
    (arguments, started): (&cli::Ask, Instant),
) -> Result<Exit> {
    let asking = structured::ask(&answerer.router, request, schema);
    let found = runtime.block_on(async {
        tokio::select! {
            found = asking => found.map(Some),
            _ = tokio::signal::ctrl_c() => Ok(None),
        }
    })?;
    let Some(found) = found else { return Ok(Exit::Interrupted) };
    for dropped in &found.dropped {
        say(&format!("finch: left out what does not fit: {dropped}"));
    }
    let (text, from) = (format!("{:#}\n", found.value), found.provenance.map(|from| answerer.turned_out(from)));
    if arguments.json {
        let progress = Progress { usage: found.usage, ..Progress::default() };
        report(text.trim_end(), from.as_ref(), progress, (answerer, started.elapsed()))?;
    } else {
        print(&text)?;
        answerer.tell(from.as_ref());
    }
    Ok(Exit::Done)
}

fn report(
    text: &str,
    from: Option<&Provenance>,
    progress: Progress,
    (answerer, total): (&Answerer, Duration),
) -> Result<()> {
    let usage = progress.usage;
    let report = Report {
        text,
        provider: from.map_or(LOCAL, |from| from.provider.as_str()),
        model: from.map_or("", |from| &from.model),
        daemon: answerer.is_by_daemon(from),
        usage: Usage {
            prompt_tokens: usage.prompt_tokens,
            cached_tokens: usage.cached_tokens,
            generated_tokens: usage.generated_tokens,
        },
        ms: milliseconds(progress.timings, total),
    };
    print(&format!("{:#}\n", serde_json::to_value(report)?))
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
    let mut request = GenerateRequest::new(ClientId::new(process_name(COMMAND)), Lane::Interactive, messages);
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
async fn listen(stream: &mut GenerateStream, shown: &mut Shown) -> Result<End> {
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
        match chunk.context("the answer stopped without an end")?? {
            Chunk::Text(text) => shown.text(&text)?,
            Chunk::Reasoning(text) => shown.reasoning(&text),
            Chunk::Unsure(_) | Chunk::Scored(_) => {}
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
    /// Whether the model was the daemon's.
    daemon: bool,
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

fn milliseconds(timings: Timings, total: Duration) -> Milliseconds {
    let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    Milliseconds { prefill: ms(timings.prefill), decode: ms(timings.decode), total: ms(total) }
}
