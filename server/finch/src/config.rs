//! `config.toml`: what the user may set, its defaults, and what is wrong with what they wrote.
//!
//! A file that cannot be read stops the program with the line; a key that finch does not know is a warning with
//! the nearest known key, so that a typing error never passes in silence. docs/configuration.md names every key.

use std::path::{Path, PathBuf};
use std::time::Duration;

use finch_complete::{Manner, Quiet, Sources};
use finch_engine::device::{BadDevices, Device, Devices};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

mod check;
#[cfg(test)]
mod tests;

pub(crate) use check::Warning;

/// All settings of finch.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Config {
    /// The local model.
    pub(crate) engine: EngineConfig,
    /// Ghost text.
    pub(crate) completion: CompletionConfig,
    /// Where model files come from.
    pub(crate) models: ModelsConfig,
    /// What finch remembers of its suggestions.
    pub(crate) learning: LearningConfig,
}

/// The local model.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct EngineConfig {
    /// The model to load: an id of `finch model list`.
    pub(crate) model: Option<String>,
    /// Threads for inference; the number of physical cores when absent.
    pub(crate) threads: Option<usize>,
    /// Tokens of prompt and answer together that a sequence may hold.
    pub(crate) context_tokens_max: usize,
    /// Requests that run at once, and prompts whose computed state is kept, so that going back to a file is fast.
    pub(crate) slots: usize,
    /// MiB of computed state kept of prompts that do not run any more; the longest unused goes first.
    pub(crate) cache_mib: usize,
    /// Whether computed state is written to `FINCH_HOME/cache`, so that it is there after a restart. It holds your text.
    pub(crate) keep_cache: bool,
    /// What multiplies: finch's own kernels where the processor has what they need, or ONNX Runtime's everywhere.
    pub(crate) kernels: KernelsConfig,
    /// Where the model computes, in order: `cuda:0`, `coreml`, `directml:0`, `openvino:gpu`, `cpu`. The processor stands
    /// behind them all, named or not.
    #[schemars(with = "Vec<String>")]
    pub(crate) devices: DevicesConfig,
}

/// Devices in order, checked when the file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(crate) struct DevicesConfig(pub(crate) Devices);

impl TryFrom<Vec<String>> for DevicesConfig {
    type Error = BadDevices;

    fn try_from(names: Vec<String>) -> Result<Self, BadDevices> {
        Devices::parse(&names).map(Self)
    }
}

impl Serialize for DevicesConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let devices = self.0.before_cpu().chain([Device::Cpu]);
        serializer.collect_seq(devices.map(|device| device.to_string()))
    }
}

/// What multiplies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KernelsConfig {
    #[default]
    Auto,
    OnnxRuntime,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            model: None,
            threads: None,
            context_tokens_max: 4096,
            slots: 8,
            cache_mib: 1024,
            keep_cache: false,
            kernels: KernelsConfig::Auto,
            devices: DevicesConfig::default(),
        }
    }
}

/// Ghost text.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct CompletionConfig {
    /// Whether suggestions are offered while typing.
    pub(crate) enabled: bool,
    /// Prompt tokens at most: context, and the text before and behind the cursor.
    pub(crate) prompt_tokens_max: usize,
    /// Prompt tokens for the text behind the cursor. They are computed anew with each key.
    pub(crate) suffix_tokens_max: usize,
    /// Tokens of a suggestion at most.
    pub(crate) tokens_max: usize,
    /// Milliseconds after which a suggestion comes too late.
    pub(crate) deadline_ms: u64,
    /// Whether whole lines are shown while the model goes on, and the next suggestion is made while this one is read.
    pub(crate) ahead: bool,
    /// Files without suggestions, as patterns; they add to the built-in ones (keys, certificates, `.env`).
    pub(crate) exclude: Vec<String>,
    /// Whether suggestions are offered within comments while typing.
    pub(crate) comments: MannerConfig,
    /// Whether suggestions are offered within strings while typing.
    pub(crate) strings: MannerConfig,
    /// What goes into a prompt beside the text around the cursor.
    pub(crate) context: ContextConfig,
}

/// What goes into a prompt beside the text around the cursor.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct ContextConfig {
    /// Where the document stands in the project.
    pub(crate) path: bool,
    /// Definitions of the names near the cursor, from open documents, the project's files and the editor.
    pub(crate) definitions: bool,
    /// Texts like the one at the cursor, from this document and those you were in lately.
    pub(crate) recent: bool,
    /// What you changed lately.
    pub(crate) edits: bool,
    /// What is wrong near the cursor.
    pub(crate) diagnostics: bool,
}

impl Default for ContextConfig {
    fn default() -> Self {
        Self { path: true, definitions: true, recent: true, edits: true, diagnostics: true }
    }
}

/// Whether suggestions come by themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MannerConfig {
    Speak,
    /// Until they were rejected again and again.
    #[default]
    Learn,
    /// Only when the user asks for one.
    Silent,
}

impl From<MannerConfig> for Manner {
    fn from(manner: MannerConfig) -> Self {
        match manner {
            MannerConfig::Speak => Self::Speak,
            MannerConfig::Learn => Self::Learn,
            MannerConfig::Silent => Self::Silent,
        }
    }
}

impl Default for CompletionConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            prompt_tokens_max: 512,
            suffix_tokens_max: 64,
            tokens_max: 64,
            deadline_ms: 5_000,
            ahead: true,
            exclude: Vec::new(),
            comments: MannerConfig::default(),
            strings: MannerConfig::default(),
            context: ContextConfig::default(),
        }
    }
}

impl CompletionConfig {
    pub(crate) fn options(&self) -> finch_complete::Options {
        finch_complete::Options {
            excludes: finch_complete::Excludes::with(&self.exclude),
            prompt_tokens_max: self.prompt_tokens_max,
            suffix_tokens_max: self.suffix_tokens_max,
            tokens_max: self.tokens_max,
            deadline: Duration::from_millis(self.deadline_ms),
            quiet: Quiet { comments: self.comments.into(), strings: self.strings.into() },
            context: Sources {
                path: self.context.path,
                definitions: self.context.definitions,
                recent: self.context.recent,
                edits: self.context.edits,
                diagnostics: self.context.diagnostics,
            },
            ahead: self.ahead,
        }
    }
}

/// Where model files come from.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct ModelsConfig {
    /// Never open a connection for model files.
    pub(crate) offline: bool,
}

/// What finch remembers of its suggestions.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct LearningConfig {
    /// Whether finch records what becomes of suggestions, in `FINCH_HOME/journal`.
    pub(crate) enabled: bool,
    /// What is recorded: `counts`, without any text but your notes, or `text`, with prompts, suggestions and corrections.
    pub(crate) collect: CollectConfig,
}

impl Default for LearningConfig {
    fn default() -> Self {
        Self { enabled: true, collect: CollectConfig::Counts }
    }
}

/// What is recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CollectConfig {
    #[default]
    Counts,
    Text,
}

impl From<CollectConfig> for finch_learn::Collect {
    fn from(collect: CollectConfig) -> Self {
        match collect {
            CollectConfig::Counts => Self::Counts,
            CollectConfig::Text => Self::Text,
        }
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot read {path}: {error}", path = path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("{path} is not valid; mend it or move it away\n{error}", path = path.display())]
    Invalid { path: PathBuf, error: toml::de::Error },
    #[error("{path}: {key} is {value}, and must be {bound}", path = path.display())]
    OutOfBounds { path: PathBuf, key: &'static str, value: usize, bound: &'static str },
}

impl Config {
    /// Reads the file; an absent one is the default configuration.
    ///
    /// # Errors
    /// When the file cannot be read, is no TOML, or has a value of the wrong type or out of bounds.
    pub(crate) fn load(path: &Path) -> Result<(Self, Vec<Warning>), ConfigError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Default::default()),
            Err(error) => return Err(ConfigError::Unreadable { path: path.to_owned(), error }),
        };
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<(Self, Vec<Warning>), ConfigError> {
        let invalid = |error| ConfigError::Invalid { path: path.to_owned(), error };
        let config: Self = toml::from_str(text).map_err(invalid)?;
        let table: toml::Table = toml::from_str(text).map_err(invalid)?;
        config.within_bounds(path)?;
        Ok((config, check::unknown_keys(&table)))
    }

    fn within_bounds(&self, path: &Path) -> Result<(), ConfigError> {
        let (engine, completion) = (&self.engine, &self.completion);
        let bounds = [
            ("engine.threads", engine.threads.unwrap_or(1), 1..=1024, "1 to 1024"),
            ("engine.context_tokens_max", engine.context_tokens_max, 64..=131_072, "64 to 131072"),
            ("engine.slots", engine.slots, 2..=16, "2 to 16"),
            ("engine.cache_mib", engine.cache_mib, 0..=1_048_576, "0 to 1048576"),
            ("completion.prompt_tokens_max", completion.prompt_tokens_max, 16..=65_536, "16 to 65536"),
            ("completion.suffix_tokens_max", completion.suffix_tokens_max, 0..=16_384, "0 to 16384"),
            ("completion.tokens_max", completion.tokens_max, 1..=1_024, "1 to 1024"),
        ];
        match bounds.into_iter().find(|(_, value, range, _)| !range.contains(value)) {
            Some((key, value, _, bound)) => Err(ConfigError::OutOfBounds { path: path.to_owned(), key, value, bound }),
            None => Ok(()),
        }
    }

    /// The JSON Schema of the file, as `finch config schema` prints it.
    pub(crate) fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}
