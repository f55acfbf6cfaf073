//! The shapes that finch's own clients and the daemon say beyond OpenAI's fields. docs/daemon.md shows them.
//!
//! A request carries one more member, `finch`, and so does the last event of an answer. Clients that know nothing of it
//! lose nothing.

use serde::{Deserialize, Serialize};

/// The `finch` member of a request to `/v1/chat/completions` or `/v1/completions`. Every member may be left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestExtension {
    /// Who asks: a newer interactive request of a client takes the place of its older one. 1 to 128 characters; the
    /// connection when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// How urgent it is.
    pub lane: LaneWire,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskWire>,
    /// The folder that is worked in, absolute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// The files whose text is in it, the one that is worked on first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Nobody has asked for it yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_ahead: bool,
    /// Texts the answer may repeat, the likeliest first: they make it faster and change nothing in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    /// What surrounds the place to fill in. For `/v1/completions` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextWire>,
    /// Prompt tokens at most. For `/v1/completions` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_tokens_max: Option<usize>,
    /// Only the likeliest so many tokens may be drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// A token that the model holds less probable than this is announced by an event whose `finch` has `unsure`.
    #[serde(skip_serializing_if = "is_zero")]
    pub unsure_below: f32,
    /// The answer has to be text of this context-free grammar, in the Lark notation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grammar: Option<String>,
}

fn is_zero(number: &f32) -> bool {
    *number == 0.0
}

/// [`finch_llm::Lane`] by name. Without one a request is `batch`: it takes nobody's place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaneWire {
    Interactive,
    #[default]
    Batch,
    Warm,
}

/// [`finch_llm::Task`] by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskWire {
    Completion,
    Chat,
    Plan,
    Critique,
}

/// [`finch_llm::InfillContext`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContextWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    pub excerpts: Vec<ExcerptWire>,
    pub tokens_max: usize,
}

/// [`finch_llm::Excerpt`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExcerptWire {
    pub name: String,
    pub text: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_foreign: bool,
}

/// The `finch` member of an event or of a whole answer. The last event of a stream has everything that is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AnswerExtension {
    /// Who answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Why it ended: `end-of-text`, `tool-calls`, `stop-text`, `tokens-max`, `context-full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How probable the model held what comes next, where it is unsure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsure: Option<f32>,
    /// What it has cost so far; in a stream also with the first event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<MillisecondsWire>,
}

/// [`finch_llm::Usage`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UsageWire {
    pub prompt_tokens: usize,
    pub cached_tokens: usize,
    pub suffix_tokens: usize,
    pub generated_tokens: usize,
    pub drafted_tokens: usize,
    pub accepted_tokens: usize,
}

/// [`finch_llm::Timings`] in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MillisecondsWire {
    pub queued: f64,
    pub prefill: f64,
    pub decode: f64,
}

/// The `finch` member of an error: what a client needs to know it by beyond OpenAI's `type` and `code`. `code` is
/// [`finch_llm::LlmError::kind`] where a provider failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorExtension {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Of a prompt that is too long: what it has, and what the model holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_max: Option<usize>,
}

/// What `GET /health?challenge=TEXT` answers, without a token. Tells nothing but that finch is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Always `finch`.
    pub name: String,
    pub version: String,
    /// [`crate::endpoint::PROTOCOL`].
    pub protocol: u32,
    /// [`crate::endpoint::Nonce::proof`] of the challenge; absent where none was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// What an event of `GET /v1/events` tells: a stream of server-sent events that lasts as long as a client is there, and
/// that holds the daemon up. The first one comes at once, then one for every change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub state: StateWire,
    /// What the local model can do, once it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<CapabilitiesWire>,
}

/// [`finch_llm::ModelState`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum StateWire {
    Absent { next: String },
    Starting,
    Downloading { file: String, bytes_done: u64, bytes_total: Option<u64> },
    Importing { bytes_done: u64, bytes_total: u64 },
    Loading { model: String },
    Ready { model: String },
    Failed { error: String, next: String },
}

/// [`finch_llm::Capabilities`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilitiesWire {
    pub model: String,
    pub fill_in_the_middle: bool,
    pub chat: bool,
    pub tools: bool,
    pub structured_output: bool,
    pub context_tokens_max: usize,
}
