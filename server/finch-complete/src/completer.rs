//! The path of one request: recent suggestions, gates, the state of the model, the model, and its answer's end.
//!
//! Dropping the future of [`Completer::complete`] leaves the provider's stream to the client's next ask for a moment;
//! then it is dropped, which cancels the work behind it.

mod alternatives;
pub(crate) mod landing;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use finch_llm::{
    Capabilities, ClientId, InfillContext, InfillRequest, Lane, ModelState, Origin, Provenance, Provider, Sampling,
    StateReceiver, Task,
};
use tokio::time::Instant;

use crate::ask::{Ask, Options, Trigger};
use crate::confidence::UNSURE_BELOW;
use crate::context::{Context, Gathered, Wanted};
use crate::flight::{Flight, Flights, Turn};
use crate::gate;
use crate::limits::PATH_TOKENS_MAX;
use crate::outcome::{Gate, Outcome, PromptParts, Reason, Source, Suggestion, Times};
use crate::place::Place;
use crate::quiet::{Fate, Tally};
use crate::recent::{Entry, Recent, Rest, Typed};
use crate::syntax::{Language, Token, Trees, View};
use crate::window::{self, Budget, Window};
use landing::{Bounds, Scene};

/// Makes ghost text. One serves all clients and documents of a process.
pub struct Completer {
    provider: Arc<dyn Provider>,
    state: StateReceiver,
    options: Options,
    recent: Mutex<Recent>,
    trees: Mutex<Trees>,
    tally: Arc<Mutex<Tally>>,
    context: Arc<Context>,
    pub(crate) flights: Flights,
    next_id: Arc<AtomicU64>,
}

impl std::fmt::Debug for Completer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Completer").field("provider", &self.provider.id()).finish_non_exhaustive()
    }
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
            flights: Flights::default(),
            next_id: Arc::new(AtomicU64::new(1)),
        }
    }

    /// The same completer with other options. Ids go on; what could be typed through is forgotten, and what is under
    /// way ends.
    #[must_use]
    pub fn reconfigured(&self, options: Options) -> Self {
        self.flights.ground_all();
        Self {
            provider: Arc::clone(&self.provider),
            state: self.state.clone(),
            options,
            recent: Mutex::default(),
            trees: Mutex::default(),
            tally: Arc::clone(&self.tally),
            context: Arc::clone(&self.context),
            flights: Flights::default(),
            next_id: Arc::clone(&self.next_id),
        }
    }

    /// What it knows beyond the documents it is asked about; whoever sees them tells it.
    #[must_use]
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The user took the suggestion, or a part of it.
    pub fn accepted(&self, id: u64) {
        locked(&self.tally).ended(id, Fate::Accepted, Instant::now());
    }

    /// The user did not want the suggestion.
    pub fn rejected(&self, id: u64) {
        locked(&self.tally).ended(id, Fate::Rejected, Instant::now());
    }

    /// Whether [`Self::complete`] has an answer, or the beginning of one, without asking the model anew.
    #[must_use]
    pub fn has_at_hand(&self, ask: &Ask) -> bool {
        let ask = Ask { offset: ask.document.floor(ask.offset), ..ask.clone() };
        let is_known = || self.recent().rest(ask.path.as_deref(), &ask.document, ask.offset).is_some();
        !self.is_excluded(&ask) && (is_known() || self.flights.fits(&ask))
    }

    /// Stops what goes on for the client: it will ask for something else.
    pub fn give_way(&self, client: &ClientId) {
        drop(self.flights.begin(client));
    }

    /// One suggestion for the cursor, or the reason why there is none. Dropping the future cancels it, unless the
    /// client's next ask agrees with what the model is saying and comes at once.
    pub async fn complete(self: &Arc<Self>, ask: Ask) -> Outcome {
        let started = Instant::now();
        let Provenance { provider, model } = self.provenance();
        let mut outcome = Outcome {
            id: self.next_id(),
            suggestion: None,
            alternatives: Vec::new(),
            reason: None,
            provider: provider.to_string(),
            model,
            usage: finch_llm::Usage::default(),
            timings: Times::default(),
            prompt: None,
            source: Source::Model,
        };
        let ask = Ask { offset: ask.document.floor(ask.offset), ..ask };
        let (turn, flight) = self.flights.begin(&ask.client);
        let bounds = Bounds::new(&ask, &self.options, started);
        match self.text(&ask, (&turn, flight), bounds, &mut outcome).await {
            Ok(text) => {
                self.add_alternatives(&turn, &ask, &text, bounds, &mut outcome).await;
                self.go_ahead(&turn, &ask, &text, bounds);
                outcome.suggestion = Some(Suggestion { text, replace: ask.offset..ask.offset });
            }
            Err(reason) => outcome.reason = Some(reason),
        }
        outcome.timings.total = started.elapsed();
        outcome
    }

    /// The text to suggest; fills in where it came from and what it cost.
    async fn text(
        &self,
        ask: &Ask,
        (turn, flight): (&Turn, Option<Flight>),
        bounds: Bounds,
        outcome: &mut Outcome,
    ) -> Result<String, Reason> {
        if self.is_excluded(ask) {
            return Err(Reason::Excluded);
        }
        let flight = flight.filter(|flight| flight.typed(ask).is_some());
        let rest = self.recent().rest(ask.path.as_deref(), &ask.document, ask.offset);
        if let Some(rest) = rest {
            if let Some(flight) = flight.filter(|_| self.options.ahead) {
                self.flights.launch(turn, || flight);
            }
            return Ok(recall(rest, outcome));
        }
        let (scene, window) = self.admit(ask)?;
        if let Some(flight) = flight
            && let Some(answer) = self.take_over(flight, turn, ask, bounds, outcome).await
        {
            return answer;
        }
        if !self.launch(turn, ask, &scene, window) {
            return Err(Reason::Cancelled);
        }
        self.land(turn, ask, &scene, bounds, outcome).await
    }

    /// What stands around a place where the model may be asked, and the text that it would read of it.
    pub(crate) fn admit(&self, ask: &Ask) -> Result<(Scene, Window), Reason> {
        let capabilities = self.provider.capabilities();
        let scene = self.scene(ask);
        let window = window::cut(&ask.document, ask.offset, self.budget(&capabilities));
        gate::check(&scene.place, &window, ask.trigger, &capabilities).map_err(Reason::Gate)?;
        if ask.trigger == Trigger::Automatic && self.is_quiet(scene.place.token()) {
            return Err(Reason::Gate(Gate::Quiet));
        }
        if !self.provider.is_ready(&self.origin(ask)) {
            return Err(self.not_ready());
        }
        Ok((scene, window))
    }

    /// Asks the model, unless a newer ask came.
    pub(crate) fn launch(&self, turn: &Turn, ask: &Ask, scene: &Scene, window: Window) -> bool {
        let prompt = self.prompt(ask, window, scene.view.as_ref());
        let request = self.request(ask, &scene.place, &prompt);
        self.flights.launch(turn, || Flight::new(ask.clone(), prompt, self.provider.infill(request)))
    }

    /// Where a request comes from, as far as that is known before anything is gathered for it.
    fn origin(&self, ask: &Ask) -> Origin {
        Origin {
            task: Task::Completion,
            workspace: self.context.workspace_of(ask.path.as_deref()),
            files: ask.path.as_deref().map(|path| self.context.name_of(path)).into_iter().collect(),
            is_ahead: ask.is_ahead,
            named: None,
        }
    }

    pub(crate) fn is_excluded(&self, ask: &Ask) -> bool {
        ask.path.as_deref().is_some_and(|path| self.options.excludes.excludes(path))
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Something to remember; `from` is who said it, where more than one may have.
    pub(crate) fn entry(&self, id: u64, ask: &Ask, text: &str, from: Option<Provenance>) -> Entry {
        let from = from.unwrap_or_else(|| self.provenance());
        Entry {
            id,
            path: ask.path.clone(),
            document: ask.document.clone(),
            offset: ask.offset,
            text: text.to_owned(),
            provider: from.provider.to_string(),
            model: from.model,
        }
    }

    /// Who would be asked.
    fn provenance(&self) -> Provenance {
        Provenance { provider: self.provider.id(), model: self.provider.capabilities().model }
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn recent(&self) -> MutexGuard<'_, Recent> {
        locked(&self.recent)
    }

    /// What stands around the cursor, and what the grammar says about it, where there is one.
    pub(crate) fn scene(&self, ask: &Ask) -> Scene {
        let (path, document) = (ask.path.as_deref(), &ask.document);
        let language = Language::of(path, ask.language.as_deref());
        let view = language.and_then(|language| locked(&self.trees).view(language, path, document, ask.offset));
        Scene { place: Place::new(document, ask.offset).seen_by(language, view.as_ref()), view }
    }

    fn is_quiet(&self, token: Token) -> bool {
        locked(&self.tally).is_quiet(token, self.options.quiet, Instant::now())
    }

    /// Why nobody can be asked.
    fn not_ready(&self) -> Reason {
        match &*self.state.borrow() {
            ModelState::Absent { .. } | ModelState::Failed { .. } => Reason::NoModel,
            ModelState::Starting
            | ModelState::Downloading { .. }
            | ModelState::Importing { .. }
            | ModelState::Loading { .. }
            // In this very moment.
            | ModelState::Ready { .. } => Reason::ModelLoading,
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
    fn prompt(&self, ask: &Ask, window: Window, view: Option<&View>) -> PromptParts {
        let budget = self.budget(&self.provider.capabilities());
        let wanted = Wanted {
            path: ask.path.as_deref(),
            document: &ask.document,
            offset: ask.offset,
            window: window.range,
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
        self.provider.spell(&self.bare_request(ClientId::new(""), prompt))
    }

    /// How many tokens a text is, where the provider tells.
    #[must_use]
    pub fn tokens_of(&self, text: &str) -> Option<usize> {
        self.provider.tokens_of(&Origin::default(), text)
    }

    fn request(&self, ask: &Ask, place: &Place, prompt: &PromptParts) -> InfillRequest {
        let mut request = self.bare_request(ask.client.clone(), prompt);
        request.origin = self.origin(ask);
        request.origin.files.extend(prompt.context.excerpts.iter().map(|excerpt| excerpt.name.clone()));
        request.references = window::around(&ask.document, ask.offset);
        request.sampling.stop = if place.line_goes_on() { vec!["\n".to_owned()] } else { Vec::new() };
        request.sampling.unsure_below = if ask.trigger == Trigger::Automatic { UNSURE_BELOW } else { 0.0 };
        request
    }

    /// Whatever the place, this is asked.
    fn bare_request(&self, client: ClientId, prompt: &PromptParts) -> InfillRequest {
        InfillRequest {
            client,
            origin: Origin::default(),
            lane: Lane::Interactive,
            prefix: prompt.prefix.clone(),
            suffix: prompt.suffix.clone(),
            context: prompt.context.clone(),
            prompt_tokens_max: self.prompt_tokens_max(&self.provider.capabilities()),
            references: Vec::new(),
            sampling: Sampling { tokens_max: self.options.tokens_max, ..Sampling::default() },
        }
    }
}

impl Drop for Completer {
    fn drop(&mut self) {
        // What goes on behind knows the flights too.
        self.flights.ground_all();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests;
