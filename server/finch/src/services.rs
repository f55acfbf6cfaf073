//! What is known of clouds before anybody is asked: their names, where their keys usually are, and a model to begin with.
//! A table; the user may name any model that the service has.

use finch_llm::cloud::Service;

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
        // The one of its models that fills in.
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
pub(crate) fn service(word: &str) -> Option<&'static ServiceRow> {
    SERVICES.iter().find(|row| row.word.eq_ignore_ascii_case(word.trim()))
}

/// The row of a service.
pub(crate) fn row(service: Service) -> Option<&'static ServiceRow> {
    SERVICES.iter().find(|row| row.service == service)
}
