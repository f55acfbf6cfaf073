//! What a caller may ask of a model.

use std::sync::Arc;

use crate::{Message, Origin, OutputFormat, ToolChoice, ToolSpec};

/// Who asks. A newer interactive request of a client replaces its older one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientId(String);

impl ClientId {
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How urgent a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A person waits for it: one slot a client, the newest wins, and it goes before batch work.
    Interactive,
    /// It may wait: served in turns with other clients, several at once, and a full queue is `Overloaded`.
    Batch,
    /// Nobody waits for it: its prompt is computed when there is nothing else to do, so that a later request with the
    /// same beginning is fast, and no token is generated. It ends as `Cancelled` when other work comes, or a newer
    /// one of the client; what was computed by then is kept.
    Warm,
}

/// Requests of one lane at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LaneLoad {
    /// Those that are computed, in turns.
    pub running: usize,
    /// Those that nothing was done for yet.
    pub waiting: usize,
}

/// Requests of each [`Lane`] at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    pub interactive: LaneLoad,
    pub batch: LaneLoad,
    pub warm: LaneLoad,
}

/// How the next token is chosen. The default is greedy.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// 0 is greedy: the likeliest token always.
    pub temperature: f32,
    /// Only the `top_k` likeliest tokens may be drawn; `None` for all.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens that make up this share of the probability may be drawn.
    pub top_p: f32,
    /// The same seed, prompt and model draw the same text.
    pub seed: u64,
    /// Tokens to generate at most.
    pub tokens_max: usize,
    /// Generation ends before the first of these texts.
    pub stop: Vec<String>,
    /// A token that the model holds less probable than this is announced by a [`Chunk::Unsure`](crate::Chunk::Unsure),
    /// by providers that know; 0 asks for no such chunks.
    pub unsure_below: f32,
    /// Every token is told with its probability by a [`Chunk::Scored`](crate::Chunk::Scored), and with this many of the
    /// likeliest in its place ([`ALTERNATIVES_MAX`](crate::ALTERNATIVES_MAX) at most), by providers that
    /// [score tokens](crate::Provider::scores_tokens); none asks for no such chunks.
    pub alternatives: Option<usize>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: None,
            top_p: 1.0,
            seed: 0,
            tokens_max: 64,
            stop: Vec::new(),
            unsure_below: 0.0,
            alternatives: None,
        }
    }
}

/// A text from elsewhere that helps to fill in: a part of another file, a definition, an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// What it is, in one line: a path, as a rule.
    pub name: String,
    pub text: Arc<str>,
    /// It is from outside of the workspace that the request comes from, and stays on this machine.
    pub is_foreign: bool,
}

/// What surrounds a place to fill in beyond its own text. It goes before the prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InfillContext {
    /// What the project is called.
    pub repository: Option<String>,
    /// Where the text stands in it. Some models were taught to read paths.
    pub path: Option<String>,
    /// In the order of the prompt: what changes least from request to request stands first, so that what a provider
    /// computed from it can be used again.
    pub excerpts: Vec<Excerpt>,
    /// Prompt tokens that all of this may take. Excerpts that do not fit are left out whole, the first ones first.
    pub tokens_max: usize,
}

/// Text between a prefix and a suffix is wanted, as a person would type it.
#[derive(Debug, Clone, PartialEq)]
pub struct InfillRequest {
    pub client: ClientId,
    pub origin: Origin,
    pub lane: Lane,
    /// What stands before the cursor. The provider keeps its end when the budget is short.
    pub prefix: String,
    /// What stands behind the cursor. The provider keeps its start when the budget is short.
    pub suffix: String,
    pub context: InfillContext,
    /// Prompt tokens at most: context, prefix, suffix and markers together.
    pub prompt_tokens_max: usize,
    /// Texts the answer may repeat, the likeliest first: the whole document, open files, recent edits. They are no
    /// part of the prompt and never change the answer; a provider may use them to guess ahead and be faster.
    pub references: Vec<Arc<str>>,
    pub sampling: Sampling,
}

/// An answer to a conversation is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateRequest {
    pub client: ClientId,
    pub origin: Origin,
    pub lane: Lane,
    pub messages: Vec<Message>,
    /// The tools the model may call.
    pub tools: Vec<ToolSpec>,
    pub tool_choice: ToolChoice,
    /// What the answer's text has to look like. A tool call that has to be made comes before it.
    pub output: OutputFormat,
    /// Texts the answer may repeat, as in [`InfillRequest::references`].
    pub references: Vec<Arc<str>>,
    pub sampling: Sampling,
}

impl GenerateRequest {
    /// A conversation to be answered in plain text, greedily.
    #[must_use]
    pub fn new(client: ClientId, lane: Lane, messages: Vec<Message>) -> Self {
        Self {
            client,
            origin: Origin::default(),
            lane,
            messages,
            tools: Vec::new(),
            tool_choice: ToolChoice::default(),
            output: OutputFormat::default(),
            references: Vec::new(),
            sampling: Sampling::default(),
        }
    }
}
