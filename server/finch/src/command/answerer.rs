//! Who answers a command in a terminal: the local model, the clouds of the configuration, or one that the user named.
//!
//! The local model is fetched and loaded only where it may be the one to answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use finch_llm::router::{Policy, Router};
use finch_llm::{Provider, ProviderId, StateReceiver};
use tokio::runtime::Handle;

use super::setup;
use crate::clouds::{self, Cloud};
use crate::config;
use crate::local::{self, LocalProvider, NoModel};
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
}

/// The name of the local model among the providers.
pub(super) const LOCAL: &str = "local";

impl Answerer {
    /// `provider` is the name of a configured one; `model` replaces the model of that one, or of the local engine.
    pub(super) fn new(
        mut surroundings: Surroundings,
        provider: Option<&str>,
        model: Option<&str>,
        runtime: &Handle,
    ) -> Result<Self> {
        let is_cloud = provider.is_some_and(|name| name != LOCAL);
        if let (Some(model), false) = (model, is_cloud) {
            surroundings.config.engine.model = Some(model.to_owned());
        }
        let mut clouds = clouds_of(&surroundings, provider)?;
        if let (Some(model), true) = (model, is_cloud) {
            clouds.iter_mut().for_each(|cloud| model.clone_into(&mut cloud.spec.model));
        }
        let desk = Desk::new(&surroundings);
        let local = if is_cloud { None } else { Some(local(&surroundings, !clouds.is_empty())?) };
        let (local, state) = match local {
            Some((local, state)) => (Some(Arc::new(local) as Arc<dyn Provider>), state),
            None => (None, LocalProvider::absent("another provider was named".to_owned()).1),
        };
        let first_cloud = clouds.first().map(|cloud| cloud.spec.id.clone());
        let setup = desk.setup(&surroundings.config, local.as_ref(), clouds, runtime);
        let router = Router::new(setup, runtime.clone());
        let named = provider.filter(|_| is_cloud).map(ProviderId::new);
        Ok(Self { router, state, desk, named, first_cloud })
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
