//! The API's routes over a scripted provider, asked without a network.

use std::{path::Path, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode},
    response::Response,
};
use finch_llm::{Origin, Provider, state_channel};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::Scripted;
use crate::{
    Asked, Found, Host, Models, Offer, Sessions,
    endpoint::{Nonce, Token},
    messages, openai,
};

/// One model, and the names of it.
struct One(Arc<Scripted>);

impl Models for One {
    fn offers(&self) -> Vec<Offer> {
        vec![Offer { id: "tiny".to_owned(), owner: "local".to_owned(), created_s: 1_700_000_000 }]
    }

    fn find(&self, asked: Asked<'_>) -> Option<Found> {
        let origin = Origin { task: asked.task, ..Origin::default() };
        let is_known = ["", "tiny", "finch", "default", "local"].contains(&asked.model);
        is_known.then(|| Found { provider: Arc::clone(&self.0) as Arc<dyn Provider>, origin })
    }
}

/// What can be asked.
pub(crate) struct Door {
    pub(crate) provider: Arc<Scripted>,
    router: Router,
    _home: tempfile::TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) text: String,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The events of a stream: their names, and their data as JSON or text.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        assert_eq!(self.headers["content-type"], "text/event-stream");
        let (mut parser, mut events) = (finch_llm::sse::SseParser::default(), Vec::new());
        parser.push(self.text.as_bytes(), &mut events).unwrap();
        parser.finish(&mut events).unwrap();
        let read = |event: finch_llm::sse::SseEvent| {
            let data = serde_json::from_str(&event.data).unwrap_or_else(|_| Value::String(event.data.clone()));
            (event.name.clone(), data)
        };
        events.into_iter().map(read).collect()
    }

    /// The data alone.
    #[track_caller]
    pub(crate) fn data(&self) -> Vec<Value> {
        self.events().into_iter().map(|(_, data)| data).collect()
    }
}

impl Door {
    pub(crate) fn new(provider: Scripted) -> Self {
        let home = tempfile::tempdir().unwrap();
        let provider = Arc::new(provider);
        let router = router(host(Arc::clone(&provider), home.path()));
        Self { provider, router, _home: home }
    }

    /// As a daemon that was started anew.
    pub(crate) fn reopened(self) -> Self {
        let router = router(host(Arc::clone(&self.provider), self._home.path()));
        Self { router, ..self }
    }

    pub(crate) async fn respond(&self, method: Method, path: &str, body: impl Into<Body>) -> Response {
        let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
        self.send(request).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answered {
        read(self.respond(Method::POST, path, body.to_string()).await).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        read(self.respond(Method::GET, path, Body::empty()).await).await
    }
}

pub(crate) async fn read(response: Response) -> Answered {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answered { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

fn router(host: Host) -> Router {
    openai::routes().merge(messages::routes()).with_state(host)
}

fn host(provider: Arc<Scripted>, home: &Path) -> Host {
    let (_, state) = state_channel();
    Host {
        models: Arc::new(One(provider)),
        state,
        token: Token::read_or_make(home).unwrap(),
        nonce: Nonce::new().unwrap(),
        version: "0.0.0".to_owned(),
        journal: None,
        sessions: Some(Sessions::of_home(home)),
        idle_max: None,
    }
}
