//! The shapes that finch's own clients and the daemon say beyond OpenAI's fields. docs/daemon.md shows them.
//!
//! A request carries one more member, `finch`, and so does the last event of an answer. Clients that know nothing of it
//! lose nothing.

use std::time::Duration;

use finch_llm::{Capabilities, Lane, LaneLoad, LlmError, Load, ModelState, StopReason, Task, Timings, Usage};
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
    /// The ids of the calls whose results say that they failed. For `/v1/chat/completions` alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed_calls: Vec<String>,
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

/// [`finch_llm::StopReason`] by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonWire {
    EndOfText,
    ToolCalls,
    StopText,
    TokensMax,
    ContextFull,
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
    /// Why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonWire>,
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

impl From<Event> for (ModelState, Option<Capabilities>) {
    fn from(event: Event) -> Self {
        (event.state.into(), event.capabilities.map(Into::into))
    }
}

macro_rules! same_members {
    ($wire:ident, $here:ident { $($member:ident),* $(,)? }) => {
        impl From<$wire> for $here {
            fn from(wire: $wire) -> Self {
                Self { $($member: wire.$member),* }
            }
        }
        impl From<$here> for $wire {
            fn from(here: $here) -> Self {
                Self { $($member: here.$member),* }
            }
        }
    };
}

same_members!(
    CapabilitiesWire,
    Capabilities { model, fill_in_the_middle, chat, tools, structured_output, context_tokens_max }
);
same_members!(
    UsageWire,
    Usage { prompt_tokens, cached_tokens, suffix_tokens, generated_tokens, drafted_tokens, accepted_tokens }
);

same_members!(LaneLoadWire, LaneLoad { running, waiting });

impl From<Load> for LanesWire {
    fn from(load: Load) -> Self {
        Self { interactive: load.interactive.into(), batch: load.batch.into(), warm: load.warm.into() }
    }
}

macro_rules! same_names {
    ($wire:ident, $here:ident { $($name:ident),* $(,)? }) => {
        impl From<$wire> for $here {
            fn from(wire: $wire) -> Self {
                match wire {
                    $($wire::$name => Self::$name),*
                }
            }
        }
        impl From<$here> for $wire {
            fn from(here: $here) -> Self {
                match here {
                    $($here::$name => Self::$name),*
                }
            }
        }
    };
}

same_names!(LaneWire, Lane { Interactive, Batch, Warm });
same_names!(TaskWire, Task { Completion, Chat, Plan, Critique });
same_names!(ReasonWire, StopReason { EndOfText, ToolCalls, StopText, TokensMax, ContextFull });

impl From<StateWire> for ModelState {
    fn from(state: StateWire) -> Self {
        match state {
            StateWire::Absent { next } => Self::Absent { next },
            StateWire::Starting => Self::Starting,
            StateWire::Downloading { file, bytes_done, bytes_total } => {
                Self::Downloading { file, bytes_done, bytes_total }
            }
            StateWire::Importing { bytes_done, bytes_total } => Self::Importing { bytes_done, bytes_total },
            StateWire::Loading { model } => Self::Loading { model },
            StateWire::Ready { model } => Self::Ready { model },
            StateWire::Failed { error, next } => Self::Failed { error, next },
        }
    }
}

impl From<ModelState> for StateWire {
    fn from(state: ModelState) -> Self {
        match state {
            ModelState::Absent { next } => Self::Absent { next },
            ModelState::Starting => Self::Starting,
            ModelState::Downloading { file, bytes_done, bytes_total } => {
                Self::Downloading { file, bytes_done, bytes_total }
            }
            ModelState::Importing { bytes_done, bytes_total } => Self::Importing { bytes_done, bytes_total },
            ModelState::Loading { model } => Self::Loading { model },
            ModelState::Ready { model } => Self::Ready { model },
            ModelState::Failed { error, next } => Self::Failed { error, next },
        }
    }
}

impl From<Timings> for MillisecondsWire {
    fn from(timings: Timings) -> Self {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        Self { queued: ms(timings.queued), prefill: ms(timings.prefill), decode: ms(timings.decode) }
    }
}

impl From<MillisecondsWire> for Timings {
    fn from(ms: MillisecondsWire) -> Self {
        // What no duration can be is none.
        let duration = |ms: f64| Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default();
        Self { queued: duration(ms.queued), prefill: duration(ms.prefill), decode: duration(ms.decode) }
    }
}

impl ErrorExtension {
    /// What of an error its kind and its text do not say.
    #[must_use]
    pub fn of(error: &LlmError) -> Self {
        match error {
            LlmError::RateLimited { retry_after } => {
                let retry_after_ms = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
                Self { retry_after_ms: Some(retry_after_ms), ..Self::default() }
            }
            LlmError::ContextTooLong { tokens, tokens_max } => {
                Self { tokens: Some(*tokens), tokens_max: Some(*tokens_max), ..Self::default() }
            }
            _ => Self::default(),
        }
    }

    /// The error that a daemon meant, by its kind and its text.
    #[must_use]
    pub fn error(&self, kind: &str, message: String) -> LlmError {
        match kind {
            "cancelled" => LlmError::Cancelled,
            "overloaded" => LlmError::Overloaded,
            "rate-limited" => {
                LlmError::RateLimited { retry_after: Duration::from_millis(self.retry_after_ms.unwrap_or_default()) }
            }
            "unauthorized" => LlmError::Unauthorized { reason: message },
            // The second is what OpenAI's clients know it by.
            "context-too-long" | "context_length_exceeded" => LlmError::ContextTooLong {
                tokens: self.tokens.unwrap_or_default(),
                tokens_max: self.tokens_max.unwrap_or_default(),
            },
            "loading" => LlmError::Loading,
            "refused" => LlmError::Refused { reason: message },
            "protocol" => LlmError::Protocol { reason: message },
            _ => LlmError::Unavailable { reason: message },
        }
    }
}

/// What `GET /v1/status` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub pid: u32,
    pub uptime_s: u64,
    /// How far the local model is.
    pub state: StateWire,
    /// The ids of all models that may be asked for, the one that answers by default first.
    pub models: Vec<String>,
    /// The names of the clients that listen for events.
    pub clients: Vec<String>,
    pub requests: RequestsWire,
    /// Of the local model. Absent from a daemon that does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lanes: Option<LanesWire>,
    pub tokens: TokensWire,
    /// Generated, mean of the last minute.
    pub tokens_per_second: f64,
    pub memory: MemoryWire,
}

/// Requests of any kind since the daemon started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestsWire {
    /// This one and every stream of events too.
    pub running: u64,
    pub total: u64,
    /// Not let in.
    pub refused: u64,
    /// By no fault of their own.
    pub failed: u64,
}

/// [`finch_llm::Load`]: what the local model computes and what waits for it, by [`LaneWire`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanesWire {
    pub interactive: LaneLoadWire,
    pub batch: LaneLoadWire,
    pub warm: LaneLoadWire,
}

/// [`finch_llm::LaneLoad`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneLoadWire {
    pub running: usize,
    pub waiting: usize,
}

/// Tokens since the daemon started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokensWire {
    pub prompt: u64,
    /// Tokens of prompts that were not computed again.
    pub cached: u64,
    pub generated: u64,
}

/// Memory of the daemon's process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryWire {
    /// Absent where the system does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_bytes: Option<u64>,
}

/// What `POST /v1/shutdown` takes; no body is the same as an empty object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShutdownRequest {
    /// What is under way is cut off.
    pub now: bool,
}

/// What `POST /v1/feedback` takes. Only `verdict` is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedbackRequest {
    pub verdict: VerdictWire,
    /// How bad; `major` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<SeverityWire>,
    /// In a person's words. Kept whatever the user lets finch collect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What should have been there. Kept only if the user lets finch collect texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<String>,
    /// The process that made the suggestion, as its `session` in the journal; the daemon itself when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The suggestion's number in its session; 0 when it was none.
    #[serde(default)]
    pub suggestion: u64,
    #[serde(default)]
    pub language: String,
    #[serde(default)]
    pub provider: String,
    #[serde(default)]
    pub model: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    #[serde(default)]
    pub source: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictWire {
    Good,
    Bad,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeverityWire {
    Minor,
    Major,
}

/// What `POST /v1/feedback` answers, once the record survives a power cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackAnswer {
    /// What `finch feedback forget` names it by.
    pub id: u64,
    /// 1 is good, -3 a minor fault, -10 bad.
    pub weight: i32,
    /// Whether the correction was kept: there was one, and the user lets finch collect texts.
    pub keeps_correction: bool,
}
