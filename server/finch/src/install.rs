//! Bringing what is missing: the ONNX Runtime library, a model's weights, and the build that the engine loads.
//!
//! Every step longer than a second shows how far it is. Nothing that is there already is fetched or built again.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use finch_model::catalogue::{self, Catalogue, Entry};
use finch_model::fetch::{self, Endpoint, FetchEvent, FetchOptions, FetchedRepository, HubReference, Network};
use finch_model::import::{self, Divergence, Export, ImportError, ImportRequest};
use finch_model::manifest::Quant;

use crate::command;
use crate::interrupt::{Interrupt, Interrupted};
use crate::progress::{Step, say};
use crate::surroundings::Surroundings;
use crate::trial;

/// What happens to the weights as they were fetched, once the model is built from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchedSource {
    Delete,
    Keep,
}

/// Fetches the ONNX Runtime library unless one is there.
pub(crate) fn runtime(surroundings: &Surroundings, interrupt: &Interrupt) -> Result<()> {
    if finch_engine::runtime::find(surroundings.home.root()).is_ok() {
        return Ok(());
    }
    let options = options(surroundings)?;
    let mut steps = Steps::default();
    let mut hear = |event| steps.hear(event);
    let catalogue = Catalogue::builtin();
    let fetching = fetch::fetch_runtime(&catalogue, &surroundings.home, &options, &mut hear);
    command::runtime()?.block_on(interrupt.or_done(fetching))?.context("fetching the ONNX Runtime library")?;
    Ok(())
}

/// Fetches and builds a model of the catalogue, and returns its folder.
pub(crate) fn model(
    surroundings: &Surroundings,
    entry: &Entry,
    quant: Quant,
    source: FetchedSource,
    interrupt: &Interrupt,
) -> Result<PathBuf> {
    say(&format!("{} ({}, {}, {} MB to fetch)", entry.id, entry.name, entry.licence, entry.file.bytes / 1_000_000));
    let options = options(surroundings)?;
    let mut steps = Steps::default();
    let mut hear = |event| steps.hear(event);
    let fetching = fetch::fetch_model(entry, &surroundings.home, &options, &mut hear);
    let fetched = command::runtime()?.block_on(interrupt.or_done(fetching));
    let fetched = fetched?.with_context(|| format!("fetching {}", entry.id))?;
    drop(steps);
    let mut request = ImportRequest::new(fetched.clone(), entry.id.clone(), surroundings.home.models(), quant);
    request.licence = Some(entry.licence.clone());
    request.infill = Some(entry.infill);
    request.head = entry.head.get(&quant).copied();
    request.kl = entry.kl.get(&quant).map(|kl| Divergence::new(*kl, catalogue::KL_TOKENS)).transpose()?;
    let folder = build(request, interrupt)?;
    trial::vouch(surroundings, &folder)?;
    if source == FetchedSource::Delete {
        fetch::forget_model(entry, &surroundings.home).context("deleting the fetched weights")?;
    }
    Ok(folder)
}

/// Fetches what a model of a hub is built from.
pub(crate) fn repository(
    surroundings: &Surroundings,
    reference: &HubReference,
    interrupt: &Interrupt,
) -> Result<FetchedRepository> {
    let options = options(surroundings)?;
    let mut steps = Steps::default();
    let mut hear = |event| steps.hear(event);
    let fetching = fetch::fetch_repository(reference, &surroundings.home, &options, &mut hear);
    let fetched = command::runtime()?.block_on(interrupt.or_done(fetching));
    fetched?.with_context(|| format!("fetching {reference}"))
}

/// Deletes what [`repository`] has fetched.
pub(crate) fn forget(surroundings: &Surroundings, reference: &HubReference) -> Result<()> {
    fetch::forget_repository(reference, &surroundings.home).context("deleting the fetched files")
}

/// Builds a model and shows how far it is. What was built before an interrupt is kept for the next time.
pub(crate) fn build(request: ImportRequest, interrupt: &Interrupt) -> Result<PathBuf> {
    // An export stays as its makers stored it.
    let label = match Export::find(&request.source) {
        Some(_) => format!("importing {}", request.id),
        None => format!("importing {} ({:?})", request.id, request.quant).to_lowercase(),
    };
    let source = request.source.display().to_string();
    let step = Step::start(label);
    let built = import::import(request, &mut |done, total| {
        step.bytes(done, Some(total));
        interrupt.flow()
    });
    match built {
        Ok(folder) => {
            step.done();
            Ok(folder)
        }
        Err(ImportError::Cancelled) => {
            step.stopped();
            Err(Interrupted.into())
        }
        Err(error) => Err(error).with_context(|| format!("importing {source}")),
    }
}

fn options(surroundings: &Surroundings) -> Result<FetchOptions> {
    let endpoint = match &surroundings.hub_endpoint {
        Some(text) => text.parse().context("HF_ENDPOINT")?,
        None => Endpoint::default(),
    };
    let network = if surroundings.config.models.offline { Network::Forbidden } else { Network::Allowed };
    Ok(FetchOptions { endpoint, network, ..FetchOptions::default() })
}

/// Turns what a fetch says into steps on the screen: one a source.
#[derive(Default)]
struct Steps {
    current: Option<Step>,
}

impl Steps {
    fn hear(&mut self, event: FetchEvent) {
        match event {
            FetchEvent::Trying { file, source } => self.next(format!("fetching {} from {source}", name(&file))),
            FetchEvent::Waiting { file } => {
                self.next(format!("waiting for another finch that fetches {}", name(&file)))
            }
            FetchEvent::Verifying { file } => self.next(format!("checking {}", name(&file))),
            FetchEvent::Progress { bytes_done, bytes_total, .. } => {
                if let Some(step) = &self.current {
                    step.bytes(bytes_done, bytes_total);
                }
            }
            FetchEvent::Retrying { source, reason, wait } => {
                self.note(&format!("{source}: {reason}; trying again in {} s", wait.as_secs_f32().ceil()));
            }
            FetchEvent::SourceFailed { source, reason } => self.note(&format!("{source}: {reason}")),
            FetchEvent::Ready { .. } => {
                if let Some(step) = self.current.take() {
                    step.done();
                }
            }
        }
    }

    fn next(&mut self, label: String) {
        self.current = None;
        self.current = Some(Step::start(label));
    }

    fn note(&self, text: &str) {
        match &self.current {
            Some(step) => step.note(text),
            None => say(text),
        }
    }
}

/// The last part of a path inside a package.
fn name(file: &str) -> &str {
    Path::new(file).file_name().and_then(|name| name.to_str()).unwrap_or(file)
}
