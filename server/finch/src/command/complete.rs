//! `finch complete`: one ghost text at a place in a file, as an editor would get it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use finch_complete::{Ask, Completer, Excludes, Options, Outcome, PromptParts, Reason, SourceCost, Trigger};
use finch_llm::{ClientId, Provenance, ProviderId};
use finch_lsp::Workspace;
use finch_text::{Document, PositionEncoding};
use serde::Serialize;

use super::answerer::{Answerer, Engine, Wanted, process_name, workspace_of};
use super::print;
use crate::Exit;
use crate::cli;
use crate::place;
use crate::progress::say;
use crate::surroundings::Surroundings;

/// What the daemon knows this command by.
const COMMAND: &str = "complete";

pub(super) fn run(mut surroundings: Surroundings, arguments: &cli::Complete) -> Result<Exit> {
    let (document, offset) = place::open(&arguments.place)?;
    let started = Instant::now();
    let path = std::path::absolute(&arguments.place.file)?.to_string_lossy().into_owned();
    surroundings.enter(&workspace_around(&path));
    // Nobody reads on here.
    let options = Options { ahead: false, ..surroundings.config.completion.options() };
    let excludes = options.excludes.clone();
    let runtime = super::runtime()?;
    // The exact prompt is known where the engine is.
    let engine = if arguments.explain { Engine::Here } else { Engine::Anywhere };
    let wanted = Wanted { engine, ..Wanted::default() };
    let answerer = Answerer::new(surroundings, COMMAND, wanted, runtime.handle())?;
    let completer = Arc::new(Completer::new(Arc::new(answerer.router.clone()), answerer.state.clone(), options));
    look_around(&path, &document, &completer, &excludes);
    let ask = Ask {
        client: ClientId::new(process_name(COMMAND)),
        document: document.clone(),
        path: Some(path),
        language: None,
        offset,
        trigger: Trigger::Invoked,
        alternatives: 0,
        is_ahead: false,
    };
    let outcome = runtime.block_on(async {
        let outcome = completer.complete(ask.clone()).await;
        // The daemon left, and the time for the answer went by with the loading of a model.
        match outcome.reason {
            Some(Reason::Deadline) if answerer.has_turned_here().await => completer.complete(ask).await,
            _ => outcome,
        }
    });
    if arguments.explain {
        explain(&outcome, &completer);
    }
    let asked = Provenance { provider: ProviderId::new(&*outcome.provider), model: outcome.model.clone() };
    let from = answerer.turned_out(asked);
    let (total, daemon) = (started.elapsed(), answerer.is_by_daemon(Some(&from)));
    let report = Report { daemon, model: &from.model, ..Report::of(&outcome, &document, offset, total) };
    let exit = tell(&outcome, report, arguments)?;
    if !arguments.json {
        answerer.tell_of_the_daemon(Some(&from));
    }
    Ok(exit)
}

fn tell(outcome: &Outcome, report: Report<'_>, arguments: &cli::Complete) -> Result<Exit> {
    let reason = report.reason.clone();
    if arguments.json {
        print(&format!("{:#}\n", serde_json::to_value(report)?))?;
    } else if let Some(suggestion) = &outcome.suggestion {
        print(&format!("{}\n", suggestion.text))?;
    }
    match reason {
        None => Ok(Exit::Done),
        Some(reason) => {
            say(&format!("finch: nothing to offer here ({reason})"));
            Ok(Exit::NothingToOffer)
        }
    }
}

/// What an editor would have told of the project around the file.
fn look_around(path: &str, document: &Document, completer: &Completer, excludes: &Excludes) {
    let context = completer.context();
    let root = workspace_around(path);
    context.rooted(&root.to_string_lossy());
    context.opened(path, document);
    Workspace::new(root, excludes.clone()).look_around(path, document, context);
}

/// The workspace that a file is in.
fn workspace_around(path: &str) -> PathBuf {
    workspace_of(Path::new(path).parent().unwrap_or(Path::new(".")))
}

fn explain(outcome: &Outcome, completer: &Completer) {
    if let Some(prompt) = &outcome.prompt {
        let spelled = completer.spell(prompt);
        let prompt_text =
            spelled.unwrap_or_else(|| format!("{}\n--- behind the cursor\n{}", prompt.prefix, prompt.suffix));
        say(&format!("--- the prompt\n{prompt_text}\n---"));
        for cost in &prompt.costs {
            say(&source_line(cost, prompt, completer));
        }
    }
    let usage = &outcome.usage;
    say(&format!(
        "prompt {} tokens, {} of them cached, {} behind the cursor; {} generated",
        usage.prompt_tokens, usage.cached_tokens, usage.suffix_tokens, usage.generated_tokens
    ));
}

/// What one source of context cost.
fn source_line(cost: &SourceCost, prompt: &PromptParts, completer: &Completer) -> String {
    let excerpts = prompt.context.excerpts.get(cost.excerpts.clone()).unwrap_or_default();
    let tokens: Option<usize> =
        excerpts.iter().map(|excerpt| completer.tokens_of(&format!("{}\n{}", excerpt.name, excerpt.text))).sum();
    let size = tokens.map_or(format!("{} bytes", cost.bytes), |tokens| format!("{tokens} tokens"));
    let ms = cost.took.as_secs_f64() * 1e3;
    format!("context.{:<12} {:>2} excerpts, {size}, {ms:.1} ms", cost.source.name(), excerpts.len())
}

/// `finch complete --json`. The fields are a promise to scripts.
#[derive(Debug, Serialize)]
struct Report<'a> {
    text: &'a str,
    range: Range,
    provider: &'a str,
    model: &'a str,
    /// Whether the model was the daemon's.
    daemon: bool,
    reason: Option<String>,
    prompt_tokens: usize,
    cached_tokens: usize,
    generated_tokens: usize,
    ms: Milliseconds,
}

/// 0-based lines and characters, counted in UTF-16 as the language server protocol does by default.
#[derive(Debug, Serialize)]
struct Range {
    start: Position,
    end: Position,
}

#[derive(Debug, Serialize)]
struct Position {
    line: u32,
    character: u32,
}

#[derive(Debug, Serialize)]
struct Milliseconds {
    prefill: f64,
    decode: f64,
    /// From reading the file to the answer, the loading of the model included.
    total: f64,
}

impl<'a> Report<'a> {
    fn of(outcome: &'a Outcome, document: &Document, offset: usize, total: Duration) -> Self {
        let position = |offset| {
            let found = document.position(offset, PositionEncoding::Utf16);
            Position { line: found.line, character: found.character }
        };
        let (text, replaced) = match &outcome.suggestion {
            Some(suggestion) => (suggestion.text.as_str(), suggestion.replace.clone()),
            None => ("", offset..offset),
        };
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        Self {
            text,
            range: Range { start: position(replaced.start), end: position(replaced.end) },
            provider: &outcome.provider,
            model: &outcome.model,
            daemon: false,
            reason: outcome.reason.as_ref().map(ToString::to_string),
            prompt_tokens: outcome.usage.prompt_tokens,
            cached_tokens: outcome.usage.cached_tokens,
            generated_tokens: outcome.usage.generated_tokens,
            ms: Milliseconds {
                prefill: ms(outcome.timings.prefill),
                decode: ms(outcome.timings.decode),
                total: ms(total),
            },
        }
    }
}
