//! What the process finds around it: the environment and the folders, read once, here and nowhere else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use finch_learn::Journal;
use finch_model::Home;

use crate::cli::Global;
use crate::config::{Config, Reading};
use crate::projects;
use crate::trust::Trust;

/// With `off`, no daemon is asked for a model, and none is started.
const NO_DAEMON: &str = "FINCH_DAEMON";

/// Where finch keeps its files, and what the user configured.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) home: Home,
    pub(crate) config: Config,
    pub(crate) config_path: PathBuf,
    /// What of the configuration was left out, and why.
    pub(crate) problems: Vec<String>,
    /// The model hub to ask, when the user named another one.
    pub(crate) hub_endpoint: Option<String>,
    /// The user wants every process to load the model for itself.
    pub(crate) is_without_daemon: bool,
    /// The project wants another engine than the user's own configuration does.
    pub(crate) has_own_engine: bool,
}

impl Surroundings {
    /// Reads the environment and the configuration; warnings about the file go to stderr.
    pub(crate) fn read(global: &Global) -> Result<Self> {
        let path = config_path(global)?;
        let reading = Config::load(&path).context("reading the configuration")?;
        Self::around(path, reading)
    }

    /// The same, with the default configuration where there is a file that cannot be used, and that as its problem.
    pub(crate) fn read_whatever_it_says(global: &Global) -> Result<Self> {
        let path = config_path(global)?;
        match Config::load(&path) {
            Ok(reading) => Self::around(path, reading),
            Err(error) => {
                let mut surroundings = Self::around(path, Reading::default())?;
                surroundings.problems.push(error.to_string());
                Ok(surroundings)
            }
        }
    }

    fn around(config_path: PathBuf, Reading { config, notes }: Reading) -> Result<Self> {
        let problems = notes.problems.iter().map(ToString::to_string).collect();
        for note in notes.into_sorted() {
            tracing::warn!("{note}");
        }
        let hub_endpoint = std::env::var("HF_ENDPOINT").ok().filter(|endpoint| !endpoint.is_empty());
        let is_without_daemon = std::env::var_os(NO_DAEMON).is_some_and(|value| value == "off");
        let home = Home::new(home()?);
        Ok(Self { home, config, config_path, problems, hub_endpoint, is_without_daemon, has_own_engine: false })
    }
}

impl Surroundings {
    /// Whether the configuration is the one of FINCH_HOME, which its daemon has too.
    pub(crate) fn has_usual_config(&self) -> bool {
        let whole = |path: &Path| std::path::absolute(path).ok();
        whole(&self.config_path) == whole(&self.home.config_file())
    }

    /// Whether the daemon of FINCH_HOME, which serves the user's own settings, is asked for the local model.
    pub(crate) fn shares_the_daemon(&self) -> bool {
        !self.is_without_daemon && !self.has_own_engine && self.has_usual_config()
    }

    /// Lets the project's file hold, if it has one that the user trusts.
    pub(crate) fn enter(&mut self, workspace: &Path) {
        let settled = projects::settle(&self.config, workspace, &self.trust());
        settled.complaints.iter().for_each(|complaint| tracing::warn!("{complaint}"));
        if let Some(said) = settled.file.said() {
            tracing::info!("{said}");
        }
        self.has_own_engine = settled.config.engine != self.config.engine;
        self.config = settled.config;
    }

    /// Where it is written down what becomes of suggestions.
    pub(crate) fn journal_folder(&self) -> PathBuf {
        self.home.root().join("journal")
    }

    /// Where it is written down what leaves this machine.
    pub(crate) fn ledger_folder(&self) -> PathBuf {
        self.home.root().join("ledger")
    }

    pub(crate) fn trust_path(&self) -> PathBuf {
        self.home.root().join("trust.toml")
    }

    /// What the user answered about workspaces and clouds.
    pub(crate) fn trust(&self) -> Trust {
        Trust::open(self.trust_path(), std::env::home_dir())
    }

    /// This process's journal, if the user lets finch remember.
    pub(crate) fn journal(&self) -> Option<Journal> {
        let learning = &self.config.learning;
        learning.enabled.then(|| Journal::open(self.journal_folder(), learning.collect.into(), now_ms()))
    }
}

/// A variable of the environment, if it is a text.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Which of these environment variables hold something.
pub(crate) fn set_variables<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    names.filter(is_set).map(str::to_owned).collect()
}

/// The file of this process, also where an update has put another in its place.
pub(crate) fn own_binary() -> Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok("/proc/self/exe".into());
    }
    std::env::current_exe().context("finding the finch binary to start it anew")
}

/// Where programs are looked for.
pub(crate) fn program_folders() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// Which of these programs are on the `PATH`. None is run.
pub(crate) fn programs<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let folders = program_folders();
    names.iter().copied().filter(|name| folders.iter().any(|folder| is_program(&folder.join(name)))).collect()
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    ["exe", "cmd", "bat"].iter().any(|extension| path.with_extension(extension).is_file())
}

/// The wall clock, in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The configuration file, which need not exist.
pub(crate) fn config_path(global: &Global) -> Result<PathBuf> {
    match &global.config {
        Some(path) => Ok(path.clone()),
        None => Ok(home()?.join("config.toml")),
    }
}

/// `FINCH_HOME`, or `.finch` in the user's folder.
pub(crate) fn home() -> Result<PathBuf> {
    match std::env::var_os("FINCH_HOME").filter(|path| !path.is_empty()) {
        Some(path) => std::path::absolute(PathBuf::from(path)).context("FINCH_HOME is not a path"),
        None => Ok(std::env::home_dir().context("this user has no home folder; set FINCH_HOME")?.join(".finch")),
    }
}
