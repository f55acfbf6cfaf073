//! A provider whose model lives in a daemon: [`Daemon`].
//!
//! A link is kept as long as the provider lives: it holds the daemon up, tells how far the model is, and is made anew when
//! the daemon dies or is replaced. A request that comes meanwhile waits a moment, and one that was under way is sent
//! again while nothing of its answer was shown; so the daemon may be upgraded between two keys.

mod body;
mod exchange;
mod link;
mod read;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use finch_llm::{
    Capabilities, GenerateRequest, GenerateStream, InfillRequest, Provider, ProviderId, StateSender, stream,
};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::contact::{ContactError, Dialler};

use exchange::Exchange;
use link::Up;
pub use link::{Ensure, Link, NoDaemon};

/// A daemon as a provider. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Daemon {
    shared: Arc<Shared>,
    runtime: Handle,
    /// The one model that may answer, if not just any of the daemon's own.
    model: Option<Arc<str>>,
}

#[derive(Debug)]
struct Shared {
    http: reqwest::Client,
    /// What this client calls itself.
    name: String,
    capabilities: RwLock<Capabilities>,
    up: watch::Sender<Up>,
    state: StateSender,
}

impl Daemon {
    /// A provider without a link; [`Daemon::keep_linked`] makes it. `name` is what the daemon's status calls this client:
    /// letters, digits and hyphens.
    ///
    /// # Errors
    /// What keeps this process from opening connections.
    pub fn new(name: &str, state: StateSender, runtime: Handle) -> Result<Self, ContactError> {
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let name = if is_plain { name } else { "client" };
        let http = Dialler::new()?.client;
        let capabilities = RwLock::new(Capabilities::none());
        let up = watch::Sender::new(Up::Not);
        let shared = Shared { http, name: name.to_owned(), capabilities, up, state };
        Ok(Self { shared: Arc::new(shared), runtime, model: None })
    }

    /// The same for this model alone: a daemon that has another one by then refuses.
    #[must_use]
    pub fn for_model(self, model: &str) -> Self {
        Self { model: Some(model.into()), ..self }
    }

    /// Keeps a link to a daemon, and makes it anew as often as it breaks. Returns when there is no daemon to be had.
    pub async fn keep_linked(&self, ensure: Ensure) -> NoDaemon {
        link::keep(&self.shared, &ensure).await
    }

    fn ask(&self, path: &'static str, mut body: Value) -> GenerateStream {
        if let Some(model) = &self.model {
            body["model"] = Value::from(&**model);
        }
        let (sender, stream) = stream();
        let exchange = Exchange { shared: Arc::clone(&self.shared), path, body: body.to_string().into() };
        self.runtime.spawn(exchange.run(sender));
        stream
    }
}

impl Provider for Daemon {
    fn id(&self) -> ProviderId {
        ProviderId::new(LOCAL)
    }

    fn capabilities(&self) -> Capabilities {
        self.shared.capabilities.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn generate(&self, request: GenerateRequest) -> GenerateStream {
        self.ask("/v1/chat/completions", body::chat(request))
    }

    fn infill(&self, request: InfillRequest) -> GenerateStream {
        self.ask("/v1/completions", body::infill(request))
    }
}

/// The name of the daemon's own model. No cloud answers to it.
pub const LOCAL: &str = "local";
