//! The models that the daemon answers with: the local one, and each cloud of the configuration by its name.
//!
//! A request that names no model goes the way of the user's policy, as it does from an editor; one that names a cloud's
//! agrees to that cloud, as `finch ask --provider` does. Both go through the router, so its gates and the ledger hold.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use finch_http::{Asked, Found, LOCAL, Models, Offer};
use finch_llm::router::Router;
use finch_llm::{ModelState, Origin, Provider, ProviderId, StateReceiver};
use finch_model::Home;
use finch_model::manifest::{MANIFEST_FILE, ModelId};

/// What names the way of the user's policy, beside no name at all.
const DEFAULT_NAMES: [&str; 3] = ["", "default", "finch"];

/// All of them. Clones are the same.
#[derive(Clone)]
pub(super) struct Shelf {
    local: Arc<dyn Provider>,
    state: StateReceiver,
    router: Router,
    home: Home,
    clouds: Arc<Mutex<Vec<CloudModel>>>,
}

/// A cloud that has its key, and the model that the user configured for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CloudModel {
    pub(super) provider: ProviderId,
    pub(super) model: String,
}

impl CloudModel {
    fn id(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }
}

impl Shelf {
    pub(super) fn new(local: Arc<dyn Provider>, state: StateReceiver, router: Router, home: Home) -> Self {
        Self { local, state, router, home, clouds: Arc::default() }
    }

    /// What the user has configured now.
    pub(super) fn set_clouds(&self, clouds: Vec<CloudModel>) {
        *self.clouds() = clouds;
    }

    fn clouds(&self) -> MutexGuard<'_, Vec<CloudModel>> {
        self.clouds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model that is loaded, or about to be.
    fn local_model(&self) -> Option<String> {
        match &*self.state.borrow() {
            ModelState::Loading { model } | ModelState::Ready { model } => Some(model.clone()),
            _ => None,
        }
    }

    fn created_s(&self, model: &str) -> u64 {
        let installed = || {
            let id: ModelId = model.parse().ok()?;
            let manifest = self.home.model(&id).join(MANIFEST_FILE);
            let modified = manifest.metadata().ok()?.modified().ok()?;
            modified.duration_since(UNIX_EPOCH).ok()
        };
        installed().map_or(0, |since| since.as_secs())
    }
}

impl Models for Shelf {
    fn offers(&self) -> Vec<Offer> {
        let local = self.local_model().map(|model| Offer {
            created_s: self.created_s(&model),
            id: model,
            owner: LOCAL.to_owned(),
        });
        let clouds = self.clouds();
        let clouds =
            clouds.iter().map(|cloud| Offer { id: cloud.id(), owner: cloud.provider.to_string(), created_s: 0 });
        local.into_iter().chain(clouds).collect()
    }

    fn find(&self, asked: Asked<'_>) -> Option<Found> {
        let origin = Origin { task: asked.task, ..Origin::default() };
        let name = asked.model;
        if DEFAULT_NAMES.contains(&name) {
            return Some(Found { provider: Arc::new(self.router.clone()), origin });
        }
        if name == LOCAL || self.local_model().is_some_and(|model| model == name) {
            return Some(Found { provider: Arc::clone(&self.local), origin });
        }
        let named =
            self.clouds().iter().find(|cloud| cloud.provider.as_str() == name || cloud.id() == name)?.provider.clone();
        Some(Found { provider: Arc::new(self.router.clone()), origin: Origin { named: Some(named), ..origin } })
    }
}
