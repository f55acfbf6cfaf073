//! The configuration while the daemon runs: read anew when the file changes, with the keys that it names.
//!
//! All of it happens on one thread, which gets keys as long as that takes. Whom the user took out is not asked any more
//! from that moment. Another model takes the place of the one that is there; the port stays.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use finch_llm::router::Router;
use finch_llm::{ModelState, Provider, StateReceiver};
use tokio::runtime::Handle;

use super::models::{CloudModel, Shelf};
use crate::clouds::{self, Stop};
use crate::config::Reading;
use crate::config::watch::{Event, Look, Watch};
use crate::local::Loader;
use crate::routing::Desk;
use crate::surroundings::{self, Surroundings};

pub(super) struct Settings {
    /// With the configuration as it is.
    pub(super) surroundings: Surroundings,
    pub(super) desk: Desk,
    pub(super) local: Arc<dyn Provider>,
    pub(super) loader: Loader,
    /// How far the model is.
    pub(super) state: StateReceiver,
    pub(super) router: Router,
    pub(super) runtime: Handle,
    pub(super) shelf: Shelf,
    pub(super) stop: Stop,
}

impl Settings {
    /// Loads the model, makes the clouds ready, and follows the file until the watch is dropped.
    pub(super) fn follow(mut self, look: Look) -> Result<Watch> {
        Watch::start(look, move |event| self.hear(event)).context("starting a thread to follow the configuration")
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Began => {
                self.load();
                self.desk.recall();
                self.apply();
            }
            Event::Changed(change) => match *change {
                Ok(reading) => self.changed(reading),
                Err(error) => tracing::warn!("{error}\nuntil then the daemon goes on with the settings it has"),
            },
            Event::ChangedBeside => self.load_what_was_missing(),
        }
    }

    fn load(&self) {
        self.loader.clone().start(self.surroundings.clone());
    }

    /// Tries again where there was nothing to load, or nothing to load it with: `finch setup` may have brought it.
    fn load_what_was_missing(&self) {
        let is_missing = matches!(*self.state.borrow(), ModelState::Absent { .. } | ModelState::Failed { .. });
        if is_missing {
            self.load();
        }
    }

    fn changed(&mut self, Reading { config, notes }: Reading) {
        tracing::info!("{} has changed, and was read anew", self.surroundings.config_path.display());
        notes.into_sorted().iter().for_each(|note| tracing::warn!("{note}"));
        let before = &self.surroundings.config;
        if config.daemon != before.daemon || config.learning != before.learning {
            tracing::info!("[daemon] and [learning] hold when the daemon is started anew: `finch daemon stop`");
        }
        let is_another_engine = config.engine != before.engine;
        self.surroundings.config = config;
        if is_another_engine {
            self.load();
        } else {
            self.load_what_was_missing();
        }
        // The commands that get keys may take long.
        self.apply();
    }

    /// Makes the configuration hold. Until the keys are there only the local model is asked.
    fn apply(&self) {
        let config = &self.surroundings.config;
        let setup = |clouds| self.desk.setup(config, Some(&self.local), clouds, &self.runtime);
        self.shelf.set_clouds(Vec::new());
        self.router.reconfigure(setup(Vec::new()));
        let (clouds, problems) = clouds::specs_until(config, None, surroundings::variable, &self.stop);
        problems.iter().for_each(|problem| tracing::warn!("{problem}"));
        let models = clouds.iter().map(|cloud| &cloud.spec);
        let models = models.map(|spec| CloudModel { provider: spec.id.clone(), model: spec.model.clone() }).collect();
        self.router.reconfigure(setup(clouds));
        self.shelf.set_clouds(models);
    }
}
