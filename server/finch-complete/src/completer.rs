//! The path of one request: recent suggestions, gates, the state of the model, the model, and its answer's end.
//!
//! Dropping the future of [`Completer::complete`] drops the provider's stream, which cancels the work behind it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use finch_llm::{
    Capabilities, Chunk, ClientId, GenerateStream, InfillContext, InfillRequest, Lane, LlmError, ModelState, Progress,
    Provider, Sampling, StateReceiver, StopReason,
};
use tokio::time::{Instant, timeout_at};

use crate::answer::{Ended, settle};
use crate::ask::{Ask, Options, Trigger};
use crate::confidence::{Doubts, UNSURE_BELOW};
use crate::context::{Context, Gathered, Wanted};
use crate::ends::{self, LastLine};
use crate::gate;
use crate::limits::{ANSWER_BYTES_MAX, PATH_TOKENS_MAX};
use crate::outcome::{Gate, Outcome, PromptParts, Reason, Rule, Source, Suggestion, Times};
use crate::place::{Place, unify_line_ends};
use crate::quiet::{Fate, Tally};
use crate::recent::{Entry, Recent, Rest, Typed};
use crate::syntax::{Language, Token, Trees, View};
use crate::window::{self, Budget, Window};

/// Makes ghost text. One serves all clients and documents of a process.
pub struct Completer {
    provider: Arc<dyn Provider>,
    state: StateReceiver,
    options: Options,
    recent: Mutex<Recent>,
    trees: Mutex<Trees>,
    tally: Arc<Mutex<Tally>>,
    context: Arc<Context>,
    next_id: AtomicU64,
}

impl std::fmt::Debug for Completer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Completer").field("provider", &self.provider.id()).finish_non_exhaustive()
    }
}

/// What the model said, as far as it was heard.
struct Heard {
    text: String,
    ended: Result<Ended, LlmError>,
    doubts: Doubts,
    progress: Progress,
}

impl Completer {
    #[must_use]
    pub fn new(provider: Arc<dyn Provider>, state: StateReceiver, options: Options) -> Self {
        Self {
            provider,
            state,
            options,
            recent: Mutex::default(),
            trees: Mutex::default(),
            tally: Arc::default(),
            context: Arc::default(),
            next_id: AtomicU64::new(1),
        }
    }

    /// The same completer with other options. Ids go on; what could be typed through is forgotten.
    #[must_use]
    pub fn reconfigured(&self, options: Options) -> Self {
        let next_id = AtomicU64::new(self.next_id.load(Ordering::Relaxed));
        Self {
            provider: Arc::clone(&self.provider),
            state: self.state.clone(),
            options,
            recent: Mutex::default(),
            trees: Mutex::default(),
            tally: Arc::clone(&self.tally),
            context: Arc::clone(&self.context),
            next_id,
        }
    }

    /// What it knows beyond the documents it is asked about; whoever sees them tells it.
    #[must_use]
    pub fn context(&self) -> Arc<Context> {
        Arc::clone(&self.context)
    }

    /// The user took the suggestion, or a part of it.
    pub fn accepted(&self, id: u64) {
        locked(&self.tally).ended(id, Fate::Accepted, Instant::now());
    }

    /// The user did not want the suggestion.
    pub fn rejected(&self, id: u64) {
        locked(&self.tally).ended(id, Fate::Rejected, Instant::now());
    }

    /// One suggestion for the cursor, or the reason why there is none. Dropping the future cancels it.
    pub async fn complete(&self, ask: Ask) -> Outcome {
        let started = Instant::now();
        let capabilities = self.provider.capabilities();
        let mut outcome = Outcome {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            suggestion: None,
            reason: None,
            provider: self.provider.id().to_string(),
            model: capabilities.model.clone(),
            usage: finch_llm::Usage::default(),
            timings: Times::default(),
            prompt: None,
            source: Source::Model,
        };
        let ask = Ask { offset: ask.document.floor(ask.offset), ..ask };
        match self.text(&ask, &capabilities, started, &mut outcome).await {
            Ok(text) => outcome.suggestion = Some(Suggestion { text, replace: ask.offset..ask.offset }),
            Err(reason) => outcome.reason = Some(reason),
        }
        outcome.timings.total = started.elapsed();
        outcome
    }

    /// The text to suggest; fills in where it came from and what it cost.
    async fn text(
        &self,
        ask: &Ask,
        capabilities: &Capabilities,
        started: Instant,
        outcome: &mut Outcome,
    ) -> Result<String, Reason> {
        if ask.path.as_deref().is_some_and(|path| self.options.excludes.excludes(path)) {
            return Err(Reason::Excluded);
        }
        if let Some(rest) = self.recent().rest(ask.path.as_deref(), &ask.document, ask.offset) {
            return Ok(recall(rest, outcome));
        }
        let view = self.view(ask);
        let language = Language::of(ask.path.as_deref(), ask.language.as_deref());
        let place = Place::new(&ask.document, ask.offset).seen_by(language, view.as_ref());
        let window = window::cut(&ask.document, ask.offset, self.budget(capabilities));
        gate::check(&place, &window, ask.trigger, capabilities).map_err(Reason::Gate)?;
        if ask.trigger == Trigger::Automatic && self.is_quiet(place.token()) {
            return Err(Reason::Gate(Gate::Quiet));
        }
        self.model_is_ready()?;

        let prompt = self.prompt(ask, window, view.as_ref(), capabilities);
        let stream = self.provider.infill(self.request(ask, &place, &prompt, capabilities));
        outcome.prompt = Some(prompt);
        let heard = listen(stream, &place, ask.trigger, started + self.options.deadline).await;
        outcome.usage = heard.progress.usage;
        let times = heard.progress.timings;
        outcome.timings =
            Times { queued: times.queued, prefill: times.prefill, decode: times.decode, ..Times::default() };
        let text = shown_of(heard, &place, ask.trigger, view.as_ref())?;
        locked(&self.tally).shown(outcome.id, place.token());
        self.recent().remember(Entry {
            id: outcome.id,
            path: ask.path.clone(),
            document: ask.document.clone(),
            offset: ask.offset,
            text: text.clone(),
            provider: outcome.provider.clone(),
            model: outcome.model.clone(),
        });
        Ok(text)
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        locked(&self.recent)
    }

    /// What the grammar says around the cursor, where there is one.
    fn view(&self, ask: &Ask) -> Option<View> {
        let language = Language::of(ask.path.as_deref(), ask.language.as_deref())?;
        locked(&self.trees).view(language, ask.path.as_deref(), &ask.document, ask.offset)
    }

    fn is_quiet(&self, token: Token) -> bool {
        locked(&self.tally).is_quiet(token, self.options.quiet, Instant::now())
    }

    fn model_is_ready(&self) -> Result<(), Reason> {
        match &*self.state.borrow() {
            ModelState::Ready { .. } => Ok(()),
            ModelState::Absent { .. } | ModelState::Failed { .. } => Err(Reason::NoModel),
            ModelState::Starting
            | ModelState::Downloading { .. }
            | ModelState::Importing { .. }
            | ModelState::Loading { .. } => Err(Reason::ModelLoading),
        }
    }

    /// Prompt tokens for this model: what is configured, or what its context has room for.
    fn prompt_tokens_max(&self, capabilities: &Capabilities) -> usize {
        let room = capabilities.context_tokens_max.saturating_sub(self.options.tokens_max);
        self.options.prompt_tokens_max.min(if room == 0 { usize::MAX } else { room })
    }

    fn budget(&self, capabilities: &Capabilities) -> Budget {
        let has_context = self.options.context.has_excerpts();
        Budget::new(self.prompt_tokens_max(capabilities), self.options.suffix_tokens_max, has_context)
    }

    /// The text around the cursor, and what is known beyond it.
    fn prompt(&self, ask: &Ask, window: Window, view: Option<&View>, capabilities: &Capabilities) -> PromptParts {
        let budget = self.budget(capabilities);
        let wanted = Wanted {
            path: ask.path.as_deref(),
            document: &ask.document,
            offset: ask.offset,
            window: window.range.clone(),
            view,
            excludes: &self.options.excludes,
            sources: self.options.context,
            tokens_max: budget.context_tokens,
        };
        let Gathered { repository, path, excerpts, costs } = self.context.gather(&wanted);
        let bytes = costs.iter().map(|cost| cost.bytes).sum();
        let window = window::cut(&ask.document, ask.offset, budget.with_context_of(bytes));
        let tokens_max = budget.context_tokens.max(PATH_TOKENS_MAX);
        let context = InfillContext { repository, path, excerpts, tokens_max };
        PromptParts { prefix: window.prefix, suffix: window.suffix, context, costs }
    }

    /// A prompt exactly as the model reads it, where the provider tells.
    #[must_use]
    pub fn spell(&self, prompt: &PromptParts) -> Option<String> {
        self.provider.spell(&InfillRequest {
            client: ClientId::new(""),
            lane: Lane::Interactive,
            prefix: prompt.prefix.clone(),
            suffix: prompt.suffix.clone(),
            context: prompt.context.clone(),
            prompt_tokens_max: self.prompt_tokens_max(&self.provider.capabilities()),
            references: Vec::new(),
            sampling: Sampling { tokens_max: self.options.tokens_max, ..Sampling::default() },
        })
    }

    /// How many tokens a text is, where the provider tells.
    #[must_use]
    pub fn tokens_of(&self, text: &str) -> Option<usize> {
        self.provider.tokens_of(text)
    }

    fn request(&self, ask: &Ask, place: &Place, prompt: &PromptParts, capabilities: &Capabilities) -> InfillRequest {
        let stop = if place.line_goes_on() { vec!["\n".to_owned()] } else { Vec::new() };
        InfillRequest {
            client: ask.client.clone(),
            lane: Lane::Interactive,
            prefix: prompt.prefix.clone(),
            suffix: prompt.suffix.clone(),
            context: prompt.context.clone(),
            prompt_tokens_max: self.prompt_tokens_max(capabilities),
            references: window::around(&ask.document, ask.offset),
            sampling: Sampling {
                tokens_max: self.options.tokens_max,
                stop,
                unsure_below: UNSURE_BELOW,
                ..Sampling::default()
            },
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What of an answer is shown: all that belongs here, or as much of it as the model was sure of.
fn shown_of(heard: Heard, place: &Place, trigger: Trigger, view: Option<&View>) -> Result<String, Reason> {
    let Heard { text, ended, doubts, .. } = heard;
    let ended = ended.map_err(reason_of)?;
    let whole = match settle(&text, ended, place, trigger) {
        Ok(whole) if trigger == Trigger::Automatic && !doubts.is_empty() => whole,
        Ok(whole) => return without_harm(whole, view),
        // There may be a part to show though the line has no end.
        Err(Reason::Filtered(Rule::Unsure | Rule::TooLong)) if ended != Ended::Whole => String::new(),
        Err(reason) => return Err(reason),
    };
    let (whole, is_complete) = match text.starts_with(&whole) {
        true if ended == Ended::Unsure || whole.is_empty() => (text, false),
        true => (whole, true),
        // What is known of its parts holds for an answer that stands there as it was said.
        false => return without_harm(whole, view),
    };
    let mut silence = Reason::Filtered(Rule::Unsure);
    for end in doubts.ends(&whole, is_complete) {
        let is_all = is_complete && end == whole.len();
        let part = if is_all { Ok(whole.clone()) } else { settle(&whole[..end], Ended::Whole, place, trigger) };
        match part.and_then(|part| without_harm(part, view)) {
            Ok(text) => return Ok(text),
            Err(reason) => silence = reason,
        }
    }
    Err(silence)
}

/// As much of the text as breaks nothing that parses.
fn without_harm(text: String, view: Option<&View>) -> Result<String, Reason> {
    let Some(view) = view else { return Ok(text) };
    view.harmless(&text).map(str::to_owned).ok_or(Reason::Filtered(Rule::Syntax))
}

fn recall(rest: Rest, outcome: &mut Outcome) -> String {
    outcome.id = rest.id;
    outcome.provider = rest.provider;
    outcome.model = rest.model;
    outcome.source = match rest.typed {
        Typed::Nothing => Source::Cache,
        Typed::Some => Source::TypedThrough,
    };
    rest.text
}

fn reason_of(error: LlmError) -> Reason {
    match error {
        LlmError::Cancelled => Reason::Cancelled,
        LlmError::Loading => Reason::ModelLoading,
        error => Reason::Error(error),
    }
}

/// Listens until the answer's end is known, the model ends it, or time is up.
async fn listen(mut stream: GenerateStream, place: &Place, trigger: Trigger, deadline: Instant) -> Heard {
    let mut text = String::new();
    let mut doubts = Doubts::default();
    let mut chunks = 0;
    let mut done = None;
    let ended = loop {
        match timeout_at(deadline, stream.next()).await {
            Err(_) => break Ok(Ended::Deadline),
            Ok(None) => break Err(LlmError::Protocol { reason: "the answer stopped without an end".to_owned() }),
            Ok(Some(Err(error))) => break Err(error),
            Ok(Some(Ok(Chunk::Done(end)))) => {
                done = Some(end);
                break Ok(match end.reason {
                    StopReason::EndOfText | StopReason::ToolCalls | StopReason::StopText => Ended::Whole,
                    StopReason::TokensMax | StopReason::ContextFull => Ended::TooLong,
                });
            }
            Ok(Some(Ok(Chunk::Unsure(probability)))) => {
                doubts.add(text.len(), probability);
                if trigger == Trigger::Automatic && doubts.is_lost(text.len()) {
                    break Ok(Ended::Unsure);
                }
            }
            Ok(Some(Ok(Chunk::Reasoning(_) | Chunk::ToolCall(_)))) => {}
            Ok(Some(Ok(Chunk::Text(more)))) => {
                chunks += 1;
                text.push_str(&more);
                let end_is_known = ends::find(&unify_line_ends(&text), place, LastLine::Open).is_some();
                if end_is_known || text.len() > ANSWER_BYTES_MAX {
                    break Ok(Ended::TooLong);
                }
            }
        }
    };
    let mut progress =
        done.map_or_else(|| stream.progress(), |done| Progress { usage: done.usage, timings: done.timings });
    // Each chunk is a token at least, whatever the provider reported.
    progress.usage.generated_tokens = progress.usage.generated_tokens.max(chunks);
    Heard { text: unify_line_ends(&text), ended, doubts, progress }
}

#[cfg(test)]
mod tests;
