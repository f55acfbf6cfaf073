//! `/v1/responses`: answers that a client may want kept, and go on from.

mod request;
mod speech;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use finch_llm::{Chunk, Provenance, Task};
use serde_json::{Value, json};

use self::{
    request::{Keeping, ResponseRequest, Telling},
    speech::{Frame, ResponseSpeech},
};
use super::Body;
use crate::{
    Host, Sessions,
    answer::{
        self, Asker, fresh_id, fresh_seed, now_s,
        speak::{Dialect as _, speak},
        whole::{Unheard, once_more},
    },
    counters::Watched,
    error::ApiError,
    serve::Visit,
    sessions::{ID_PREFIX, Session},
};

pub(super) fn routes() -> Router<Host> {
    Router::new().route("/v1/responses", post(create)).route("/v1/responses/{id}", get(read).delete(remove))
}

/// Why a body is no request.
pub(super) fn check(body: Value) -> Result<(), ApiError> {
    ResponseRequest::read(body).map(drop)
}

async fn create(State(host): State<Host>, visit: Visit, body: Body) -> Result<Response, ApiError> {
    let request = ResponseRequest::read(answer::body(body)?)?;
    let asker = Asker::find(&host, visit, &request.model, Task::Chat, &request.extension)?;
    if request.keeping == Keeping::Keep && host.sessions.is_none() {
        return Err(ApiError::unsupported("store", "nothing is kept by this daemon"));
    }
    let mut items = match &request.previous {
        Some(id) => kept(&host, id).await?.ok_or_else(|| not_kept("previous_response_id", id))?.items,
        None => Vec::new(),
    };
    let seed = request.seed().map_or_else(fresh_seed, Ok)?;
    let generate = request.generate(&items, asker.client.clone(), asker.origin.clone(), seed)?;
    if request.keeping == Keeping::Keep {
        items.extend(request.items.iter().cloned());
    }
    let by = asker.provenance(&request.model);
    let frame = Frame {
        id: fresh_id(ID_PREFIX)?,
        created_s: now_s(),
        model: by.model.clone(),
        said_back: request.said_back.clone(),
        calls: request.calls,
        keeping: request.keeping,
        sessions: host.sessions.clone(),
        items,
    };
    match request.telling {
        Telling::Stream => speak(asker.generate(generate), by, ResponseSpeech::new(frame)).await,
        Telling::Whole => {
            let speech = || ResponseSpeech::new(frame.clone());
            let told = once_more(|| whole(asker.generate(generate.clone()), by.clone(), speech())).await?;
            Ok(Json(told).into_response())
        }
    }
}

/// Says the answer to nobody, to its end.
async fn whole(mut stream: Watched, by: Provenance, mut speech: ResponseSpeech) -> Result<Value, Unheard> {
    stream.is_told_by_status();
    let mut is_open = false;
    loop {
        let chunk = stream.next().await.ok_or_else(|| Unheard::stopped(is_open))?;
        let chunk = chunk.map_err(|error| Unheard::new(error, is_open))?;
        if !is_open {
            is_open = true;
            speech.open(&stream.provenance().unwrap_or_else(|| by.clone()), stream.progress());
        }
        match chunk {
            Chunk::Done(done) => {
                speech.before_end(&done).await;
                return Ok(speech.whole(&done));
            }
            chunk => speech.say(chunk).map_err(Unheard::Failed)?,
        };
    }
}

async fn read(State(host): State<Host>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let session = kept(&host, &id).await?.ok_or_else(|| not_kept("response_id", &id))?;
    Ok(Json(session.response))
}

async fn remove(State(host): State<Host>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let name = id.clone();
    let removed = on_disk(&host, false, move |sessions| sessions.remove(&name)).await?;
    if !removed {
        return Err(not_kept("response_id", &id));
    }
    Ok(Json(json!({"id": id, "object": "response", "deleted": true})))
}

async fn kept(host: &Host, id: &str) -> Result<Option<Session>, ApiError> {
    let id = id.to_owned();
    on_disk(host, None, move |sessions| sessions.read(&id)).await
}

/// Works on the disk where that may take time. `nothing` is what there is where nothing is kept.
async fn on_disk<T: Send + 'static>(
    host: &Host,
    nothing: T,
    work: impl FnOnce(&Sessions) -> std::io::Result<T> + Send + 'static,
) -> Result<T, ApiError> {
    let Some(sessions) = host.sessions.clone() else { return Ok(nothing) };
    let done = tokio::task::spawn_blocking(move || work(&sessions)).await;
    match done {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(ApiError::internal(format!("what was kept cannot be reached: {error}"))),
        Err(error) => Err(ApiError::internal(format!("what was kept cannot be reached: {error}"))),
    }
}

fn not_kept(param: &str, id: &str) -> ApiError {
    let id: String = id.chars().take(64).collect();
    let message =
        format!("there is no response `{id}`; only what is asked for with `store: true` is kept, for 30 days");
    let error = ApiError::new(StatusCode::NOT_FOUND, "response_not_found", message);
    ApiError { param: Some(param.to_owned()), ..error }
}

#[cfg(test)]
mod tests;
