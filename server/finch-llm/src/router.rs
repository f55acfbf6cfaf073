//! Who answers: one provider that stands for all that are configured.
//!
//! A request says where it comes from; policy, consent and health say who may be asked and in which order. It goes on
//! to the next one while nothing of an answer was shown, and every answer says who made it. What leaves the machine
//! is decided once more at each provider's gate, by the same [`Terms`].

mod hedge;
mod order;
mod race;
mod terms;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::broadcast};

use crate::{
    Capabilities, GenerateRequest, GenerateStream, InfillRequest, Lane, LlmError, Origin, Provenance, Provider,
    ProviderId, Sampling, Task, alignment, health::Health, limits,
};
pub use hedge::Hedge;
use hedge::Pace;
pub use order::{Candidate, Consent, Policy, Rule, candidates, policy};
use race::Race;
pub use terms::{ConsentOf, Terms};

/// Where a provider computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this process. It says itself whether it is ready.
    Here,
    /// A server on this machine.
    ThisMachine,
    /// Beyond this machine, at this host.
    Away { host: String },
}

/// A provider that may be asked.
#[derive(Clone)]
pub struct Listed {
    pub provider: Arc<dyn Provider>,
    pub place: Place,
    /// What a million tokens cost, in whatever the user counts in.
    pub cost: f64,
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listed").field("provider", &self.provider.id()).field("place", &self.place).finish()
    }
}

/// Whom the user has configured, in the user's order, and on which terms.
#[derive(Debug, Clone)]
pub struct Setup {
    pub providers: Vec<Listed>,
    pub terms: Arc<Terms>,
    pub hedge: Hedge,
}

/// What a door may want to tell the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouterEvent {
    /// A provider beyond this machine would be asked if the user agreed.
    ConsentWanted { origin: Origin, provider: ProviderId, host: String },
    /// Nobody answered. Comes once a minute at most.
    AllFailed { reason: String },
    /// Somebody answered; `instead_of` is who was asked before and why that came to nothing.
    Answered { provenance: Provenance, task: Task, instead_of: Option<String> },
}

/// All providers as one. Clones are the same.
#[derive(Clone)]
pub struct Router {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    setup: Mutex<Arc<Setup>>,
    pub(crate) health: Mutex<Health>,
    pub(crate) pace: Mutex<Pace>,
    events: broadcast::Sender<RouterEvent>,
    /// When it was last said that nobody answers.
    said_all_failed: Mutex<Option<Instant>>,
    runtime: Handle,
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("setup", &self.setup()).finish_non_exhaustive()
    }
}

/// Those who may be asked now, and what keeps others from it.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    pub(crate) order: Vec<Listed>,
    /// The first that waits for the user's consent.
    pub(crate) waits: Option<Listed>,
    /// Why others are not asked.
    pub(crate) left_out: Vec<String>,
}

/// What of a request decides who is asked.
struct Wanted {
    origin: Origin,
    lane: Lane,
    /// How probable each token was has to be told.
    is_scored: bool,
}

impl Wanted {
    fn of(origin: &Origin, lane: Lane, sampling: &Sampling) -> Self {
        Self { origin: origin.clone(), lane, is_scored: sampling.alternatives.is_some() }
    }
}

impl Router {
    /// Requests to more than one provider run on `runtime`.
    #[must_use]
    pub fn new(setup: Setup, runtime: Handle) -> Self {
        let shared = Shared {
            setup: Mutex::new(Arc::new(setup)),
            health: Mutex::default(),
            pace: Mutex::default(),
            events: broadcast::Sender::new(limits::ROUTER_EVENTS_MAX),
            said_all_failed: Mutex::default(),
            runtime,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The user configured something else. What is under way goes on; who was left alone gets another chance.
    pub fn reconfigure(&self, setup: Setup) {
        *locked(&self.shared.setup) = Arc::new(setup);
        locked(&self.shared.health).forget();
    }

    /// What happens from now on. A reader that is slow misses the oldest.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<RouterEvent> {
        self.shared.events.subscribe()
    }

    /// The ids of all providers, in the user's order.
    #[must_use]
    pub fn ids(&self) -> Vec<ProviderId> {
        self.setup().providers.iter().map(|listed| listed.provider.id()).collect()
    }

    fn setup(&self) -> Arc<Setup> {
        Arc::clone(&locked(&self.shared.setup))
    }

    /// Who is asked for this, in order.
    fn choose(&self, setup: &Setup, origin: &Origin) -> Choice {
        let (policy, consent) = (setup.terms.policy_of(origin), setup.terms.consent_of(origin));
        let mut choice = Choice::default();
        let (mut able, mut last) = (Vec::new(), Vec::new());
        for listed in &setup.providers {
            let id = listed.provider.id();
            if origin.named.as_ref().is_some_and(|named| *named != id) {
                continue;
            }
            let (pause, why) = locked(&self.shared.health).pause(&id, now()).unzip();
            // Who asks himself is not sent away because of what befell others: those come last.
            let is_last = pause.is_some_and(|pause| pause < Duration::MAX) && origin.task != Task::Completion;
            let pause = pause.filter(|_| !is_last);
            let candidate = Candidate {
                id: id.clone(),
                is_local: !matches!(listed.place, Place::Away { .. }),
                is_able: listed.place == Place::Here || is_able(&listed.provider.capabilities(), origin.task),
                pause,
                cost: listed.cost,
            };
            match &listed.place {
                _ if !candidate.is_able => choice.left_out.push(format!("{id} cannot do this")),
                _ if pause.is_some() => {
                    choice.left_out.push(format!("{id} is left alone for a while ({})", why.unwrap_or_default()));
                }
                Place::Away { .. } => match setup.terms.permit(origin, policy, consent) {
                    Ok(()) => {}
                    Err(reason) => {
                        if consent == Consent::Unknown && policy != Policy::LocalOnly && choice.waits.is_none() {
                            choice.waits = Some(listed.clone());
                        }
                        choice.left_out.push(format!("{id} may not be asked: {reason}"));
                    }
                },
                Place::Here | Place::ThisMachine => {}
            }
            if is_last {
                last.push(candidate);
            } else {
                able.push(candidate);
            }
        }
        let by_id = |id: ProviderId| setup.providers.iter().find(|listed| listed.provider.id() == id).cloned();
        if origin.is_ahead {
            choice.waits = None;
            able.retain(|candidate| candidate.is_local);
            last.clear();
        }
        let ids = [&able, &last].into_iter().flat_map(|some| candidates(some, policy, consent));
        choice.order = ids.filter_map(by_id).collect();
        choice
    }

    fn ask(&self, wanted: &Wanted, send: race::Send) -> GenerateStream {
        let (setup, origin) = (&self.setup(), &wanted.origin);
        let mut choice = self.choose(setup, origin);
        if wanted.lane == Lane::Warm {
            // Only what computes here keeps anything.
            choice.order.retain(|listed| listed.place == Place::Here);
        }
        if wanted.is_scored {
            choice.order.retain(|listed| listed.provider.scores_tokens(origin));
            choice.left_out.push("others do not tell how probable a token was".to_owned());
        }
        match choice.order.as_slice() {
            [] => {
                self.shared.want_consent(origin, choice.waits.as_ref());
                GenerateStream::failed(nobody(&choice.left_out))
            }
            [only] if only.place == Place::Here && choice.waits.is_none() => {
                let stream = send(only.provider.as_ref());
                stream.of(provenance(only))
            }
            _ => {
                let race = Race::new(Arc::clone(&self.shared), setup, origin.clone(), choice, send);
                let (sender, stream) = crate::stream();
                // The task ends with its reader, and with the runtime.
                drop(self.shared.runtime.spawn(race.run(sender)));
                stream
            }
        }
    }
}

impl Provider for Router {
    fn id(&self) -> ProviderId {
        self.first().map_or_else(|| ProviderId::new("none"), |listed| listed.provider.id())
    }

    fn capabilities(&self) -> Capabilities {
        self.first().map_or_else(Capabilities::none, |listed| listed.provider.capabilities())
    }

    fn capabilities_for(&self, origin: &Origin) -> Capabilities {
        self.first_for(origin).map_or_else(Capabilities::none, |listed| listed.provider.capabilities())
    }

    fn provenance_for(&self, origin: &Origin) -> Provenance {
        let nobody = || Provenance { provider: ProviderId::new("none"), model: String::new() };
        self.first_for(origin).as_ref().map_or_else(nobody, provenance)
    }

    fn generate(&self, mut request: GenerateRequest) -> GenerateStream {
        let wanted = Wanted::of(&request.origin, request.lane, &request.sampling);
        alignment::align(&mut request.messages);
        self.ask(&wanted, Box::new(move |provider| provider.generate(request.clone())))
    }

    fn infill(&self, request: InfillRequest) -> GenerateStream {
        let wanted = Wanted::of(&request.origin, request.lane, &request.sampling);
        self.ask(&wanted, Box::new(move |provider| provider.infill(request.clone())))
    }

    fn is_ready(&self, origin: &Origin) -> bool {
        let choice = self.choose(&self.setup(), origin);
        let is_ready = choice.order.iter().any(|listed| listed.provider.is_ready(origin));
        if !is_ready {
            self.shared.want_consent(origin, choice.waits.as_ref());
        }
        is_ready
    }

    fn scores_tokens(&self, origin: &Origin) -> bool {
        self.choose(&self.setup(), origin).order.iter().any(|listed| listed.provider.scores_tokens(origin))
    }

    fn spell(&self, request: &InfillRequest) -> Option<String> {
        self.first()?.provider.spell(request)
    }

    fn tokens_of(&self, origin: &Origin, text: &str) -> Option<usize> {
        self.first_for(origin)?.provider.tokens_of(origin, text)
    }
}

impl Router {
    /// Who would be asked first for what belongs to no folder.
    fn first(&self) -> Option<Listed> {
        self.first_for(&Origin { task: Task::Completion, ..Origin::default() })
    }

    /// Who would be asked first for this.
    fn first_for(&self, origin: &Origin) -> Option<Listed> {
        self.choose(&self.setup(), origin).order.into_iter().next()
    }
}

impl Shared {
    pub(crate) fn tell(&self, event: RouterEvent) {
        // Nobody has to listen.
        self.events.send(event).ok();
    }

    pub(crate) fn want_consent(&self, origin: &Origin, waits: Option<&Listed>) {
        if let Some(Listed { provider, place: Place::Away { host }, .. }) = waits {
            let (origin, host) = (origin.clone(), host.clone());
            self.tell(RouterEvent::ConsentWanted { origin, provider: provider.id(), host });
        }
    }

    /// Says so, unless it was said within the last minute.
    pub(crate) fn all_failed(&self, reason: &str, now: Instant) {
        let mut said = locked(&self.said_all_failed);
        if said.is_none_or(|said| now.duration_since(said) >= limits::NOTICE_INTERVAL) {
            *said = Some(now);
            self.tell(RouterEvent::AllFailed { reason: reason.to_owned() });
        }
    }
}

/// The time, as tests set it too.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn is_able(capabilities: &Capabilities, task: Task) -> bool {
    match task {
        Task::Completion => capabilities.fill_in_the_middle,
        Task::Chat | Task::Plan | Task::Critique => capabilities.chat,
    }
}

pub(crate) fn provenance(listed: &Listed) -> Provenance {
    Provenance { provider: listed.provider.id(), model: listed.provider.capabilities().model }
}

fn nobody(left_out: &[String]) -> LlmError {
    let reason = match left_out {
        [] => "no provider is configured; run `finch setup`".to_owned(),
        some => format!("nobody can be asked: {}", some.join("; ")),
    };
    LlmError::Refused { reason }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
