//! Anthropic's `/v1/messages`.

mod request;
mod speech;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    response::{IntoResponse, Response},
    routing::post,
};
use finch_llm::Task;

use self::{
    request::{MessagesRequest, Telling},
    speech::{Manner, MessageSpeech},
};
use crate::{
    Host,
    answer::{self, Asker, fresh_id, fresh_seed, speak::speak, whole::hear},
    error::ApiError,
    serve::Visit,
};

/// Its routes.
pub(crate) fn routes() -> Router<Host> {
    Router::new().route("/v1/messages", post(messages))
}

/// Why a body is no request.
pub(crate) fn check(body: serde_json::Value) -> Result<(), ApiError> {
    MessagesRequest::read(body).map(drop)
}

async fn messages(State(host): State<Host>, visit: Visit, body: Result<Bytes, BytesRejection>) -> Response {
    answer_to(&host, visit, body).await.unwrap_or_else(ApiError::into_anthropic)
}

async fn answer_to(host: &Host, visit: Visit, body: Result<Bytes, BytesRejection>) -> Result<Response, ApiError> {
    let request = MessagesRequest::read(answer::body(body)?)?;
    let asker = Asker::find(host, visit, &request.model, Task::Chat, &request.extension)?;
    let by = asker.provenance(&request.model);
    let stop_text = match request.stops() {
        [only] => Some(only.clone()),
        // Which of several it was, no provider tells.
        _ => None,
    };
    let manner = Manner { id: fresh_id("msg_")?, thoughts: request.thoughts, calls: request.calls, stop_text };
    let seed = fresh_seed()?;
    let ask = || asker.generate(request.generate(asker.client.clone(), asker.origin.clone(), seed));
    match request.telling {
        Telling::Stream => speak(ask(), by, MessageSpeech::new(manner)).await,
        Telling::Whole => {
            let heard = hear(ask, by, request.calls).await?;
            Ok(Json(speech::whole(&manner, &heard)).into_response())
        }
    }
}

#[cfg(test)]
mod tests;
