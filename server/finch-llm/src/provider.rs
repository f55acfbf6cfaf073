//! The one trait for everything that generates text.

use crate::{GenerateRequest, GenerateStream, InfillRequest, Load, Origin, Provenance};

/// A provider's stable name, such as `local` or `groq`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProviderId(String);

impl ProviderId {
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ProviderId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a provider can do at the moment it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The model's name, for provenance. Empty while no model is loaded.
    pub model: String,
    /// The model reads what stands behind the cursor, not only what stands before it.
    pub fill_in_the_middle: bool,
    /// The model was taught to hold a conversation.
    pub chat: bool,
    /// The model was taught to call tools.
    pub tools: bool,
    /// An answer in JSON or of a grammar keeps to it, always.
    pub structured_output: bool,
    /// Tokens of prompt and answer together that the model holds.
    pub context_tokens_max: usize,
}

impl Capabilities {
    /// Of a model that is not there.
    #[must_use]
    pub fn none() -> Self {
        Self {
            model: String::new(),
            fill_in_the_middle: false,
            chat: false,
            tools: false,
            structured_output: false,
            context_tokens_max: 0,
        }
    }
}

/// A source of text. Dropping the returned stream cancels the work behind it.
///
/// Both methods return at once: errors arrive on the stream.
pub trait Provider: Send + Sync + 'static {
    fn id(&self) -> ProviderId;

    fn capabilities(&self) -> Capabilities;

    /// What whoever would answer a request from there can do.
    fn capabilities_for(&self, _origin: &Origin) -> Capabilities {
        self.capabilities()
    }

    /// Who would answer a request from there, as far as it is known before.
    fn provenance_for(&self, origin: &Origin) -> Provenance {
        Provenance { provider: self.id(), model: self.capabilities_for(origin).model }
    }

    /// Answers a conversation.
    fn generate(&self, request: GenerateRequest) -> GenerateStream;

    /// Fills in the text between a prefix and a suffix.
    fn infill(&self, request: InfillRequest) -> GenerateStream;

    /// Whether it would answer a request from there now, rather than say why not.
    fn is_ready(&self, _origin: &Origin) -> bool {
        !self.capabilities().model.is_empty()
    }

    /// Whether whoever would answer a request from there tells how probable each token was, where that is asked for.
    fn scores_tokens(&self, _origin: &Origin) -> bool {
        false
    }

    /// How many requests it computes and how many wait for it; `None` where only the service knows it.
    fn load(&self) -> Option<Load> {
        None
    }

    /// The exact prompt of an infill, control tokens by their names; `None` where only the service knows it.
    fn spell(&self, _request: &InfillRequest) -> Option<String> {
        None
    }

    /// How many tokens a text is to whoever would answer a request from there, where that is known.
    fn tokens_of(&self, _origin: &Origin, _text: &str) -> Option<usize> {
        None
    }
}
