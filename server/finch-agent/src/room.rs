//! How much a model holds, and what is left out for one that holds little.
//!
//! A model on the user's own machine holds a few thousand tokens and reads some hundred of them a second: what it is told
//! is cut to shares of its context, it gets few tools with short descriptions, and its answers are short. A text is counted
//! by the provider where it can count. Called by the turn loop, the plan loop and the task around them.

use std::sync::Arc;

use finch_llm::{Origin, Provider, Task, ToolSpec};
use serde_json::Value;

use crate::Tool;
use crate::limits::{
    BYTES_PER_TOKEN, CONTEXT_SHARES, SMALL_ANSWER_TOKENS_MAX, SMALL_ANSWERS_MAX, SMALL_CONTEXT_TOKENS_MAX,
};
use crate::turn::{TurnLimits, bounded};

/// What a model that holds little is given of all tools.
const SMALL_TOOLS: [&str; 5] = ["Read", "Grep", "Edit", "Write", "Bash"];

/// What one provider has room for.
#[derive(Clone, Copy)]
pub(crate) struct Room<'a> {
    provider: &'a dyn Provider,
    /// Where the request comes from, whatever its task.
    origin: &'a Origin,
    task: Task,
    /// None if nobody knows.
    tokens: Option<usize>,
}

/// How long a text may be in a model that holds little, in parts of [`CONTEXT_SHARES`] of its context.
///
/// Invariant: what goes into one prompt, with [`Share::FIXED`] for finch's own words and [`Share::ANSWER`], is no more
/// than the whole. The largest is that of a plan that is revised: task, notes, plan, findings and directions.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Share {
    Task,
    Notes,
    Plan,
    Findings,
    Directions,
    /// What the user's and the project's own files ask for.
    Instructions,
}

impl Share {
    /// Of the schema, the description of tools and what finch itself says.
    #[cfg(test)]
    pub(crate) const FIXED: usize = 8;
    /// Of an answer.
    pub(crate) const ANSWER: usize = 16;

    pub(crate) const fn parts(self) -> usize {
        match self {
            Self::Task => 6,
            Self::Notes => 12,
            Self::Plan => 14,
            Self::Findings => 5,
            Self::Directions => 3,
            Self::Instructions => 5,
        }
    }
}

impl<'a> Room<'a> {
    /// The room of whoever would answer this.
    pub(crate) fn of(provider: &'a dyn Provider, origin: &'a Origin, task: Task) -> Self {
        let tokens = provider.capabilities_for(&Origin { task, ..origin.clone() }).context_tokens_max;
        Self { provider, origin, task, tokens: (tokens > 0).then_some(tokens) }
    }

    pub(crate) fn is_small(self) -> bool {
        self.tokens.is_some_and(|tokens| tokens <= SMALL_CONTEXT_TOKENS_MAX)
    }

    /// Tokens of prompt and answer together. Where nobody knows, the provider will say when it is too much.
    pub(crate) fn tokens(self) -> usize {
        self.tokens.unwrap_or(usize::MAX / 16)
    }

    /// Tokens of an answer, of which at most so many are wanted.
    pub(crate) fn answer_tokens(self, wanted: usize) -> usize {
        wanted.min(self.tokens() / CONTEXT_SHARES * Share::ANSWER).max(1)
    }

    /// The text, cut to its share of a small room. Its beginning and its end are kept.
    pub(crate) fn cut(self, text: &str, share: Share) -> String {
        if !self.is_small() {
            return text.to_owned();
        }
        self.cut_to(text, self.tokens() * share.parts() / CONTEXT_SHARES)
    }

    fn cut_to(self, text: &str, tokens_max: usize) -> String {
        let origin = Origin { task: self.task, ..self.origin.clone() };
        let is_too_long = |text: &str| match self.provider.tokens_of(&origin, text) {
            Some(tokens) => tokens > tokens_max,
            None => text.len() > tokens_max * BYTES_PER_TOKEN,
        };
        // No need to count what cannot be too long, nor what must be: a token is a byte at least, and rarely many.
        let mut bytes_max = text.len().min(tokens_max * BYTES_PER_TOKEN * 4);
        loop {
            let cut = bounded(text, bytes_max);
            if bytes_max == 0 || cut.len() <= tokens_max || !is_too_long(&cut) {
                return cut;
            }
            bytes_max = bytes_max / 4 * 3;
        }
    }

    /// Of these tools, those that a model gets.
    pub(crate) fn tools(self, mut tools: Vec<Arc<dyn Tool>>) -> Vec<Arc<dyn Tool>> {
        if self.is_small() {
            tools.retain(|tool| SMALL_TOOLS.contains(&tool.spec().name.as_str()));
        }
        tools
    }

    /// How far its turns go.
    pub(crate) fn limits(self) -> TurnLimits {
        match self.is_small() {
            true => TurnLimits {
                answers_max: SMALL_ANSWERS_MAX,
                answer_tokens_max: SMALL_ANSWER_TOKENS_MAX,
                ..TurnLimits::default()
            },
            false => TurnLimits::default(),
        }
    }

    /// The tool as a small room has it described: in one sentence, and its parameters by their names.
    pub(crate) fn described(self, mut spec: ToolSpec) -> ToolSpec {
        if self.is_small() {
            if let Some(end) = spec.description.find(". ") {
                spec.description.truncate(end + 1);
            }
            let parameters = spec.parameters.get_mut("properties").and_then(Value::as_object_mut);
            for parameter in parameters.into_iter().flat_map(|all| all.values_mut()) {
                parameter.as_object_mut().and_then(|it| it.remove("description"));
            }
        }
        spec
    }
}

#[cfg(test)]
mod tests;
