//! From a request to an answer: who is asked, what was heard as a whole, and what all dialects tell of it.
//!
//! Dropping what is here drops the stream behind it, and that cancels the work. No dialect is known here: [`speak`] hands
//! each the chunks that it makes its events of.

pub(crate) mod speak;
pub(crate) mod whole;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use finch_llm::{
    ClientId, Done, GenerateRequest, InfillRequest, Lane, Origin, Progress, Provenance, Provider, Task, Usage,
};
use serde_json::{Value, json};

use crate::{
    Host,
    counters::{Tally, Watched},
    error::ApiError,
    host::Asked,
    limits::CONTEXT_TOKENS_DEFAULT,
    request::Extension,
    serve::Visit,
    wire::AnswerExtension,
};

/// Whether an answer may have more than one tool call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Calls {
    #[default]
    Several,
    /// Those behind the first are left out.
    One,
}

/// Who is asked, and as whom.
pub(crate) struct Asker {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) client: ClientId,
    pub(crate) origin: Origin,
    tally: Tally,
}

impl Asker {
    /// Finds who answers for the model that a request names.
    pub(crate) fn find(
        host: &Host,
        visit: Visit,
        model: &str,
        task: Task,
        extension: &Extension,
    ) -> Result<Self, ApiError> {
        let task = extension.task.unwrap_or(task);
        let found = host.models.find(Asked { model, task }).ok_or_else(|| ApiError::model_not_found(model))?;
        let client = match (&extension.client, extension.lane) {
            (Some(client), _) => client.clone(),
            // Programs take turns, whatever each of them asks for.
            (None, Lane::Batch) => visit.caller,
            // Nobody's place is taken by a stranger.
            (None, Lane::Interactive | Lane::Warm) => ClientId::new(fresh_id("client-")?),
        };
        let origin = extension.origin(&found.origin, task);
        Ok(Self { provider: found.provider, client, origin, tally: visit.tally })
    }

    /// Asks for an answer, which is counted while it is read.
    pub(crate) fn generate(&self, request: GenerateRequest) -> Watched {
        self.tally.watch(self.provider.generate(request))
    }

    /// The same for a text between two others.
    pub(crate) fn infill(&self, request: InfillRequest) -> Watched {
        self.tally.watch(self.provider.infill(request))
    }

    /// Who will answer, as far as it is known before.
    pub(crate) fn provenance(&self, asked: &str) -> Provenance {
        let Provenance { provider, model } = self.provider.provenance_for(&self.origin);
        let model = if model.is_empty() { asked.to_owned() } else { model };
        Provenance { provider, model }
    }

    /// Tokens of prompt and answer together that there is room for. Whoever is asked knows better in the end.
    pub(crate) fn holds_tokens(&self) -> usize {
        match self.provider.capabilities_for(&self.origin).context_tokens_max {
            // Of a model that is still loading.
            0 => CONTEXT_TOKENS_DEFAULT,
            tokens => tokens,
        }
    }
}

/// The bytes of a request, or why they did not arrive.
pub(crate) fn body(body: Result<Bytes, BytesRejection>) -> Result<Value, ApiError> {
    let bytes = body.map_err(|problem| ApiError::new(problem.status(), "invalid_body", problem.body_text()))?;
    json(&bytes)
}

/// Bytes as JSON.
pub(crate) fn json(bytes: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| ApiError::unreadable(format!("the body is no JSON: {error}")))
}

/// A name that nobody has yet and nobody can guess.
pub(crate) fn fresh_id(prefix: &str) -> Result<String, ApiError> {
    Ok(format!("{prefix}{:032x}", u128::from_le_bytes(random()?)))
}

/// A seed for who names none.
pub(crate) fn fresh_seed() -> Result<u64, ApiError> {
    Ok(u64::from_le_bytes(random()?))
}

fn random<const N: usize>() -> Result<[u8; N], ApiError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| ApiError::internal(format!("no randomness from the operating system: {error}")))?;
    Ok(bytes)
}

/// Seconds since 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// What finch tells of an answer beside its text, at its end.
pub(crate) fn told(by: &Provenance, done: &Done) -> AnswerExtension {
    AnswerExtension {
        provider: Some(by.provider.to_string()),
        model: Some(by.model.clone()),
        reason: Some(done.reason.into()),
        unsure: None,
        usage: Some(done.usage.into()),
        ms: Some(done.timings.into()),
    }
}

/// What finch tells with the first event.
pub(crate) fn told_so_far(progress: Progress) -> AnswerExtension {
    let Progress { usage, timings } = progress;
    AnswerExtension { usage: Some(usage.into()), ms: Some(timings.into()), ..AnswerExtension::default() }
}

/// OpenAI's `usage`.
pub(crate) fn openai_usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.generated_tokens,
        "total_tokens": usage.prompt_tokens + usage.generated_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    })
}
