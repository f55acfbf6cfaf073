//! The handle to a loaded model: a [`Provider`] whose work happens on one thread.
//!
//! Cheap to clone. Requests go through bounded lanes; dropping a stream cancels its request, and dropping the last
//! handle ends the thread.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use finch_llm::{
    Capabilities, GenerateRequest, GenerateStream, InfillRequest, Load, Origin, Provider, ProviderId, stream,
};
use finch_model::{
    chat::ChatTemplates,
    manifest::{InfillStyle, Manifest},
};

use crate::{
    EngineError, Runtime,
    device::{Devices, Placement},
    keep::Keep,
    lanes::{Ask, Job, Lanes},
    limits,
    network::Network,
    prompt::Prompts,
    session::{SessionOptions, Weights},
    threads,
    vocabulary::Vocabulary,
    worker::{Service, Worker},
};

/// Whether tokens are guessed ahead and confirmed several in one pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Speculation {
    /// One token in each pass.
    Off,
    /// As many as pay by what was measured.
    #[default]
    On,
}

/// What multiplies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kernels {
    /// finch's own kernels where the processor has what they need, elsewhere ONNX Runtime's.
    #[default]
    Auto,
    /// ONNX Runtime's own everywhere.
    OnnxRuntime,
}

/// How a model is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineOptions {
    /// Threads that compute; `None` for one on each physical core.
    pub threads: Option<usize>,
    /// Tokens of prompt and answer together; less if the model holds less.
    pub context_tokens_max: usize,
    /// Sequences that run or whose keys and values are kept. Two at least.
    pub slots: usize,
    /// What is kept of sequences that do not run any more.
    pub cache_bytes_max: usize,
    /// How to ask for an infill; `None` for what the model's manifest says.
    pub infill: Option<InfillStyle>,
    /// Whether tokens are guessed ahead.
    pub speculation: Speculation,
    /// What multiplies.
    pub kernels: Kernels,
    /// Where it computes, in order; the processor stands behind them all.
    pub devices: Devices,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            threads: None,
            context_tokens_max: 4096,
            slots: 8,
            cache_bytes_max: 1 << 30,
            infill: None,
            speculation: Speculation::On,
            kernels: Kernels::Auto,
            devices: Devices::default(),
        }
    }
}

/// A loaded model.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    manifest: Manifest,
    capacity: usize,
    placement: Placement,
    taught: Taught,
    prompts: Arc<Prompts>,
    lanes: Arc<Lanes>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the model can be asked for.
struct Taught {
    style: InfillStyle,
    chat: bool,
    tools: bool,
}

impl Engine {
    /// Loads a model directory. Takes seconds: not for an async task.
    pub fn load(runtime: &Runtime, model_dir: &Path, options: EngineOptions) -> Result<Self, EngineError> {
        Self::load_with(runtime, model_dir, options, None)
    }

    /// Loads a model directory and what an engine with the same model left in the folder `keep_dir`. What this one
    /// computes is kept there when it rests and when it ends. The file holds text of the user.
    pub fn load_keeping(
        runtime: &Runtime,
        model_dir: &Path,
        options: EngineOptions,
        keep_dir: &Path,
    ) -> Result<Self, EngineError> {
        Self::load_with(runtime, model_dir, options, Some(keep_dir))
    }

    fn load_with(
        runtime: &Runtime,
        model_dir: &Path,
        options: EngineOptions,
        keep_dir: Option<&Path>,
    ) -> Result<Self, EngineError> {
        let manifest = Manifest::read(model_dir)?;
        let network = Network::load(runtime, model_dir, &manifest, session_options(&options))?;
        let capacity = network.capacity();
        let placement = network.placement().clone();
        let vocabulary = Vocabulary::load(model_dir, &manifest)?;
        let templates = ChatTemplates::read(model_dir, &manifest)?;
        let prompts = Prompts::new(vocabulary, &manifest, options.infill, capacity);
        let prompts = Arc::new(prompts.with_templates(templates, &manifest));
        let taught = Taught {
            style: prompts.style(),
            chat: prompts.chat().is_taught(),
            tools: prompts.chat().is_taught_tools(),
        };
        let lanes = Arc::new(Lanes::default());
        let service = Service {
            slots: options.slots.clamp(limits::SLOTS_MIN, limits::SLOTS_MAX),
            cache_bytes_max: options.cache_bytes_max,
            speculation: options.speculation,
        };
        let mut worker = Worker::new(network, Arc::clone(&prompts), Arc::clone(&lanes), service)?;
        if let Some(keep_dir) = keep_dir {
            match Keep::new(keep_dir, manifest.id.as_str(), model_dir) {
                Ok(keep) => worker.keep_in(keep),
                Err(error) => tracing::warn!("what is computed is not kept: {error}"),
            }
        }
        let thread = start(worker, Arc::clone(&lanes))?;
        let thread = Mutex::new(Some(thread));
        let shared = Shared { manifest, capacity, placement, taught, prompts, lanes, thread };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What the model says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.shared.manifest
    }

    /// Where it computes, and what became of the devices that were asked for.
    #[must_use]
    pub fn placement(&self) -> &Placement {
        &self.shared.placement
    }

    /// How this engine asks for an infill.
    #[must_use]
    pub fn infill_style(&self) -> InfillStyle {
        self.shared.taught.style
    }

    /// Takes no more requests, and waits until those that it has are answered, no longer than that. Blocks.
    pub fn finish(&self, wait: Duration) {
        self.shared.lanes.end();
        let until = Instant::now() + wait;
        while !self.has_ended() && Instant::now() < until {
            thread::sleep(limits::END_LOOK_PAUSE);
        }
    }

    fn has_ended(&self) -> bool {
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn submit(&self, ask: Ask) -> GenerateStream {
        let (reader, stream) = stream();
        self.shared.lanes.submit(Job { ask, reader, arrived: Instant::now() });
        stream
    }
}

pub(crate) fn session_options(options: &EngineOptions) -> SessionOptions {
    SessionOptions {
        threads: options.threads.unwrap_or_else(threads::physical_cores).max(1),
        capacity: options.context_tokens_max.max(limits::CONTEXT_TOKENS_MIN),
        kernels: options.kernels,
        devices: options.devices,
        weights: Weights::Packed,
    }
}

/// Starts the thread. When it ends, for whatever reason, the lanes close: no request waits for nobody.
fn start(worker: Worker, lanes: Arc<Lanes>) -> Result<JoinHandle<()>, EngineError> {
    struct CloseAtEnd(Arc<Lanes>);
    impl Drop for CloseAtEnd {
        fn drop(&mut self) {
            self.0.close();
            self.0.runs(std::iter::empty());
            for job in self.0.drain() {
                job.refuse(crate::lanes::ended());
            }
        }
    }
    let run = move || {
        let _close = CloseAtEnd(lanes);
        worker.run();
    };
    thread::Builder::new().name("finch-engine".to_owned()).spawn(run).map_err(EngineError::Thread)
}

impl Provider for Engine {
    fn id(&self) -> ProviderId {
        ProviderId::new("local")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: self.shared.manifest.id.to_string(),
            fill_in_the_middle: self.shared.taught.style == InfillStyle::Fim,
            chat: self.shared.taught.chat,
            tools: self.shared.taught.tools,
            structured_output: true,
            context_tokens_max: self.shared.capacity,
        }
    }

    fn generate(&self, request: GenerateRequest) -> GenerateStream {
        self.submit(Ask::Generate(request))
    }

    fn infill(&self, request: InfillRequest) -> GenerateStream {
        self.submit(Ask::Infill(request))
    }

    fn scores_tokens(&self, _origin: &Origin) -> bool {
        true
    }

    fn load(&self) -> Option<Load> {
        Some(self.shared.lanes.load())
    }

    fn spell(&self, request: &InfillRequest) -> Option<String> {
        self.shared.prompts.spell(request).ok()
    }

    fn tokens_of(&self, _origin: &Origin, text: &str) -> Option<usize> {
        self.shared.prompts.vocabulary().encode(text).ok().map(|tokens| tokens.len())
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("model", &self.shared.manifest.id).finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.lanes.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the engine's thread had panicked");
        }
    }
}

#[cfg(test)]
mod tests;
