//! The order of things: what tower-lsp alone does not keep.
//!
//! Invariants, all of them true because [`OrderedService::call`] runs on one task in wire order:
//! - a document notification is applied before `call` returns;
//! - every other call is polled once before `call` returns, so a handler's synchronous prologue (its snapshot)
//!   sees exactly the documents as they were on the wire, and `$/cancelRequest` and `exit` act at once;
//! - a request is answered exactly once, in whatever state the session is.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt;
use serde_json::{Value, json};
use tower::Service;
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Request, Response};
use tower_lsp::{ExitedError, LspService};

use crate::dispatch::{Dispatch, Shared};
use crate::facts::ClientFacts;
use crate::handlers::document::{self, DocumentMethod};
use crate::message::refusal;
use crate::wire::method;

type Answer = Result<Option<Response>, ExitedError>;
type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Where the session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    New,
    Running,
    ShutDown,
    /// `exit` came; `orderly` if `shutdown` came before it.
    Exited {
        orderly: bool,
    },
}

/// `ServerNotInitialized` of the protocol.
const NOT_INITIALIZED: ErrorCode = ErrorCode::ServerError(-32002);

pub(crate) struct OrderedService {
    inner: LspService<Dispatch>,
    shared: Arc<Shared>,
    phase: Phase,
}

impl OrderedService {
    pub(crate) fn new(inner: LspService<Dispatch>, shared: Arc<Shared>) -> Self {
        Self { inner, shared, phase: Phase::New }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    fn request(&mut self, id: Id, request: Request) -> Answering {
        match (self.phase, request.method()) {
            (Phase::New, "initialize") => self.initialize(request),
            (Phase::New, _) => ready(refusal(id, NOT_INITIALIZED, "the session is not initialized yet")),
            (Phase::Running, "shutdown") => {
                self.phase = Phase::ShutDown;
                self.shared.stop_asks();
                self.forward(id, without_params(request))
            }
            (Phase::Running, "initialize") => {
                ready(refusal(id, ErrorCode::InvalidRequest, "the session is initialized already"))
            }
            (Phase::Running, method::EXPLAIN_LAST | method::STATUS) => self.forward(id, without_params(request)),
            (Phase::Running, _) => self.forward(id, request),
            (Phase::ShutDown | Phase::Exited { .. }, _) => {
                ready(refusal(id, ErrorCode::InvalidRequest, "the session is shut down"))
            }
        }
    }

    fn notification(&mut self, request: Request) -> Answering {
        match (self.phase, request.method()) {
            (_, "exit") => {
                self.phase = Phase::Exited { orderly: self.phase == Phase::ShutDown };
                self.shared.stop_asks();
                eager(self.inner.call(request))
            }
            (Phase::Running, "initialized") => {
                // The protocol library insists on parameters here, and some clients send none.
                eager(self.inner.call(Request::build("initialized").params(json!({})).finish()))
            }
            (Phase::Running, method) => match DocumentMethod::of(method) {
                Some(method) => {
                    document::apply(&self.shared, method, request.into_parts().2.unwrap_or(Value::Null));
                    futures_util::future::ready(Ok(None)).boxed()
                }
                None => eager(self.inner.call(request)),
            },
            (Phase::New | Phase::ShutDown | Phase::Exited { .. }, method) => {
                tracing::debug!(method, phase = ?self.phase, "a notification came out of time");
                futures_util::future::ready(Ok(None)).boxed()
            }
        }
    }

    /// The inner service sees bare parameters, which it cannot fail to read, and its result gets what its types
    /// lack.
    fn initialize(&mut self, request: Request) -> Answering {
        let (_, id, params) = request.into_parts();
        self.shared.begin(ClientFacts::read(&params.unwrap_or(Value::Null)));
        self.phase = Phase::Running;
        let mut bare = Request::build("initialize").params(json!({"capabilities": {}}));
        if let Some(id) = id {
            bare = bare.id(id);
        }
        let answer = eager(self.inner.call(bare.finish()));
        async move {
            Ok(answer.await?.map(|response| {
                let (id, result) = response.into_parts();
                Response::from_parts(id, result.map(with_inline_completion))
            }))
        }
        .boxed()
    }

    fn forward(&mut self, id: Id, request: Request) -> Answering {
        let answer = eager(self.inner.call(request));
        async move {
            // The inner service stays silent on unknown `$/` methods; the protocol wants requests answered.
            let missing = || Response::from_error(id, Error::method_not_found());
            Ok(Some(answer.await?.unwrap_or_else(missing)))
        }
        .boxed()
    }
}

impl Service<Request> for OrderedService {
    type Response = Option<Response>;
    type Error = ExitedError;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match request.id().cloned() {
            Some(id) => self.request(id, request),
            None => self.notification(request),
        }
    }
}

/// Polls once, here and now.
///
/// The waker wakes nobody, which is sound: a future that is not ready is polled again by the task it goes to.
fn eager(mut answering: Answering) -> Answering {
    match answering.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => futures_util::future::ready(answer).boxed(),
        Poll::Pending => answering,
    }
}

fn ready(response: Response) -> Answering {
    futures_util::future::ready(Ok(Some(response))).boxed()
}

/// The protocol library refuses parameters where it expects none; clients send `null` or `{}` there.
fn without_params(request: Request) -> Request {
    let (method, id, _) = request.into_parts();
    let bare = Request::build(method);
    match id {
        Some(id) => bare.id(id).finish(),
        None => bare.finish(),
    }
}

fn with_inline_completion(mut result: Value) -> Value {
    if let Some(capabilities) = result.get_mut("capabilities").and_then(Value::as_object_mut) {
        capabilities.insert("inlineCompletionProvider".to_owned(), json!({}));
    }
    result
}
