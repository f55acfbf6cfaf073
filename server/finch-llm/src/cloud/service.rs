//! What is known of each service: where it is, how it is opened, and how its dialect differs from its neighbours'.
//!
//! A table. What a server of the user's own differs in is settled by the user's configuration, not here.

use super::Key;
use crate::history::HistoryRules;

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    Claude,
    OpenAi,
    Grok,
    Gemini,
    Mistral,
    Groq,
    /// Any server that speaks like OpenAI's: Ollama, vLLM, SGLang, llama.cpp, another finch.
    Compatible,
}

/// The language a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    Claude,
    Gemini,
}

/// How text between two texts is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InfillWay {
    /// It is not offered.
    No,
    /// `/completions` with a `suffix`.
    Completions,
    /// Mistral's `/fim/completions`.
    Fim,
    /// The conversation is asked for it, and what such models add is taken off.
    Chat,
}

/// How far a service can be bound to a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Structured {
    Schema,
    Object,
}

/// Where the speakers of OpenAI's dialect differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quirks {
    /// The member that bounds the answer.
    pub(crate) tokens_max: &'static str,
    /// The member of the seed, if there is one.
    pub(crate) seed: Option<&'static str>,
    /// It tells the usage at the end of a stream, if asked to.
    pub(crate) stream_options: bool,
    pub(crate) top_k: bool,
    /// The word for "call some tool".
    pub(crate) required: &'static str,
    /// Ids of tool calls are nine letters and digits.
    pub(crate) short_ids: bool,
    /// Stop texts at most; 0 if it takes none.
    pub(crate) stops_max: usize,
    /// It takes a temperature and its kin.
    pub(crate) sampling: bool,
    pub(crate) structured: Structured,
}

impl Service {
    /// The address unless the user names another.
    #[must_use]
    pub fn base_url(self) -> Option<&'static str> {
        match self {
            Self::Claude => Some("https://api.anthropic.com/v1"),
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::Grok => Some("https://api.x.ai/v1"),
            Self::Gemini => Some("https://generativelanguage.googleapis.com/v1beta"),
            Self::Mistral => Some("https://api.mistral.ai/v1"),
            Self::Groq => Some("https://api.groq.com/openai/v1"),
            Self::Compatible => None,
        }
    }

    /// How it fills in, unless the user says otherwise.
    #[must_use]
    pub fn infill(self) -> InfillWay {
        match self {
            Self::Mistral => InfillWay::Fim,
            Self::Compatible => InfillWay::Completions,
            Self::Claude | Self::OpenAi | Self::Grok | Self::Gemini | Self::Groq => InfillWay::Chat,
        }
    }

    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::Claude => Dialect::Claude,
            Self::Gemini => Dialect::Gemini,
            Self::OpenAi | Self::Grok | Self::Mistral | Self::Groq | Self::Compatible => Dialect::OpenAi,
        }
    }

    /// The headers that carry the key and what else the service asks for.
    pub(crate) fn headers(self, key: Option<&Key>) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if self.dialect() == Dialect::Claude {
            headers.push(("anthropic-version", "2023-06-01".to_owned()));
        }
        if let Some(key) = key {
            headers.push(match self.dialect() {
                Dialect::Claude => ("x-api-key", key.reveal().to_owned()),
                Dialect::Gemini => ("x-goog-api-key", key.reveal().to_owned()),
                Dialect::OpenAi => ("authorization", format!("Bearer {}", key.reveal())),
            });
        }
        headers
    }

    /// What it takes of a conversation.
    pub(crate) fn history_rules(self, sees: bool) -> HistoryRules {
        const MIB: usize = 1 << 20;
        let (images_max, image_bytes_max) = match self {
            Self::Claude => (100, 5 * MIB),
            Self::OpenAi | Self::Grok | Self::Compatible => (50, 20 * MIB),
            Self::Gemini => (50, 14 * MIB),
            Self::Mistral => (8, 10 * MIB),
            Self::Groq => (5, 4 * MIB),
        };
        let answer_after_results = self == Self::Mistral;
        HistoryRules { images_max: if sees { images_max } else { 0 }, image_bytes_max, answer_after_results }
    }

    /// How the service, and this model of it, wants OpenAI's dialect spoken.
    pub(crate) fn quirks(self, model: &str) -> Quirks {
        let common = Quirks {
            tokens_max: "max_tokens",
            seed: Some("seed"),
            stream_options: true,
            top_k: false,
            required: "required",
            short_ids: false,
            stops_max: 4,
            sampling: true,
            structured: Structured::Schema,
        };
        let is_one_of = |names: &[&str]| names.iter().any(|name| model.starts_with(name));
        match self {
            Self::OpenAi if is_one_of(&["o1", "o3", "o4", "gpt-5"]) => {
                Quirks { tokens_max: "max_completion_tokens", stops_max: 0, sampling: false, ..common }
            }
            Self::OpenAi => Quirks { tokens_max: "max_completion_tokens", ..common },
            // Its models that think refuse stop texts.
            Self::Grok if is_one_of(&["grok-4", "grok-3-mini", "grok-code"]) => Quirks { stops_max: 0, ..common },
            Self::Grok => common,
            Self::Mistral => {
                Quirks { seed: Some("random_seed"), stream_options: false, required: "any", short_ids: true, ..common }
            }
            // Only some of its models take a schema, and the others refuse the request for it.
            Self::Groq if is_one_of(&["openai/", "moonshotai/", "meta-llama/llama-4"]) => {
                Quirks { tokens_max: "max_completion_tokens", ..common }
            }
            Self::Groq => Quirks { tokens_max: "max_completion_tokens", structured: Structured::Object, ..common },
            Self::Compatible | Self::Claude | Self::Gemini => Quirks { top_k: true, stops_max: 16, ..common },
        }
    }
}
