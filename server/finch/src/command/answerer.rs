//! Who answers a command in a terminal: the local model, the clouds of the configuration, or one that the user named.
//!
//! The local model is that of the daemon where one runs. It is fetched and loaded only where it may be the one to answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use finch_llm::router::{Policy, Router};
use finch_llm::{ModelState, Provenance, Provider, ProviderId, StateReceiver, state_channel};
use tokio::runtime::Handle;

use super::setup;
use crate::attached::Attached;
use crate::clouds::{self, Cloud};
use crate::config;
use crate::daemon::attach;
use crate::local::{self, LocalProvider, NoModel};
use crate::progress::say;
use crate::routing::Desk;
use crate::surroundings::{self, Surroundings};

/// All who may answer, as one.
pub(super) struct Answerer {
    pub(super) router: Router,
    pub(super) state: StateReceiver,
    pub(super) desk: Desk,
    /// The provider that the user named, and no other, unless it is the local one.
    pub(super) named: Option<ProviderId>,
    /// The first provider of the configuration that is not the local one.
    pub(super) first_cloud: Option<ProviderId>,
    /// What asks the daemon for the local model, if one runs.
    attached: Option<Attached>,
}

/// Who is to answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted<'a> {
    /// The name of a configured provider.
    pub(super) provider: Option<&'a str>,
    /// Replaces the model of that one, or of the local engine.
    pub(super) model: Option<&'a str>,
    pub(super) engine: Engine,
}

/// Where the local model may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Engine {
    /// In the daemon, if one runs.
    #[default]
    Anywhere,
    /// In this process: the command tells what only the engine itself knows.
    Here,
}

/// The name of the local model among the providers.
pub(super) const LOCAL: &str = "local";

impl Answerer {
    /// `command` is what the daemon's status calls this process by.
    pub(super) fn new(
        mut surroundings: Surroundings,
        command: &str,
        wanted: Wanted<'_>,
        runtime: &Handle,
    ) -> Result<Self> {
        let Wanted { provider, model, engine } = wanted;
        let is_cloud = provider.is_some_and(|name| name != LOCAL);
        if let (Some(model), false) = (model, is_cloud) {
            surroundings.config.engine.model = Some(model.to_owned());
        }
        let mut clouds = clouds_of(&surroundings, provider)?;
        if let (Some(model), true) = (model, is_cloud) {
            clouds.iter_mut().for_each(|cloud| model.clone_into(&mut cloud.spec.model));
        }
        let (desk, others) = (Desk::new(&surroundings), !clouds.is_empty());
        let attached = match (is_cloud, engine) {
            (false, Engine::Anywhere) => attached(&surroundings, command, model, others, runtime),
            (true, _) | (_, Engine::Here) => None,
        };
        let (local, state): (Option<Arc<dyn Provider>>, _) = match &attached {
            Some(attached) => (Some(Arc::new(attached.clone())), ready(attached)),
            None if is_cloud => (None, LocalProvider::absent("another provider was named".to_owned()).1),
            None => {
                let (local, state) = local(&surroundings, others)?;
                (Some(Arc::new(local)), state)
            }
        };
        let first_cloud = clouds.first().map(|cloud| cloud.spec.id.clone());
        let setup = desk.setup(&surroundings.config, local.as_ref(), clouds, runtime);
        let router = Router::new(setup, runtime.clone());
        let named = provider.filter(|_| is_cloud).map(ProviderId::new);
        Ok(Self { router, state, desk, named, first_cloud, attached })
    }

    /// Whether an answer from there is the daemon's; of no answer in particular, whether any was.
    pub(super) fn is_by_daemon(&self, from: Option<&Provenance>) -> bool {
        let is_local = from.is_none_or(|from| from.provider.as_str() == LOCAL);
        is_local && self.attached.as_ref().is_some_and(Attached::is_by_daemon)
    }

    /// Waits for a model of this process, if one takes the daemon's place. Whether one does.
    pub(super) async fn has_turned_here(&self) -> bool {
        match &self.attached {
            Some(attached) => attached.has_turned_here().await,
            None => false,
        }
    }

    /// Who answered, as it turned out: a model of this process may have stood in for the daemon's, and be another one.
    pub(super) fn turned_out(&self, from: Provenance) -> Provenance {
        match &self.attached {
            Some(attached) if from.provider.as_str() == LOCAL => {
                Provenance { model: attached.capabilities().model, ..from }
            }
            Some(_) | None => from,
        }
    }

    /// Says who answered, unless it is who always does.
    pub(super) fn tell(&self, from: Option<&Provenance>) {
        match from {
            Some(Provenance { provider, model }) if provider.as_str() != LOCAL => {
                say(&format!("finch: {provider} answered ({model})"));
            }
            _ => self.tell_of_the_daemon(from),
        }
    }

    /// Says that the daemon answered, if it did.
    pub(super) fn tell_of_the_daemon(&self, from: Option<&Provenance>) {
        if let (true, Some(attached)) = (self.is_by_daemon(from), &self.attached) {
            say(&format!("finch: the daemon answered ({})", attached.capabilities().model));
        }
    }

    /// A command for which only the local model was named goes nowhere else.
    pub(super) fn may_leave(&self) -> bool {
        self.first_cloud.is_some()
    }
}

/// The clouds that may be asked: all of the configuration, or the one that was named.
fn clouds_of(surroundings: &Surroundings, provider: Option<&str>) -> Result<Vec<Cloud>> {
    if provider == Some(LOCAL) {
        return Ok(Vec::new());
    }
    let config = &surroundings.config;
    if let Some(name) = provider {
        if !config.providers.iter().any(|one| matches!(one, config::Provider::Cloud(cloud) if cloud.name == name)) {
            bail!("{name} is no provider that can be used; {}", names(surroundings));
        }
    } else if Policy::from(config.router.policy) == Policy::LocalOnly && config.router.rules.is_empty() {
        return Ok(Vec::new());
    }
    // The commands that print the keys of others are not run.
    let (clouds, problems) = clouds::specs(config, provider, surroundings::variable);
    match (problems.first(), provider) {
        (Some(problem), Some(_)) => bail!("{problem}"),
        _ => problems.iter().for_each(|problem| tracing::warn!("{problem}")),
    }
    Ok(clouds)
}

fn names(surroundings: &Surroundings) -> String {
    let names = surroundings.config.providers.iter().filter_map(|one| match one {
        config::Provider::Cloud(cloud) => Some(cloud.name.as_str()),
        config::Provider::Local(_) => None,
    });
    let names: Vec<&str> = names.chain([LOCAL]).collect();
    format!("{} has {}; see `finch config check`", surroundings.config_path.display(), names.join(", "))
}

/// The daemon's model, if there is a daemon to ask.
fn attached(
    surroundings: &Surroundings,
    command: &str,
    model: Option<&str>,
    others: bool,
    runtime: &Handle,
) -> Option<Attached> {
    if !surroundings.shares_the_daemon() {
        return None;
    }
    let daemon = runtime.block_on(attach::attach(surroundings, &process_name(command), model, runtime))?;
    let surroundings = surroundings.clone();
    let load = move || Ok(Arc::new(local(&surroundings, others)?.0) as Arc<dyn Provider>);
    Some(Attached::new(Arc::new(daemon), Box::new(load), runtime.clone()))
}

/// What a process of this command is called beside others: in a daemon two with one name would take each other's place.
pub(super) fn process_name(command: &str) -> String {
    format!("{command}-{}", std::process::id())
}

/// Whoever asks gets an answer: of the daemon, or of a model that is loaded for it.
fn ready(attached: &Attached) -> StateReceiver {
    let (sender, state) = state_channel();
    sender.send_replace(ModelState::Ready { model: attached.capabilities().model });
    state
}

/// The local model, ready; where others may answer in its place, nothing is fetched for it.
fn local(surroundings: &Surroundings, others: bool) -> Result<(LocalProvider, StateReceiver)> {
    let folder: PathBuf = match local::wanted_model(surroundings) {
        Err(NoModel { next, .. }) if others => return Ok(LocalProvider::absent(next)),
        Ok(folder) if others => folder,
        Ok(_) | Err(_) => setup::ensure(surroundings)?,
    };
    Ok(LocalProvider::ready(local::load(surroundings, &folder)?))
}

/// The innermost folder around a path that is under version control, or else the given one.
pub(super) fn workspace_of(folder: &Path) -> PathBuf {
    folder.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(folder).to_owned()
}
