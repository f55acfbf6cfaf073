//! The ONNX Runtime library of this platform, out of its Python package into `FINCH_HOME/runtime/`.
//!
//! Beside the library lies `runtime.toml` (file, bytes, sha256, version), written last.

use std::{
    env::consts::{ARCH, OS},
    path::PathBuf,
};

use super::{FetchError, FetchEvent, FetchOptions, Job, Pace, SourceChoice, slot::Place};
use crate::{
    catalogue::{Catalogue, RuntimeEntry},
    home::Home,
};

const MARKER_FILE: &str = "runtime.toml";

/// Brings the runtime library of this platform and returns its path. One that is there is not fetched again.
pub async fn fetch_runtime(
    catalogue: &Catalogue,
    home: &Home,
    options: &FetchOptions,
    events: &mut (dyn FnMut(FetchEvent) + Send),
) -> Result<PathBuf, FetchError> {
    let Some(entry) = catalogue.runtime(OS, ARCH) else {
        return Err(FetchError::Unsupported { os: OS.to_owned(), arch: ARCH.to_owned() });
    };
    let pace = Pace::default();
    // The choice of a source is about models; a runtime has only one.
    let options = FetchOptions { sources: SourceChoice::InOrder, ..options.clone() };
    let sources = std::slice::from_ref(&entry.source);
    Job { place: place(entry, home), sources, options: &options, pace: &pace }.run(events).await
}

/// The runtime library that an earlier fetch has brought, if it is the one this version wants.
#[must_use]
pub fn fetched_runtime(catalogue: &Catalogue, home: &Home) -> Option<PathBuf> {
    place(catalogue.runtime(OS, ARCH)?, home).finished()
}

fn place(entry: &RuntimeEntry, home: &Home) -> Place {
    Place {
        directory: home.runtime(),
        file: entry.file.clone(),
        marker: MARKER_FILE.to_owned(),
        version: Some(entry.version.clone()),
    }
}
