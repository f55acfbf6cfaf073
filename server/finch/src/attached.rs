//! The local model of a command in a terminal, where a daemon runs: the daemon's, and one of this process once the daemon
//! cannot answer.
//!
//! A request whose answer has not begun is asked here again, so that it is answered however the daemon ends. Who is not
//! asked once is not asked any more: a command is over soon.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use finch_llm::{
    Capabilities, ChunkSender, GenerateRequest, GenerateStream, InfillRequest, LlmError, Provider, ProviderId, stream,
};
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, oneshot};

/// Loads the model in this process. Called once at most, on a thread of its own.
pub(crate) type Load = Box<dyn Fn() -> anyhow::Result<Arc<dyn Provider>> + Send + Sync>;

/// Sends a request to a provider.
type Ask = Box<dyn Fn(&dyn Provider) -> GenerateStream + Send + Sync>;

/// Clones are the same.
#[derive(Clone)]
pub(crate) struct Attached {
    shared: Arc<Shared>,
    runtime: Handle,
}

struct Shared {
    daemon: Arc<dyn Provider>,
    load: Load,
    /// The model of this process, or why there is none.
    here: OnceCell<Result<Arc<dyn Provider>, LlmError>>,
    /// The daemon did not answer.
    has_turned: AtomicBool,
    has_answered: AtomicBool,
}

impl Attached {
    pub(crate) fn new(daemon: Arc<dyn Provider>, load: Load, runtime: Handle) -> Self {
        let no = || AtomicBool::new(false);
        let shared = Shared { daemon, load, here: OnceCell::new(), has_turned: no(), has_answered: no() };
        Self { shared: Arc::new(shared), runtime }
    }

    /// Waits for the model of this process, if one is being loaded because the daemon did not answer. Whether there is one.
    pub(crate) async fn has_turned_here(&self) -> bool {
        self.shared.has_turned.load(Ordering::Relaxed) && self.shared.here().await.is_ok()
    }

    /// Whether the daemon has answered, and nobody here.
    pub(crate) fn is_by_daemon(&self) -> bool {
        self.shared.here.get().is_none() && self.shared.has_answered.load(Ordering::Relaxed)
    }

    fn answerer(&self) -> Arc<dyn Provider> {
        match self.shared.here.get() {
            Some(Ok(here)) => Arc::clone(here),
            Some(Err(_)) | None => Arc::clone(&self.shared.daemon),
        }
    }

    fn ask(&self, send: Ask) -> GenerateStream {
        match self.shared.here.get() {
            Some(Ok(here)) => send(here.as_ref()),
            Some(Err(error)) => GenerateStream::failed(error.clone()),
            None => {
                let (sender, stream) = stream();
                let shared = Arc::clone(&self.shared);
                self.runtime.spawn(async move {
                    tokio::select! {
                        () = sender.reader_gone() => {}
                        () = shared.answer(&send, &sender) => {}
                    }
                });
                stream
            }
        }
    }
}

impl Shared {
    async fn answer(self: &Arc<Self>, send: &Ask, sender: &ChunkSender) {
        let mut stream = send(self.daemon.as_ref());
        let first = match stream.next().await {
            Some(Err(error)) if is_of_the_daemon(&error) => {
                tracing::info!("the daemon does not answer, so the model is loaded in this process: {error}");
                self.has_turned.store(true, Ordering::Relaxed);
                stream = match self.here().await {
                    Ok(here) => send(here.as_ref()),
                    Err(error) => GenerateStream::failed(error),
                };
                stream.next().await
            }
            Some(Ok(chunk)) => {
                self.has_answered.store(true, Ordering::Relaxed);
                Some(Ok(chunk))
            }
            first => first,
        };
        let mut next = first;
        while let Some(chunk) = next {
            sender.report(stream.progress());
            if sender.send(chunk).await.is_err() {
                return;
            }
            next = stream.next().await;
        }
    }

    /// The model of this process. Who asks may leave: it is loaded all the same, and once.
    async fn here(self: &Arc<Self>) -> Result<Arc<dyn Provider>, LlmError> {
        let shared = Arc::clone(self);
        let loading = tokio::spawn(async move { shared.here.get_or_init(|| shared.loaded()).await.clone() });
        loading.await.unwrap_or_else(|error| Err(LlmError::Unavailable { reason: error.to_string() }))
    }

    async fn loaded(self: &Arc<Self>) -> Result<Arc<dyn Provider>, LlmError> {
        let (sender, loaded) = oneshot::channel();
        let shared = Arc::clone(self);
        // A thread that nobody waits for at the end: the user may want to end before the model is there.
        let load = move || {
            if sender.send((shared.load)()).is_err() {
                tracing::debug!("the model is there, and nobody wants it any more");
            }
        };
        let started = std::thread::Builder::new().name("finch-loader".into()).spawn(load);
        let loaded = match started.context("cannot start a thread to load the model") {
            Ok(_) => loaded.await.context("the model was not loaded").flatten(),
            Err(error) => Err(error),
        };
        loaded.map_err(|error| LlmError::Unavailable { reason: format!("{error:#}") })
    }
}

/// Whether an error says that there is no daemon or no model in it, rather than something of the request.
fn is_of_the_daemon(error: &LlmError) -> bool {
    match error {
        LlmError::Loading
        | LlmError::Unavailable { .. }
        | LlmError::Unauthorized { .. }
        | LlmError::Protocol { .. } => true,
        LlmError::Cancelled
        | LlmError::Overloaded
        | LlmError::RateLimited { .. }
        | LlmError::ContextTooLong { .. }
        | LlmError::Refused { .. } => false,
    }
}

impl Provider for Attached {
    fn id(&self) -> ProviderId {
        self.shared.daemon.id()
    }

    fn capabilities(&self) -> Capabilities {
        self.answerer().capabilities()
    }

    fn generate(&self, request: GenerateRequest) -> GenerateStream {
        self.ask(Box::new(move |provider| provider.generate(request.clone())))
    }

    fn infill(&self, request: InfillRequest) -> GenerateStream {
        self.ask(Box::new(move |provider| provider.infill(request.clone())))
    }
}

#[cfg(test)]
mod tests;
