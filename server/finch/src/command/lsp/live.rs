//! The configuration while a session runs: the user's file, the project's, and which workspaces are trusted, each read
//! anew when it changes.
//!
//! All of it happens on one thread, which ends with the session: it gets the keys of the clouds, which may take as long
//! as a person needs to unlock something, and only then looks for changes.

use std::path::PathBuf;
use std::sync::Arc;

use finch_llm::Provider;
use finch_llm::router::Router;
use finch_lsp::Configured;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::clouds::{self, Stop};
use crate::config::watch::{Event, Look, Watch};
use crate::config::{Config, ConfigError, Reading, project};
use crate::daemon::start;
use crate::local::Loader;
use crate::projects::{self, ProjectFile};
use crate::routing::Desk;
use crate::surroundings::{self, Surroundings};

pub(super) struct Live {
    /// With the configuration as it was when the process began.
    surroundings: Surroundings,
    desk: Desk,
    local: Arc<dyn Provider>,
    /// Present until the model is being loaded.
    loader: Option<Loader>,
    router: (Router, Handle),
    told: watch::Sender<Configured>,
    stop: Stop,
    workspace: Option<PathBuf>,
    /// The user's own file, as it was usable last.
    user: Config,
    /// What holds now.
    settled: Config,
    /// What was said of the project's file last.
    file: ProjectFile,
    /// What of it was complained of last.
    complaints: Vec<String>,
}

/// What the language server is to know of a configuration.
pub(super) fn configured(config: &Config, complaint: Option<String>) -> Configured {
    let settings = finch_lsp::Settings { enabled: config.completion.enabled };
    Configured { options: config.completion.options(), settings, complaint }
}

impl Live {
    pub(super) fn new(
        surroundings: Surroundings,
        desk: Desk,
        local: Arc<dyn Provider>,
        loader: Loader,
        router: (Router, Handle),
        told: watch::Sender<Configured>,
        stop: Stop,
    ) -> Self {
        let (user, settled) = (surroundings.config.clone(), surroundings.config.clone());
        let (loader, file) = (Some(loader), ProjectFile::Absent);
        Self {
            surroundings,
            desk,
            local,
            loader,
            router,
            told,
            stop,
            workspace: None,
            user,
            settled,
            file,
            complaints: Vec::new(),
        }
    }

    /// Begins for the folder that the editor has open, if it has one.
    pub(super) fn start(mut self, mut look: Look, workspace: Option<PathBuf>) -> std::io::Result<Watch> {
        if let Some(workspace) = &workspace {
            look = look.beside(self.surroundings.trust_path()).beside(project::path(workspace));
        }
        self.workspace = workspace;
        Watch::start(look, move |event| self.hear(event))
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Began => self.begin(),
            Event::Changed(change) => match *change {
                Ok(reading) => self.changed(reading),
                Err(error) => self.broken(&error),
            },
            Event::ChangedBeside => {
                let (settled, complaints) = self.settle();
                // Answers about consent change the same file, and change nothing here.
                if settled != self.settled {
                    self.apply(settled, complaints);
                } else if complaints != self.complaints {
                    self.complain(complaints.clone());
                    self.complaints = complaints;
                }
            }
        }
    }

    fn begin(&mut self) {
        let (settled, complaints) = self.settle();
        if let Some(loader) = self.loader.take() {
            let has_own_engine = settled.engine != self.user.engine;
            let own = self.surroundings.clone();
            self.load(loader, Surroundings { config: settled.clone(), has_own_engine, ..own });
        }
        self.desk.recall();
        self.apply(settled, complaints);
    }

    /// In the daemon, which serves the user's own settings; whoever has others loads the model for themselves.
    fn load(&self, loader: Loader, surroundings: Surroundings) {
        if !surroundings.shares_the_daemon() {
            return loader.start(surroundings);
        }
        match start::ensure(&surroundings) {
            Ok(ensure) => {
                let name = format!("lsp-{}", std::process::id());
                loader.start_linked(surroundings, &name, ensure, &self.router.1);
            }
            Err(error) => {
                tracing::warn!("no daemon can be asked, so the model is loaded in this process: {error:#}");
                loader.start(surroundings);
            }
        }
    }

    fn changed(&mut self, Reading { config, notes }: Reading) {
        tracing::info!("{} has changed, and was read anew", self.surroundings.config_path.display());
        self.user = config;
        let (settled, complaints) = self.settle();
        self.apply(settled, complaints);
        self.complain(notes.into_sorted().iter().map(ToString::to_string).collect());
    }

    fn broken(&self, error: &ConfigError) {
        let complaint = format!("{error}\nuntil then finch goes on with the settings it has");
        tracing::warn!("{complaint}");
        self.told.send_replace(configured(&self.settled, Some(complaint)));
    }

    /// The user's configuration with that of the project, and what is wrong with the latter.
    fn settle(&mut self) -> (Config, Vec<String>) {
        let Some(workspace) = &self.workspace else { return (self.user.clone(), Vec::new()) };
        let settled = projects::settle(&self.user, workspace, &self.surroundings.trust());
        if settled.file != self.file {
            if let Some(said) = settled.file.said() {
                tracing::info!("{said}");
            }
            self.file = settled.file;
        }
        (settled.config, settled.complaints)
    }

    /// Makes a configuration hold; keys are got for it. Until they are there only the local model
    /// is asked: what the user took out is not asked for a moment longer.
    fn apply(&mut self, config: Config, complaints: Vec<String>) {
        let (router, runtime) = &self.router;
        if config.router != self.settled.router || config.providers != self.settled.providers {
            router.reconfigure(self.desk.setup(&config, Some(&self.local), Vec::new(), runtime));
        }
        self.told.send_replace(configured(&config, None));
        let (clouds, problems) = clouds::specs_until(&config, None, surroundings::variable, &self.stop);
        router.reconfigure(self.desk.setup(&config, Some(&self.local), clouds, runtime));
        self.settled = config;
        self.complain(complaints.iter().cloned().chain(problems.iter().map(ToString::to_string)).collect());
        self.complaints = complaints;
    }

    fn complain(&self, complaints: Vec<String>) {
        complaints.iter().for_each(|complaint| tracing::warn!("{complaint}"));
        if !complaints.is_empty() {
            self.told.send_replace(configured(&self.settled, Some(complaints.join("\n"))));
        }
    }
}
