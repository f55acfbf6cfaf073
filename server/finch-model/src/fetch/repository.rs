//! A model by its address on a hub: the list of its files, the choice among them, and the files themselves.
//!
//! What lies on the hub as a large file is pinned by the sum that the hub states for it, and comes like a file of the
//! catalogue; the small ones beside it are bounded and held to their size. The revision is settled once, so that all files
//! are of one state. Whether finch can build the model is asked before its weights are fetched. Called by the binary, which
//! hands the result to the importer.

mod choice;
mod listing;
mod reference;

use std::{
    fs, io,
    path::{Path, PathBuf},
    slice,
};

pub use reference::{BadReference, HubReference};

use self::choice::Choice;
use self::listing::{Listed, Listing};
use super::{
    FetchError, FetchEvent, FetchOptions, Job, Network, Pace,
    error::{SourceError, StorageError},
    hub,
    slot::{Place, blocking},
    small::Small,
};
use crate::{
    catalogue::{HubFile, PinnedFile, Source},
    home::{self, Home},
    hub as layout, limits,
};

/// What the list of files is called where the names of files are shown.
const LISTING: &str = "the list of files";

/// A model as it came from a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedRepository {
    /// The GGUF file, or the directory with `config.json` and safetensors.
    pub path: PathBuf,
    /// What the model card says of its licence.
    pub licence: Option<String>,
}

/// Brings what is needed to build the model.
pub async fn fetch_repository(
    reference: &HubReference,
    home: &Home,
    options: &FetchOptions,
    events: &mut (dyn FnMut(FetchEvent) + Send),
) -> Result<FetchedRepository, FetchError> {
    let pace = Pace::default();
    fetch(reference, home, options, &pace, events).await
}

/// Deletes what an earlier fetch has brought, once a model is built from it.
pub fn forget_repository(reference: &HubReference, home: &Home) -> Result<(), StorageError> {
    let directory = directory(reference, home);
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StorageError::new(&directory, 0, error)),
        // The owner's directory goes with the last of its repositories.
        _ => match directory.parent().map(fs::remove_dir) {
            None | Some(Ok(()) | Err(_)) => Ok(()),
        },
    }
}

/// `.downloads/OWNER/REPO`.
fn directory(reference: &HubReference, home: &Home) -> PathBuf {
    home.downloads().join(reference.repo())
}

pub(super) async fn fetch(
    reference: &HubReference,
    home: &Home,
    options: &FetchOptions,
    pace: &Pace,
    events: &mut (dyn FnMut(FetchEvent) + Send),
) -> Result<FetchedRepository, FetchError> {
    if options.network == Network::Forbidden {
        return Err(FetchError::Offline { file: reference.to_string() });
    }
    let client = hub::client(&options.endpoint, pace).map_err(|error| no_answer(reference, options, LISTING, error))?;
    let visit = Visit { reference, directory: directory(reference, home), options, pace, client };
    let listing = visit.list(events).await?;
    match listing.choose(reference.pick()).map_err(|problem| visit.unusable(problem))? {
        Choice::Gguf(file) => {
            let path = visit.file(&listing, file, events).await?;
            Ok(FetchedRepository { path, licence: listing.licence })
        }
        Choice::Directory(beside) => {
            visit.clear(&listing, &beside)?;
            for file in beside {
                visit.file(&listing, file, events).await?;
            }
            let directory = visit.directory.clone();
            let weights = layout::weights_to_fetch(&directory).map_err(FetchError::Unusable)?;
            for name in weights {
                let file = listing.file(&name).ok_or_else(|| visit.unusable(format!("it has no {name}")))?;
                visit.file(&listing, file, events).await?;
            }
            Ok(FetchedRepository { path: directory, licence: listing.licence })
        }
    }
}

/// One model being fetched.
struct Visit<'a> {
    reference: &'a HubReference,
    directory: PathBuf,
    options: &'a FetchOptions,
    pace: &'a Pace,
    client: reqwest::Client,
}

impl Visit<'_> {
    fn unusable(&self, problem: String) -> FetchError {
        FetchError::Repository { repo: self.reference.repo().to_owned(), problem }
    }

    async fn list(&self, events: &mut (dyn FnMut(FetchEvent) + Send)) -> Result<Listing, FetchError> {
        let url = self.options.endpoint.listing(self.reference.repo());
        let bytes = match self.small(LISTING, url, limits::HUB_LISTING_BYTES_MAX, events).await {
            Ok(bytes) => bytes,
            Err(SourceError::NotFound { .. }) => {
                return Err(self.unusable("the hub knows no such repository, or it is private".to_owned()));
            }
            Err(error) => return Err(no_answer(self.reference, self.options, LISTING, error)),
        };
        Listing::parse(&bytes).map_err(|problem| self.unusable(problem))
    }

    /// A small file as it is on the hub.
    async fn small(
        &self,
        name: &str,
        url: url::Url,
        bytes_max: u64,
        events: &mut (dyn FnMut(FetchEvent) + Send),
    ) -> Result<Vec<u8>, SourceError> {
        let source = self.options.endpoint.repository(self.reference.repo());
        events(FetchEvent::Trying { file: name.to_owned(), source: format!("hub {source}") });
        let small = Small { client: &self.client, endpoint: &self.options.endpoint, url, bytes_max, pace: self.pace };
        small.get(&source, events).await
    }

    /// Brings a file of the repository into its directory.
    async fn file(
        &self,
        listing: &Listing,
        file: &Listed,
        events: &mut (dyn FnMut(FetchEvent) + Send),
    ) -> Result<PathBuf, FetchError> {
        let hub_file = HubFile {
            repo: self.reference.repo().to_owned(),
            revision: listing.revision.clone(),
            file: file.path.clone(),
        };
        let name = file.name().to_owned();
        let Some(sha256) = file.sha256 else { return self.beside(&hub_file, file, events).await };
        let place = Place {
            directory: self.directory.clone(),
            marker: format!("{name}.toml"),
            file: PinnedFile { name, bytes: file.bytes, sha256 },
            version: None,
        };
        let source = Source::Hub(hub_file);
        Job { place, sources: slice::from_ref(&source), options: self.options, pace: self.pace }.run(events).await
    }

    /// A file that the hub keeps like source code: small, and without a sum.
    async fn beside(
        &self,
        hub_file: &HubFile,
        file: &Listed,
        events: &mut (dyn FnMut(FetchEvent) + Send),
    ) -> Result<PathBuf, FetchError> {
        let name = file.name();
        let failed = |error| no_answer(self.reference, self.options, name, error);
        if file.bytes > limits::HUB_TOKENIZER_BYTES_MAX {
            return Err(self.unusable(format!("{} bytes of {} come without a sum", file.bytes, file.path)));
        }
        let url = self.options.endpoint.file(hub_file);
        let bytes = self.small(name, url, limits::HUB_TOKENIZER_BYTES_MAX, events).await.map_err(failed)?;
        if bytes.len() as u64 != file.bytes {
            return Err(failed(SourceError::WrongSize { offered: bytes.len() as u64, expected: file.bytes }));
        }
        let path = self.directory.join(name);
        let target = path.clone();
        let stored = move || {
            home::write_atomic(&target, &bytes).map_err(|error| StorageError::new(&target, bytes.len() as u64, error))
        };
        blocking(stored).await?;
        events(FetchEvent::Ready { file: name.to_owned() });
        Ok(path)
    }

    /// Deletes files of an earlier state of the repository that would be taken for part of this one.
    fn clear(&self, listing: &Listing, beside: &[&Listed]) -> Result<(), FetchError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| StorageError::new(&path, 0, error)
        };
        fs::create_dir_all(&self.directory).map_err(failed(&self.directory))?;
        for entry in fs::read_dir(&self.directory).map_err(failed(&self.directory))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_weights = name.ends_with(".safetensors");
            let is_of_now =
                if is_weights { listing.file(&name).is_some() } else { beside.iter().any(|it| it.path == name) };
            if (is_weights || choice::is_beside_weights(&name)) && !is_of_now {
                fs::remove_file(entry.path()).map_err(failed(&entry.path()))?;
            }
        }
        Ok(())
    }
}

fn no_answer(reference: &HubReference, options: &FetchOptions, file: &str, error: SourceError) -> FetchError {
    match error {
        SourceError::Storage(error) => error.into(),
        error => FetchError::NoAnswer {
            repo: reference.repo().to_owned(),
            file: file.to_owned(),
            endpoint: options.endpoint.to_string(),
            error: error.into(),
        },
    }
}

#[cfg(test)]
mod tests;
