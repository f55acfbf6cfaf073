//! OpenAI's API: which path is answered by what.
//!
//! A handler reads a request, finds who answers, asks, and tells the answer; each of these is in a module of its own, and
//! only this one knows them all.

mod chat;
mod chat_answer;
mod completion;
mod completion_answer;
mod content;
mod format;
mod models;
mod responses;
mod scores;
mod templates;

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use finch_llm::{ClientId, Lane, LlmError, Task};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use self::{
    chat::{ChatRequest, Delivery},
    chat_answer::ChatSpeech,
    completion::CompletionRequest,
    completion_answer::CompletionSpeech,
};
use crate::{
    Host,
    answer::{
        self, Asker, Calls, fresh_id, fresh_seed, now_s,
        speak::{Event, speak},
        told,
        whole::{Heard, hear},
    },
    error::ApiError,
    request::{Extension, Fields, model},
    serve::Visit,
    wire::{AnswerExtension, UsageWire},
};

type Body = Result<Bytes, BytesRejection>;

/// Its routes.
pub(crate) fn routes() -> Router<Host> {
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*id}", get(models::one))
        .route("/v1/chat/completions", post(chat_completions))
        .route("/v1/completions", post(completions))
        .route("/v1/embeddings", post(embeddings))
        .merge(responses::routes())
}

/// Why a body is no request at that path; `None` for a path that is not of this API.
pub(crate) fn check(path: &str, body: Value) -> Option<Result<(), ApiError>> {
    match path {
        "/v1/chat/completions" => Some(ChatRequest::read(body).map(drop)),
        "/v1/completions" => Some(CompletionRequest::read(body).map(drop)),
        "/v1/responses" => Some(responses::check(body)),
        _ => None,
    }
}

async fn chat_completions(State(host): State<Host>, visit: Visit, body: Body) -> Result<Response, ApiError> {
    let request = ChatRequest::read(answer::body(body)?)?;
    let asker = Asker::find(&host, visit, &request.model, Task::Chat, &request.extension)?;
    scores::check(request.wishes.alternatives, &asker)?;
    let by = asker.provenance(&request.model);
    let envelope = Envelope::new("chatcmpl-", &by.model)?;
    let seed = request.wishes.seed.map_or_else(fresh_seed, Ok)?;
    let ask = |client, seed| asker.generate(request.generate(client, asker.origin.clone(), seed));
    if request.delivery != Delivery::Whole {
        let speech = ChatSpeech::new(envelope, request.delivery, request.calls);
        return speak(ask(asker.client.clone(), seed), by, speech).await;
    }
    let choices = several(request.choices, &asker.client, request.extension.lane, seed);
    let one = |(client, seed): (ClientId, u64)| hear(move || ask(client.clone(), seed), by.clone(), request.calls);
    let heard = try_join_all(choices.map(one)).await?;
    Ok(Json(chat_answer::whole(&envelope, &heard)).into_response())
}

async fn completions(State(host): State<Host>, visit: Visit, body: Body) -> Result<Response, ApiError> {
    let request = CompletionRequest::read(answer::body(body)?)?;
    let asker = Asker::find(&host, visit, &request.model, Task::Completion, &request.extension)?;
    scores::check(request.wishes.alternatives, &asker)?;
    let by = asker.provenance(&request.model);
    let envelope = Envelope::new("cmpl-", &by.model)?;
    let holds = asker.holds_tokens();
    if !request.may_be_cut() {
        check_length(&asker, &request.prefix, holds).await?;
    }
    let seed = request.wishes.seed.map_or_else(fresh_seed, Ok)?;
    let ask = |client, seed| asker.infill(request.infill(client, asker.origin.clone(), seed, holds));
    if request.delivery != Delivery::Whole {
        let speech = CompletionSpeech::new(envelope, request.delivery, request.echo.clone());
        return speak(ask(asker.client.clone(), seed), by, speech).await;
    }
    let choices = several(request.choices, &asker.client, request.extension.lane, seed);
    let one = |(client, seed): (ClientId, u64)| hear(move || ask(client.clone(), seed), by.clone(), Calls::Several);
    let heard = try_join_all(choices.map(one)).await?;
    Ok(Json(completion_answer::whole(&envelope, request.echo.as_deref(), &heard)).into_response())
}

/// No provider makes embeddings; to say so beats to make up numbers.
async fn embeddings(State(host): State<Host>, visit: Visit, body: Body) -> Result<Response, ApiError> {
    let mut fields = Fields::of(answer::body(body)?, "")?;
    let model = model::read(&mut fields)?;
    Asker::find(&host, visit, &model, Task::Chat, &Extension::default())?;
    Err(ApiError::unsupported("model", "makes no embeddings, and neither does any other model here"))
}

/// Several are asked for with several seeds; and as by several clients where one's newest takes the place of its older.
fn several(choices: usize, client: &ClientId, lane: Lane, seed: u64) -> impl Iterator<Item = (ClientId, u64)> {
    (0..choices).zip(0..).map(move |(index, offset)| {
        let is_same = index == 0 || lane == Lane::Batch;
        let client = if is_same { client.clone() } else { ClientId::new(format!("{}/{index}", client.as_str())) };
        (client, seed.wrapping_add(offset))
    })
}

/// A text that is gone on with is not silently shortened. To count it may take a while, but no thread that others need.
async fn check_length(asker: &Asker, text: &str, tokens_max: usize) -> Result<(), ApiError> {
    if text.len() < tokens_max {
        // A token is a byte at least.
        return Ok(());
    }
    let (provider, origin, text) = (Arc::clone(&asker.provider), asker.origin.clone(), text.to_owned());
    let counted = tokio::task::spawn_blocking(move || provider.tokens_of(&origin, &text)).await;
    match counted.map_err(|error| ApiError::internal(format!("the prompt cannot be counted: {error}")))? {
        Some(tokens) if tokens >= tokens_max => Err(LlmError::ContextTooLong { tokens, tokens_max }.into()),
        _ => Ok(()),
    }
}

/// What stands around every answer of a request, the same in all its events.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) id: String,
    pub(crate) created_s: u64,
    pub(crate) model: String,
}

impl Envelope {
    fn new(prefix: &str, model: &str) -> Result<Self, ApiError> {
        Ok(Self { id: fresh_id(prefix)?, created_s: now_s(), model: model.to_owned() })
    }

    fn body(&self, object: &str, choices: Value) -> Value {
        json!({
            "id": self.id,
            "object": object,
            "created": self.created_s,
            "model": self.model,
            "choices": choices,
        })
    }

    fn event(&self, object: &str, choices: Value, delivery: Delivery, finch: Option<&AnswerExtension>) -> Event {
        let mut body = self.body(object, choices);
        if delivery == Delivery::StreamWithUsage {
            body["usage"] = Value::Null;
        }
        if let Some(finch) = finch {
            body["finch"] = json!(finch);
        }
        Event::Data(body)
    }

    /// The event behind the last one, if it is wanted.
    fn usage_event(
        &self,
        object: &str,
        delivery: Delivery,
        usage: Value,
        finch: Option<AnswerExtension>,
    ) -> Option<Event> {
        if delivery != Delivery::StreamWithUsage {
            return None;
        }
        let mut body = self.body(object, json!([]));
        body["usage"] = usage;
        if let Some(finch) = finch {
            body["finch"] = json!(finch);
        }
        Some(Event::Data(body))
    }
}

/// Tells what the answers to one request cost together. OpenAI counts the prompt once; finch says what was computed.
fn sum(body: &mut Value, heard: &[Heard]) {
    let Some(first) = heard.first() else { return };
    let mut usage = first.done.usage;
    usage.generated_tokens = heard.iter().map(|heard| heard.done.usage.generated_tokens).sum();
    body["model"] = first.by.model.as_str().into();
    body["usage"] = answer::openai_usage(&usage);
    let mut all = UsageWire::default();
    for usage in heard.iter().map(|heard| heard.done.usage) {
        all.prompt_tokens += usage.prompt_tokens;
        all.cached_tokens += usage.cached_tokens;
        all.suffix_tokens += usage.suffix_tokens;
        all.generated_tokens += usage.generated_tokens;
        all.drafted_tokens += usage.drafted_tokens;
        all.accepted_tokens += usage.accepted_tokens;
    }
    body["finch"] = json!(AnswerExtension { usage: Some(all), ..told(&first.by, &first.done) });
}

#[cfg(test)]
mod tests;
