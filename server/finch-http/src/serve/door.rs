//! The door: every request passes it, and what comes behind it may assume a client that may ask and a body that may be read.
//!
//! The order is what it costs: names, token, body, place. What is refused is counted and logged in one line that repeats
//! nothing but the escaped path.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use finch_llm::ClientId;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::connection::Connection;
use super::desk::Desk;
use super::held::hold;
use super::places::Place;
use super::presence::There;
use super::refusal::Refusal;
use super::visit::Visit;
use super::{body, guard};
use crate::Host;
use crate::answer::fresh_id;
use crate::counters::Tally;
use crate::limits::{CLIENT_CHARS_MAX, LOGGED_PATH_BYTES_MAX, RETRY_AFTER};

/// Answered without a token: it is how a client finds out whom it may show the token.
pub(crate) const HEALTH: &str = "/health";
pub(crate) const METRICS: &str = "/metrics";
pub(crate) const STATUS: &str = "/v1/status";
pub(crate) const EVENTS: &str = "/v1/events";
pub(crate) const FEEDBACK: &str = "/v1/feedback";
pub(crate) const SHUTDOWN: &str = "/v1/shutdown";

/// What a request holds until its answer is sent.
#[derive(Default)]
struct Admitted {
    _there: Option<There>,
    _room: Option<OwnedSemaphorePermit>,
    _place: Option<Place>,
}

/// Lets a request in or says why not.
pub(super) async fn pass(State((host, desk)): State<(Host, Arc<Desk>)>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let tally = Tally::new(&desk.counters);
    let (mut response, admitted) = match admit(&host, &desk, &tally, request).await {
        Ok((request, admitted)) => (next.run(request).await, admitted),
        Err(refusal) => {
            desk.counters.refused(refusal.code);
            tracing::debug!(code = refusal.code, path = ?shown(&path), "refused");
            (refusal.answer(&path), Admitted::default())
        }
    };
    let status = response.status();
    if response.status().is_server_error() {
        tally.has_failed();
    }
    desk.counters.answered(&path, status.as_u16());
    let ms = started.elapsed().as_millis();
    tracing::debug!(method = ?shown(method.as_str()), path = ?shown(&path), status = status.as_u16(), ms, "request");
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    // What the answer can be asked about by, as either API calls it.
    if let Some(id) = fresh_id("req_").ok().and_then(|id| HeaderValue::from_str(&id).ok()) {
        headers.insert("request-id", id.clone());
        headers.insert("x-request-id", id);
    }
    hold(response, (admitted, tally))
}

/// A client's word for the log: its start, to be escaped.
fn shown(text: &str) -> &str {
    &text[..text.floor_char_boundary(LOGGED_PATH_BYTES_MAX)]
}

async fn admit(host: &Host, desk: &Arc<Desk>, tally: &Tally, request: Request) -> Result<(Request, Admitted), Refusal> {
    let (mut parts, body) = request.into_parts();
    let Some(connection) = parts.extensions.get::<Arc<Connection>>() else {
        return Err(Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "no_connection",
            "the request came by no connection",
        ));
    };
    guard::is_from_here(&parts, connection.local)?;
    let path = parts.uri.path();
    if path != HEALTH {
        guard::shows_the_token(&parts.headers, &host.token)?;
        connection.has_shown_the_token();
    }
    // Looking is not being there: a monitor does not hold the model in memory.
    let looks = [HEALTH, METRICS, STATUS].contains(&path);
    let there = (!looks).then(|| desk.presence.enter());
    let whole = if [Method::GET, Method::HEAD, Method::OPTIONS].contains(&parts.method) {
        has_no_body(&body)?;
        body::Whole { bytes: Default::default(), room: None }
    } else {
        body::read(&parts.headers, body, &desk.room).await?
    };
    let caller = generates(&parts).then(|| client(&parts, &whole.bytes));
    let place = caller.clone().map(|caller| desk.places.take(caller)).map(|place| {
        place.ok_or_else(|| {
            let message = "too many requests are under way; try again in a moment";
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", message).retry_after(RETRY_AFTER)
        })
    });
    let admitted = Admitted { _there: there, _room: whole.room, _place: place.transpose()? };
    if let Some(caller) = caller {
        parts.extensions.insert(Visit { tally: tally.clone(), caller: ClientId::new(caller) });
    }
    Ok((Request::from_parts(parts, Body::from(whole.bytes)), admitted))
}

fn has_no_body(body: &Body) -> Result<(), Refusal> {
    if hyper::body::Body::is_end_stream(body) {
        return Ok(());
    }
    let message = "this request has no body";
    Err(Refusal::new(StatusCode::BAD_REQUEST, "unexpected_body", message).and_ends_the_connection())
}

/// Whether it asks for text.
fn generates(parts: &Parts) -> bool {
    let path = parts.uri.path();
    parts.method == Method::POST && path.starts_with("/v1/") && ![FEEDBACK, SHUTDOWN].contains(&path)
}

/// Whose place it takes: the client that it names itself, else the program that it says it is.
fn client(parts: &Parts, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        finch: Option<Finch<'a>>,
    }
    #[derive(Deserialize)]
    struct Finch<'a> {
        #[serde(borrow)]
        client: Option<Cow<'a, str>>,
    }
    // What is no such JSON is for the one who reads it all.
    let named = serde_json::from_slice::<Body<'_>>(body).ok().and_then(|body| body.finch?.client);
    let program = || parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    match named {
        Some(name) => format!("client {}", start(&name)),
        None => format!("program {}", start(program())),
    }
}

fn start(name: &str) -> String {
    name.chars().take(CLIENT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(agent: &str, body: &str, expected: &str) {
        let request = axum::http::Request::builder().header("user-agent", agent).body(()).unwrap();
        assert_eq!(client(&request.into_parts().0, body.as_bytes()), expected);
    }

    #[test]
    fn a_client_is_known_by_its_name_or_its_program() {
        check(
            "curl/8",
            r#"{"messages":[1,{"finch":2}],"finch":{"lane":"batch","client":"zed \"1\""}}"#,
            "client zed \"1\"",
        );
        check("curl/8", r#"{"finch":{}}"#, "program curl/8");
        check("curl/8", "{", "program curl/8");
        check("curl/8", r#"{"finch":{"client":5}}"#, "program curl/8");
        check("", "", "program ");
    }
}
