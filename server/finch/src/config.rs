//! `config.toml`: what the user may set, its defaults, and what is wrong with what they wrote.
//!
//! A file that cannot be read stops the program with the line. An entry of `[[providers]]` that cannot be used is a
//! problem that costs that entry alone. A key that finch does not know is a warning with the nearest known key, so that a
//! typing error never passes in silence. docs/configuration.md names every key.

mod agent;
mod bounds;
mod check;
mod completion;
mod daemon;
mod engine;
mod learning;
mod legacy;
pub(crate) mod migrate;
mod problem;
pub(crate) mod project;
mod providers;
mod router;
mod secret;
#[cfg(test)]
mod tests;
pub(crate) mod watch;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use toml::de::{DeTable, ValueDeserializer};

pub(crate) use agent::{AgentConfig, AgentEdits};
pub(crate) use completion::CompletionConfig;
pub(crate) use daemon::DaemonConfig;
pub(crate) use engine::{EngineConfig, KernelsConfig, ModelsConfig};
pub(crate) use learning::LearningConfig;
pub(crate) use problem::{Place, Problem};
pub(crate) use providers::{CloudConfig, CostConfig, KeyCommand, LocalConfig, Provider};
pub(crate) use router::RouterConfig;

use problem::Page;

/// All settings of finch.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(default)]
pub(crate) struct Config {
    /// The local model.
    pub(crate) engine: EngineConfig,
    /// Ghost text.
    pub(crate) completion: CompletionConfig,
    /// The commands that the agent runs.
    pub(crate) agent: AgentConfig,
    /// The one process that holds the model for all editors.
    pub(crate) daemon: DaemonConfig,
    /// Where model files come from.
    pub(crate) models: ModelsConfig,
    /// What finch remembers of its suggestions.
    pub(crate) learning: LearningConfig,
    /// Who may answer, in the order of your wishes.
    #[schemars(with = "Vec<providers::ProviderConfig>")]
    pub(crate) providers: Vec<Provider>,
    /// Who is asked first, for what, and whether text may leave this machine.
    pub(crate) router: RouterConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            engine: EngineConfig::default(),
            completion: CompletionConfig::default(),
            agent: AgentConfig::default(),
            daemon: DaemonConfig::default(),
            models: ModelsConfig::default(),
            learning: LearningConfig::default(),
            providers: vec![Provider::Local(LocalConfig::default())],
            router: RouterConfig::default(),
        }
    }
}

/// A file that was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reading {
    pub(crate) config: Config,
    pub(crate) notes: Notes,
}

/// What there is to say of a file that can be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// What was left out, because it cannot be used.
    pub(crate) problems: Vec<Problem>,
    /// What has no effect, or another one than it seems.
    pub(crate) warnings: Vec<Problem>,
}

impl Notes {
    /// Both, in the order of the file.
    pub(crate) fn into_sorted(self) -> Vec<Problem> {
        let mut all: Vec<Problem> = self.problems.into_iter().chain(self.warnings).collect();
        all.sort();
        all
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read {path}: {error}", path = path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("{path} is not valid; mend it or move it away{list}", path = path.display(), list = lines(problems))]
    Invalid { path: PathBuf, problems: Vec<Problem> },
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n{problem}")).collect()
}

impl Config {
    /// Reads the file; an absent one is the default configuration.
    ///
    /// # Errors
    /// When the file cannot be read, is no TOML, or has a value of the wrong type or out of bounds.
    pub(crate) fn load(path: &Path) -> Result<Reading, ConfigError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Reading::default()),
            Err(error) => return Err(ConfigError::Unreadable { path: path.to_owned(), error }),
        };
        let mut reading = Self::parse(&text, path)?;
        reading.notes.warnings.extend(readable_by_others(path, &reading.config));
        Ok(reading)
    }

    /// Reads a text as if it stood in that file.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Reading, ConfigError> {
        let page = Page { file: path, text };
        let invalid = |problems| ConfigError::Invalid { path: path.to_owned(), problems };
        let root = DeTable::parse(text).map_err(|error| invalid(vec![page.refusal(&error, "", &(0..0))]))?;
        let (mut root, mut notes, schema) = (root.into_inner(), Notes::default(), Self::schema());
        let entries = legacy::entries(&mut root, page, &mut notes);
        legacy::earlier_settings(&mut root, page, &mut notes);
        let refusals = daemon::addresses(&mut root, page, &mut notes.warnings);
        notes.warnings.extend(check::walk(&mut root, &schema, page));
        let places = bounds::Places::of(&root);
        let mut sections = Sections { root, page, problems: Vec::new() };
        let mut config = Self {
            engine: sections.take("engine"),
            completion: sections.take("completion"),
            agent: sections.take("agent"),
            daemon: sections.take("daemon"),
            models: sections.take("models"),
            learning: sections.take("learning"),
            router: router::read(sections.root.remove("router"), page, &mut notes),
            providers: providers::read(entries, page, &schema, &mut notes),
        };
        let mut problems = sections.problems;
        problems.extend(refusals);
        problems.extend(bounds::check(&config, &places, page));
        if !problems.is_empty() {
            problems.append(&mut notes.problems);
            problems.sort();
            return Err(invalid(problems));
        }
        config.settle_model();
        Ok(Reading { config, notes })
    }

    /// The model that the entry of the local model names is the one to load, unless `[engine]` names another.
    fn settle_model(&mut self) {
        let named = self.providers.iter().find_map(|provider| match provider {
            Provider::Local(local) => local.model.clone(),
            Provider::Cloud(_) => None,
        });
        self.engine.model = self.engine.model.take().or(named);
    }

    /// The JSON Schema of the file, as `finch config schema` prints it.
    pub(crate) fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

/// The sections of a file that are right or stop the program.
struct Sections<'a> {
    root: DeTable<'a>,
    page: Page<'a>,
    problems: Vec<Problem>,
}

impl<'a> Sections<'a> {
    fn take<T: Deserialize<'a> + Default>(&mut self, name: &str) -> T {
        let Some(value) = self.root.remove(name) else { return T::default() };
        let span = value.span();
        T::deserialize(ValueDeserializer::from(value)).unwrap_or_else(|error| {
            self.problems.push(self.page.refusal(&error, name, &span));
            T::default()
        })
    }
}

/// A warning if the file holds keys and others may read it.
#[cfg(unix)]
fn readable_by_others(path: &Path, config: &Config) -> Option<Problem> {
    use std::os::unix::fs::PermissionsExt as _;
    let holds_keys = config.providers.iter().any(|provider| match provider {
        Provider::Cloud(cloud) => cloud.key.key.is_some() || !cloud.headers.is_empty(),
        Provider::Local(_) => false,
    });
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let place = problem::Place { file: path.to_owned(), line: 1, column: 1 };
    let what = "other users of this machine may read this file, and it holds keys; `chmod 600` it";
    (holds_keys && mode & 0o077 != 0).then(|| place.problem(what))
}

#[cfg(not(unix))]
fn readable_by_others(_path: &Path, _config: &Config) -> Option<Problem> {
    None
}
