//! The local model as a provider from the first moment: it loads behind the caller's back and says how far it is.
//!
//! `finch lsp` answers `initialize` before any model is there. Until the model is ready every request ends in
//! `Loading` or `Unavailable`; from then on it goes straight to the engine in this process, or to the daemon.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::{Context as _, Result};
use finch_engine::{Engine, EngineOptions, Kernels, Runtime};
use finch_http::endpoint::{FOLDER, LOG_FILE};
use finch_http::{Daemon, Ensure, NoDaemon};
use finch_llm::{
    Capabilities, GenerateRequest, GenerateStream, InfillRequest, LlmError, Load, ModelState, Origin, Provider,
    ProviderId, StateReceiver, StateSender, state_channel,
};
use finch_model::Home;
use finch_model::catalogue::Catalogue;
use finch_model::manifest::{MANIFEST_FILE, ModelId};
use tokio::runtime::Handle;

use crate::config::KernelsConfig;
use crate::limits::MODEL_FINISH_WAIT;
use crate::surroundings::Surroundings;
use crate::trial;

/// A provider whose model arrives later: in this process, or in a daemon.
pub(crate) struct LocalProvider {
    place: Place,
    state: StateReceiver,
}

/// Where the one who answers is put.
type Place = Arc<RwLock<Option<Answerer>>>;

#[derive(Clone)]
enum Answerer {
    /// In this process.
    Engine(Arc<Engine>),
    Daemon(Arc<Daemon>),
}

impl Answerer {
    fn provider(self) -> Arc<dyn Provider> {
        match self {
            Self::Engine(engine) => engine,
            Self::Daemon(daemon) => daemon,
        }
    }
}

fn put(place: &Place, answerer: Option<Answerer>) -> Option<Answerer> {
    std::mem::replace(&mut *place.write().unwrap_or_else(PoisonError::into_inner), answerer)
}

/// Gets the model of a provider, once it is known which.
#[derive(Clone)]
pub(crate) struct Loader {
    place: Place,
    sender: StateSender,
    turns: Arc<Turns>,
}

/// Models are loaded one after the other, and of those that wait only the newest.
#[derive(Default)]
struct Turns {
    newest: AtomicU64,
    loading: Mutex<()>,
}

impl Loader {
    /// Loads the user's model on a thread of its own. One that is there finishes first what it was asked, and goes.
    pub(crate) fn start(self, surroundings: Surroundings) {
        let turn = self.turns.newest.fetch_add(1, Ordering::Relaxed) + 1;
        let load = move || {
            let _loading = self.turns.loading.lock().unwrap_or_else(PoisonError::into_inner);
            if self.turns.newest.load(Ordering::Relaxed) == turn {
                load_into(&self.place, &self.sender, &surroundings);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("finch-loader".into()).spawn(load) {
            tracing::error!("cannot start a thread to load the model: {error}");
        }
    }

    /// Lets a daemon answer for as long as there is one to be had; then the model is loaded here.
    pub(crate) fn start_linked(self, surroundings: Surroundings, name: &str, ensure: Ensure, runtime: &Handle) {
        let daemon = match Daemon::new(name, self.sender.clone(), runtime.clone()) {
            Ok(daemon) => daemon,
            Err(error) => {
                tracing::warn!("no daemon can be asked, so the model is loaded in this process: {error}");
                return self.start(surroundings);
            }
        };
        put(&self.place, Some(Answerer::Daemon(Arc::new(daemon.clone()))));
        runtime.spawn(async move {
            let no = daemon.keep_linked(ensure).await;
            match &no {
                NoDaemon::NotWanted => tracing::info!(
                    "no daemon runs and daemon.auto_spawn is false, so the model is loaded in this process"
                ),
                NoDaemon::Unusable(why) | NoDaemon::HeldUp(why) => {
                    tracing::warn!("no daemon, so the model is loaded in this process: {why}");
                }
                NoDaemon::Dies(_) => return self.give_up(&surroundings, &no),
            }
            self.sender.send_replace(ModelState::Starting);
            put(&self.place, None);
            self.start(surroundings);
        });
    }

    /// Tells that there will be no model. What the daemon died of again and again would end this process as well.
    fn give_up(&self, surroundings: &Surroundings, no: &NoDaemon) {
        let log = surroundings.home.root().join(FOLDER).join(LOG_FILE);
        tracing::error!("the model is not loaded in this process either: {no}");
        let next = format!("see {}, then start the editor's server anew", log.display());
        self.sender.send_replace(ModelState::Failed { error: no.to_string(), next });
        put(&self.place, None);
    }
}

impl LocalProvider {
    /// A provider that has its engine.
    pub(crate) fn ready(engine: Engine) -> (Self, StateReceiver) {
        let (sender, state) = state_channel();
        sender.send_replace(ModelState::Ready { model: engine.capabilities().model });
        let engine = Answerer::Engine(Arc::new(engine));
        (Self { place: Arc::new(RwLock::new(Some(engine))), state: state.clone() }, state)
    }

    /// A provider that will have no engine; `next` is what the user can do about it.
    pub(crate) fn absent(next: String) -> (Self, StateReceiver) {
        let (sender, state) = state_channel();
        sender.send_replace(ModelState::Absent { next });
        (Self { place: Arc::default(), state: state.clone() }, state)
    }

    /// A provider whose engine the loader puts in its place.
    pub(crate) fn later() -> (Self, StateReceiver, Loader) {
        let (sender, state) = state_channel();
        let place = Place::default();
        let loader = Loader { place: Arc::clone(&place), sender, turns: Arc::default() };
        (Self { place, state: state.clone() }, state, loader)
    }

    fn answerer(&self) -> Option<Arc<dyn Provider>> {
        self.place.read().unwrap_or_else(PoisonError::into_inner).clone().map(Answerer::provider)
    }

    fn ready_or_why(&self) -> Result<Arc<dyn Provider>, LlmError> {
        self.answerer().ok_or_else(|| match &*self.state.borrow() {
            ModelState::Absent { next } => LlmError::Unavailable { reason: format!("no model is installed; {next}") },
            ModelState::Failed { error, next } => LlmError::Unavailable { reason: format!("{error}; {next}") },
            _ => LlmError::Loading,
        })
    }
}

impl Provider for LocalProvider {
    fn id(&self) -> ProviderId {
        ProviderId::new(finch_http::LOCAL)
    }

    fn capabilities(&self) -> Capabilities {
        self.answerer().map_or_else(Capabilities::none, |answerer| answerer.capabilities())
    }

    fn generate(&self, request: GenerateRequest) -> GenerateStream {
        self.ready_or_why().map_or_else(GenerateStream::failed, |answerer| answerer.generate(request))
    }

    fn infill(&self, request: InfillRequest) -> GenerateStream {
        self.ready_or_why().map_or_else(GenerateStream::failed, |answerer| answerer.infill(request))
    }

    fn scores_tokens(&self, origin: &Origin) -> bool {
        // One that is still loading will.
        self.answerer().is_none_or(|answerer| answerer.scores_tokens(origin))
    }

    fn load(&self) -> Option<Load> {
        self.answerer()?.load()
    }

    fn spell(&self, request: &InfillRequest) -> Option<String> {
        self.answerer()?.spell(request)
    }

    fn tokens_of(&self, origin: &Origin, text: &str) -> Option<usize> {
        self.answerer()?.tokens_of(origin, text)
    }
}

/// Loads the model and tells the state channel. The sender lives as long as the loading does.
fn load_into(place: &Place, state: &StateSender, surroundings: &Surroundings) {
    let folder = match wanted_model(surroundings) {
        Ok(folder) => folder,
        Err(NoModel { next, .. }) => {
            state.send_replace(ModelState::Absent { next });
            return unload(place);
        }
    };
    let model = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    state.send_replace(ModelState::Loading { model: model.clone() });
    // Two models at once may be more than the memory holds.
    unload(place);
    let loaded = load(surroundings, &folder);
    state.send_replace(match loaded {
        Ok(engine) => {
            put(place, Some(Answerer::Engine(Arc::new(engine))));
            ModelState::Ready { model }
        }
        Err(error) => ModelState::Failed { error: format!("{error:#}"), next: "run `finch doctor`".to_owned() },
    });
}

/// Lets the engine that is there finish what it was asked, and frees its memory.
fn unload(place: &Place) {
    if let Some(Answerer::Engine(engine)) = put(place, None) {
        engine.finish(MODEL_FINISH_WAIT);
    }
}

/// Loads the engine for a model folder with the user's settings.
pub(crate) fn load(surroundings: &Surroundings, folder: &Path) -> Result<Engine> {
    let id = folder.file_name().unwrap_or_default().to_string_lossy();
    let next = || format!("the model {id} cannot be loaded; if its files are damaged, run `finch model pull {id}`");
    let (runtime, options) = (runtime(surroundings)?, options(surroundings));
    trial::admit(surroundings, folder).with_context(next)?;
    if surroundings.config.engine.keep_cache {
        Engine::load_keeping(&runtime, folder, options, &surroundings.home.cache()).with_context(next)
    } else {
        Engine::load(&runtime, folder, options).with_context(next)
    }
}

/// The user's settings for the engine.
pub(crate) fn options(surroundings: &Surroundings) -> EngineOptions {
    let engine = &surroundings.config.engine;
    EngineOptions {
        threads: engine.threads,
        context_tokens_max: engine.context_tokens_max,
        slots: engine.slots,
        cache_bytes_max: engine.cache_mib << 20,
        kernels: match engine.kernels {
            KernelsConfig::Auto => Kernels::Auto,
            KernelsConfig::OnnxRuntime => Kernels::OnnxRuntime,
        },
        devices: engine.devices.0,
        ..EngineOptions::default()
    }
}

/// Finds and loads the ONNX Runtime library.
pub(crate) fn runtime(surroundings: &Surroundings) -> Result<Runtime> {
    let library = finch_engine::runtime::find(surroundings.home.root())?;
    Ok(Runtime::load(&library)?)
}

/// The model that the user wants is not installed.
#[derive(Debug, thiserror::Error)]
#[error("the model {id} is not installed; {next}")]
pub(crate) struct NoModel {
    id: String,
    pub(crate) next: String,
}

/// The folder of the model that the user wants.
///
/// Without a setting it is the catalogue's default, or else the first model that is installed.
pub(crate) fn wanted_model(surroundings: &Surroundings) -> Result<PathBuf, NoModel> {
    let installed = installed(&surroundings.home);
    let default = Catalogue::builtin().default_id().to_string();
    let found = match &surroundings.config.engine.model {
        Some(id) => installed.iter().find(|model| model.as_str() == id),
        None => installed.iter().find(|model| model.as_str() == default).or(installed.first()),
    };
    match (found, &surroundings.config.engine.model) {
        (Some(id), _) => Ok(surroundings.home.model(id)),
        (None, Some(id)) => Err(NoModel { id: id.clone(), next: format!("run `finch model pull {id}`") }),
        (None, None) => Err(NoModel { id: default, next: "run `finch setup`".to_owned() }),
    }
}

/// Every installed model, in the order of their names. A folder with a model's name is complete.
pub(crate) fn installed(home: &Home) -> Vec<ModelId> {
    let entries = std::fs::read_dir(home.models()).into_iter().flatten().flatten();
    let mut found: Vec<ModelId> = entries
        .filter(|entry| entry.path().join(MANIFEST_FILE).is_file())
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    found.sort();
    found
}
