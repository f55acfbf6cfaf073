//! All providers of the user as one: who is asked on which terms, and what is written down of what leaves.
//!
//! Every provider over the network gets one gate: it asks the terms, and it lets nothing out that the ledger did not
//! take down first.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use finch_llm::cloud::{CloudProvider, Departure, Ending, Gate, Passage};
use finch_llm::router::{Consent, ConsentOf, Listed, Place, Setup, Terms};
use finch_llm::{LlmError, Origin, Provider};
use finch_lsp::wire::status::Left;
use tokio::runtime::Handle;

use crate::clouds::Cloud;
use crate::config::{self, Config, CostConfig};
use crate::ledger::{self, Departs, Ended, Ledger, LedgerId, Outcome, Since, Summary};
use crate::limits::CONSENT_AGE_MAX;
use crate::surroundings::{Surroundings, now_ms};
use crate::trust::Trust;

/// What all providers of a process share, whatever the configuration: ledger, answers of the user, and what left.
#[derive(Clone)]
pub(crate) struct Desk {
    ledger: Ledger,
    trust: Trust,
    /// The user's answers, as they were a moment ago: the file is not read for every key.
    answers: Arc<Mutex<HashMap<PathBuf, (Instant, Consent)>>>,
    left: Arc<Mutex<Left>>,
    folder: PathBuf,
}

impl Desk {
    pub(crate) fn new(surroundings: &Surroundings) -> Self {
        let folder = surroundings.ledger_folder();
        Self {
            ledger: Ledger::open(folder.clone()),
            trust: surroundings.trust(),
            answers: Arc::default(),
            left: Arc::default(),
            folder,
        }
    }

    /// What left this machine within a day, and before this process began. Reads a file.
    pub(crate) fn recall(&self) {
        let before = match ledger::read(&self.folder, Since::days(1, now_ms())) {
            Ok((entries, _)) => Summary::of(&entries).left(),
            Err(error) => return tracing::warn!(%error, "the ledger cannot be read"),
        };
        let mut left = locked(&self.left);
        left.requests += before.requests;
        left.bytes += before.bytes;
        left.cost = sum(left.cost, before.cost);
    }

    pub(crate) fn left(&self) -> Left {
        locked(&self.left).clone()
    }

    /// Keeps what the user answered for a folder. It holds from the next request.
    pub(crate) fn answer(&self, folder: &Path, consent: Consent) -> Result<(), String> {
        self.trust.answer(folder, consent).map_err(|error| error.to_string())?;
        locked(&self.answers).clear();
        Ok(())
    }

    /// What the user has answered for the folder that a request comes from.
    pub(crate) fn consent(&self, origin: &Origin) -> Consent {
        let Some(folder) = origin.workspace.as_deref() else { return Consent::Unknown };
        let known = locked(&self.answers).get(folder).copied();
        if let Some((_, consent)) = known.filter(|(at, _)| at.elapsed() < CONSENT_AGE_MAX) {
            return consent;
        }
        let consent = self.trust.consent(folder);
        locked(&self.answers).insert(folder.to_owned(), (Instant::now(), consent));
        consent
    }

    /// The router's settings of a configuration.
    pub(crate) fn setup(
        &self,
        config: &Config,
        local: Option<&Arc<dyn Provider>>,
        clouds: Vec<Cloud>,
        runtime: &Handle,
    ) -> Setup {
        let consent: ConsentOf = match config.router.consent.everywhere() {
            Some(consent) => Arc::new(move |_| consent),
            None => {
                let desk = self.clone();
                Arc::new(move |origin| desk.consent(origin))
            }
        };
        let terms = Arc::new(Terms { policy: config.router.policy.into(), rules: config.router.rules(), consent });
        let hedge = config.router.hedge();
        let mut clouds: HashMap<String, Cloud> =
            clouds.into_iter().map(|cloud| (cloud.spec.id.to_string(), cloud)).collect();
        let listed = config.providers.iter().filter_map(|provider| match provider {
            config::Provider::Local(_) => local.map(|local| here(Arc::clone(local))),
            config::Provider::Cloud(cloud) => {
                clouds.remove(&cloud.name).and_then(|cloud| self.listed(cloud, &terms, runtime))
            }
        });
        Setup { providers: listed.collect(), terms: Arc::clone(&terms), hedge }
    }

    fn listed(&self, Cloud { spec, cost }: Cloud, terms: &Arc<Terms>, runtime: &Handle) -> Option<Listed> {
        let place = match spec.endpoint.is_loopback() {
            true => Place::ThisMachine,
            false => Place::Away { host: spec.endpoint.host() },
        };
        let gate = self.gate(Arc::clone(terms), cost);
        match CloudProvider::new(spec, gate, runtime.clone()) {
            Ok(provider) => Some(Listed {
                provider: Arc::new(provider),
                place,
                cost: cost.map_or(0.0, |cost| cost.input + cost.output),
            }),
            Err(bad) => {
                tracing::warn!("{bad}; this provider is left out");
                None
            }
        }
    }

    fn gate(&self, terms: Arc<Terms>, cost: Option<CostConfig>) -> Gate {
        let desk = self.clone();
        Arc::new(move |departure| {
            terms.let_out(departure)?;
            let id = desk
                .ledger
                .departs(&departs(departure))
                .map_err(|error| LlmError::Refused { reason: error.to_string() })?;
            let counts = !departure.is_loopback;
            if counts {
                let mut left = locked(&desk.left);
                left.requests += 1;
                left.bytes += u64::try_from(departure.bytes).unwrap_or(u64::MAX);
            }
            let desk = desk.clone();
            Ok(Passage::new(move |ending| desk.arrived(id, &ending, cost, counts)))
        })
    }

    fn arrived(&self, id: LedgerId, ending: &Ending<'_>, cost: Option<CostConfig>, counts: bool) {
        let ended = ended(ending, cost);
        if counts {
            let mut left = locked(&self.left);
            left.cost = sum(left.cost, ended.cost);
        }
        self.ledger.ended(id, &ended);
    }
}

fn here(provider: Arc<dyn Provider>) -> Listed {
    Listed { provider, place: Place::Here, cost: 0.0 }
}

fn departs(departure: &Departure<'_>) -> Departs {
    let origin = departure.origin;
    Departs {
        at_ms: now_ms(),
        provider: departure.provider.to_string(),
        model: departure.model.to_owned(),
        host: departure.host.to_owned(),
        is_loopback: departure.is_loopback,
        task: origin.task,
        workspace: origin.workspace.as_ref().map(|workspace| workspace.display().to_string()),
        files: origin.files.clone(),
        files_more: 0,
        bytes: u64::try_from(departure.bytes).unwrap_or(u64::MAX),
    }
}

fn ended(ending: &Ending<'_>, cost: Option<CostConfig>) -> Ended {
    let count = |tokens: usize| u64::try_from(tokens).unwrap_or(u64::MAX);
    let usage = ending.usage;
    Ended {
        at_ms: now_ms(),
        outcome: match ending.outcome {
            Ok(_) => Outcome::Answered,
            Err(LlmError::Cancelled) => Outcome::Cancelled,
            Err(error) => Outcome::Failed(error.kind().to_owned()),
        },
        prompt_tokens: count(usage.prompt_tokens),
        cached_tokens: count(usage.cached_tokens),
        generated_tokens: count(usage.generated_tokens),
        cost: cost.map(|cost| price(cost, usage.prompt_tokens, usage.generated_tokens)),
        ms: u64::try_from(ending.took.as_millis()).unwrap_or(u64::MAX),
    }
}

/// What an answer costs, by the price of a million tokens.
#[expect(clippy::cast_precision_loss, reason = "tokens are counted in millions at most")]
fn price(cost: CostConfig, prompt_tokens: usize, generated_tokens: usize) -> f64 {
    (cost.input * prompt_tokens as f64 + cost.output * generated_tokens as f64) / 1e6
}

fn sum(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (None, None) => None,
        (one, other) => Some(one.unwrap_or_default() + other.unwrap_or_default()),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
