//! What is known of clouds before anybody is asked: their names, where their keys usually are, and a model to begin with;
//! and the words of the configuration for policies and consent. Tables.

use finch_llm::cloud::Service;
use finch_llm::router::Policy;

/// A kind of provider that can be set up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ServiceRow {
    pub(crate) service: Service,
    /// The `type` of an entry, and its name unless it has one.
    pub(crate) word: &'static str,
    pub(crate) label: &'static str,
    /// Environment variables that may hold a key.
    pub(crate) key_variables: &'static [&'static str],
    /// The model to offer; none where only the user can know.
    pub(crate) model: Option<&'static str>,
}

pub(crate) const SERVICES: &[ServiceRow] = &[
    ServiceRow {
        service: Service::Claude,
        word: "claude",
        label: "Claude",
        key_variables: &["ANTHROPIC_API_KEY"],
        model: Some("claude-sonnet-4-6"),
    },
    ServiceRow {
        service: Service::OpenAi,
        word: "openai",
        label: "OpenAI",
        key_variables: &["OPENAI_API_KEY"],
        model: Some("gpt-5-mini"),
    },
    ServiceRow {
        service: Service::Grok,
        word: "grok",
        label: "Grok",
        key_variables: &["XAI_API_KEY", "GROK_API_KEY"],
        model: Some("grok-code-fast-1"),
    },
    ServiceRow {
        service: Service::Gemini,
        word: "gemini",
        label: "Gemini",
        key_variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        model: Some("gemini-2.5-flash"),
    },
    ServiceRow {
        service: Service::Mistral,
        word: "mistral",
        label: "Mistral",
        key_variables: &["MISTRAL_API_KEY"],
        model: Some("codestral-latest"),
    },
    ServiceRow {
        service: Service::Groq,
        word: "groq",
        label: "Groq",
        key_variables: &["GROQ_API_KEY"],
        model: Some("openai/gpt-oss-120b"),
    },
    ServiceRow {
        service: Service::Compatible,
        word: "openai-compatible",
        label: "another server that speaks like OpenAI's",
        key_variables: &[],
        model: None,
    },
];

/// The kind with this `type`, however it is written.
pub(super) fn service(word: &str) -> Option<&'static ServiceRow> {
    SERVICES.iter().find(|row| row.word.eq_ignore_ascii_case(word.trim()))
}

/// Who is asked whether text of a workspace may go to a cloud.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Agreement {
    #[default]
    Ask,
    All,
    None,
}

/// A value of a setting, and how it is offered.
#[derive(Debug)]
pub(super) struct Choice<T> {
    pub(super) value: T,
    pub(super) word: &'static str,
    pub(super) label: &'static str,
}

pub(super) const POLICIES: &[Choice<Policy>] = &[
    Choice {
        value: Policy::LocalFirst,
        word: "local-first",
        label: "the local model first, a cloud where that cannot or takes too long",
    },
    Choice {
        value: Policy::CloudFirst,
        word: "cloud-first",
        label: "a cloud first, the local model where that cannot",
    },
    Choice { value: Policy::Cheapest, word: "cheapest", label: "whoever costs least" },
    Choice { value: Policy::LocalOnly, word: "local-only", label: "the local model alone; no connection is opened" },
];

pub(super) const AGREEMENTS: &[Choice<Agreement>] = &[
    Choice { value: Agreement::Ask, word: "ask", label: "ask once in each workspace" },
    Choice { value: Agreement::All, word: "all", label: "text of any workspace may go to these clouds" },
    Choice { value: Agreement::None, word: "none", label: "none, until `finch consent give PATH` says otherwise" },
];

/// The value that a word stands for.
pub(super) fn value<T: Copy>(choices: &[Choice<T>], word: &str) -> Option<T> {
    choices.iter().find(|choice| choice.word.eq_ignore_ascii_case(word.trim())).map(|choice| choice.value)
}

/// The word for a value.
pub(super) fn word<T: Copy + PartialEq>(choices: &[Choice<T>], value: T) -> &'static str {
    choices.iter().find(|choice| choice.value == value).map_or("", |choice| choice.word)
}
