//! `finch complete`: one ghost text at a place in a file, as an editor would get it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use finch_complete::{Ask, Completer, Options, Outcome, Trigger};
use finch_llm::ClientId;
use finch_text::{Document, PositionEncoding};
use serde::Serialize;

use super::{print, setup};
use crate::Exit;
use crate::cli;
use crate::local::{self, LocalProvider};
use crate::place;
use crate::progress::say;
use crate::surroundings::Surroundings;

pub(super) fn run(surroundings: &Surroundings, arguments: &cli::Complete) -> Result<Exit> {
    let (document, offset) = place::open(&arguments.place)?;
    let started = Instant::now();
    let model = setup::ensure(surroundings)?;
    let (provider, state) = LocalProvider::ready(local::load(surroundings, &model)?);
    // Nobody reads on here.
    let options = Options { ahead: false, ..surroundings.config.completion.options() };
    let completer = Arc::new(Completer::new(Arc::new(provider), state, options));
    let ask = Ask {
        client: ClientId::new("cli"),
        document: document.clone(),
        path: Some(arguments.place.file.to_string_lossy().into_owned()),
        language: None,
        offset,
        trigger: Trigger::Invoked,
        alternatives: 0,
    };
    let outcome = super::runtime()?.block_on(completer.complete(ask));
    if arguments.explain {
        explain(&outcome);
    }
    report(&outcome, &document, offset, started.elapsed(), arguments)
}

fn report(
    outcome: &Outcome,
    document: &Document,
    offset: usize,
    total: Duration,
    arguments: &cli::Complete,
) -> Result<Exit> {
    let reason = outcome.reason.as_ref().map(ToString::to_string);
    if arguments.json {
        print(&format!("{:#}\n", serde_json::to_value(Report::of(outcome, document, offset, total))?))?;
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

fn explain(outcome: &Outcome) {
    if let Some(prompt) = &outcome.prompt {
        say(&format!("--- before the cursor\n{}\n--- behind the cursor\n{}\n---", prompt.prefix, prompt.suffix));
    }
    let usage = &outcome.usage;
    say(&format!(
        "prompt {} tokens, {} of them cached, {} behind the cursor; {} generated",
        usage.prompt_tokens, usage.cached_tokens, usage.suffix_tokens, usage.generated_tokens
    ));
}

/// `finch complete --json`. The fields are a promise to scripts.
#[derive(Debug, Serialize)]
struct Report<'a> {
    text: &'a str,
    range: Range,
    provider: &'a str,
    model: &'a str,
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
