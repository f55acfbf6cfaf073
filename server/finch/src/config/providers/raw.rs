//! An entry of `[[providers]]` as it is written.

use std::collections::BTreeMap;
use std::fmt;

use finch_llm::cloud::{InfillWay, Service};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::secret::{HeaderSecret, Secret};

/// A provider: who answers, where, and how it is opened. The order of the entries is the order of your wishes.
// Not to be printed: an address may hold a password.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ProviderConfig {
    /// Who answers: `local`, a cloud, or `openai-compatible` for any server that speaks like OpenAI's.
    #[serde(rename = "type")]
    pub(crate) kind: ProviderType,
    /// What it is called in messages and statistics; its type when absent. No two have the same.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// The model: a name of the service, or for `local` an id of `finch model list`.
    #[serde(default)]
    pub(crate) model: Option<String>,
    /// Its address, with the version in the path; the service's own when absent.
    #[serde(default)]
    pub(crate) base_url: Option<String>,
    /// Whether the address may begin with `http://` beyond this machine, where key and text travel readable.
    #[serde(default)]
    pub(crate) allow_http: bool,
    /// The key itself.
    #[serde(default)]
    pub(crate) api_key: Option<Secret>,
    /// The environment variable that holds the key.
    #[serde(default)]
    pub(crate) api_key_env: Option<String>,
    /// The command that prints the key: program and arguments, or a text for the shell.
    #[serde(default)]
    pub(crate) api_key_cmd: Option<KeyCommand>,
    /// Headers that go along with every request.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, HeaderSecret>,
    /// The proxy to go through; that of the environment when absent.
    #[serde(default)]
    pub(crate) proxy: Option<String>,
    /// How long to wait for what.
    #[serde(default)]
    pub(crate) timeouts: TimeoutsConfig,
    /// Tokens of question and answer together that the model holds.
    #[serde(default)]
    pub(crate) context_tokens_max: Option<usize>,
    /// How it fills in text between two texts; what the service offers when absent.
    #[serde(default)]
    pub(crate) infill: Option<InfillConfig>,
    /// Tokens for thinking before the answer; 0 for none.
    #[serde(default)]
    pub(crate) thinking_tokens: usize,
    /// Whether the model sees pictures.
    #[serde(default)]
    pub(crate) images: Option<bool>,
    /// What it costs, for `router.policy = "cheapest"` and the ledger.
    #[serde(default)]
    pub(crate) cost: Option<CostConfig>,
    /// Whether it is used.
    #[serde(default = "yes")]
    pub(crate) enabled: bool,
}

fn yes() -> bool {
    true
}

impl ProviderConfig {
    /// The first setting that only a provider over the network has.
    pub(super) fn first_cloud_key(&self) -> Option<&'static str> {
        let keys = [
            ("base_url", self.base_url.is_some()),
            ("headers", !self.headers.is_empty()),
            ("proxy", self.proxy.is_some()),
            ("api_key", self.api_key.is_some()),
            ("api_key_env", self.api_key_env.is_some()),
            ("api_key_cmd", self.api_key_cmd.is_some()),
        ];
        keys.into_iter().find(|(_, is_there)| *is_there).map(|(key, _)| key)
    }
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProviderType {
    #[serde(alias = "anthropic")]
    Claude,
    #[serde(rename = "openai")]
    OpenAi,
    #[serde(alias = "xai")]
    Grok,
    #[serde(alias = "google")]
    Gemini,
    Mistral,
    Groq,
    Local,
    #[serde(rename = "openai-compatible")]
    OpenAiCompatible,
}

impl ProviderType {
    /// Whom to ask over the network; `None` for the local model.
    pub(super) fn service(self) -> Option<Service> {
        match self {
            Self::Claude => Some(Service::Claude),
            Self::OpenAi => Some(Service::OpenAi),
            Self::Grok => Some(Service::Grok),
            Self::Gemini => Some(Service::Gemini),
            Self::Mistral => Some(Service::Mistral),
            Self::Groq => Some(Service::Groq),
            Self::OpenAiCompatible => Some(Service::Compatible),
            Self::Local => None,
        }
    }

    /// As it is written in the file.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::OpenAi => "openai",
            Self::Grok => "grok",
            Self::Gemini => "gemini",
            Self::Mistral => "mistral",
            Self::Groq => "groq",
            Self::Local => "local",
            Self::OpenAiCompatible => "openai-compatible",
        }
    }
}

/// A command that prints a key. It may hold one itself, so it is not shown.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a command in quotes, or an array of program and arguments")]
pub(crate) enum KeyCommand {
    Shell(String),
    Program(Vec<String>),
}

impl fmt::Debug for KeyCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(command)")
    }
}

/// How long to wait for what. There is no limit over a whole answer.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct TimeoutsConfig {
    /// Milliseconds for the connection; 5000 when absent.
    pub(crate) connect_ms: Option<u64>,
    /// Milliseconds from the request to the first of the answer; 60000 when absent.
    pub(crate) first_byte_ms: Option<u64>,
    /// Milliseconds between two pieces of an answer; 15000 when absent.
    pub(crate) between_bytes_ms: Option<u64>,
}

/// How text between two texts is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum InfillConfig {
    /// Not at all.
    None,
    /// By `/completions` with a `suffix`.
    Completions,
    /// By Mistral's `/fim/completions`.
    Fim,
    /// In a conversation, in words.
    Chat,
}

impl From<InfillConfig> for InfillWay {
    fn from(infill: InfillConfig) -> Self {
        match infill {
            InfillConfig::None => Self::No,
            InfillConfig::Completions => Self::Completions,
            InfillConfig::Fim => Self::Fim,
            InfillConfig::Chat => Self::Chat,
        }
    }
}

/// What a million tokens cost, in whatever you count in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub(crate) struct CostConfig {
    /// A million tokens of the question.
    pub(crate) input: f64,
    /// A million tokens of the answer.
    pub(crate) output: f64,
}
