//! Which models passed their trial: a small file for each in `FINCH_HOME/tried`.
//!
//! It holds a stamp of what the file system says of the model's files, and a digest of what is in those that are parsed.
//! The stamp answers at once; where it differs, as after a copy, the digest does. Weights beside the graph are numbers
//! that no parser reads, so their length stands for them. A file that is not there or cannot be read knows nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use finch_model::Manifest;
use finch_model::digest::Digest;
use finch_model::home::write_atomic;
use finch_model::manifest::{GRAPH_FILE, MANIFEST_FILE, TOKENIZER_FILE};
use serde::{Deserialize, Serialize};

use crate::surroundings::Surroundings;

pub(super) struct Memory {
    path: PathBuf,
}

/// The file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Mark {
    stamp: Digest,
    digest: Digest,
}

impl Memory {
    pub(super) fn of(surroundings: &Surroundings, folder: &Path) -> Self {
        let id = folder.file_name().unwrap_or_default().to_string_lossy();
        Self::at(surroundings.home.tried().join(format!("{id}.json")))
    }

    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Whether exactly this model passed.
    pub(super) fn knows(&self, folder: &Path, manifest: &Manifest) -> Result<bool> {
        let Some(mark) = self.read() else { return Ok(false) };
        let stamp = stamp(folder, manifest)?;
        if mark.stamp == stamp {
            return Ok(true);
        }
        let is_known = mark.digest == digest(folder, manifest)?;
        if is_known {
            self.write(&Mark { stamp, ..mark });
        }
        Ok(is_known)
    }

    /// A model that cannot be remembered is tried again the next time.
    pub(super) fn remember(&self, folder: &Path, manifest: &Manifest) {
        let mark = || Ok(Mark { stamp: stamp(folder, manifest)?, digest: digest(folder, manifest)? });
        match mark() {
            Ok(mark) => self.write(&mark),
            Err(error) => forgotten(&error),
        }
    }

    fn read(&self) -> Option<Mark> {
        serde_json::from_slice(&fs::read(&self.path).ok()?).ok()
    }

    fn write(&self, mark: &Mark) {
        let saved = serde_json::to_vec(mark).map_err(anyhow::Error::from);
        let saved = saved.and_then(|bytes| Ok(write_atomic(&self.path, &bytes)?));
        if let Err(error) = saved.with_context(|| format!("saving {}", self.path.display())) {
            forgotten(&error);
        }
    }
}

fn forgotten(error: &anyhow::Error) {
    tracing::warn!("that the model loads is not remembered: {error:#}");
}

/// The files of a model by name, its manifest too.
fn names(manifest: &Manifest) -> impl Iterator<Item = &str> {
    [MANIFEST_FILE].into_iter().chain(manifest.files.iter().map(|file| file.name.as_str()))
}

/// A sum over what the file system says of each file.
fn stamp(folder: &Path, manifest: &Manifest) -> Result<Digest> {
    let mut text = String::new();
    for name in names(manifest) {
        let path = folder.join(name);
        let metadata = fs::metadata(&path).with_context(|| path.display().to_string())?;
        text.push_str(&format!("{name} {} {:?} {}\n", metadata.len(), metadata.modified().ok(), identity(&metadata)));
    }
    Ok(Digest::of_bytes(text.as_bytes()))
}

/// What changes even where somebody turns the time of a file back.
#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt as _;
    format!("{} {} {}.{:09}", metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(metadata: &fs::Metadata) -> String {
    format!("{:?}", metadata.created().ok())
}

/// A sum over what is in each file, or over its length where nothing parses it.
fn digest(folder: &Path, manifest: &Manifest) -> Result<Digest> {
    let mut text = String::new();
    for name in names(manifest) {
        let path = folder.join(name);
        let is_parsed = [MANIFEST_FILE, GRAPH_FILE, TOKENIZER_FILE].contains(&name) || name.ends_with(".jinja");
        let sum = if is_parsed {
            Digest::of_file(&path).with_context(|| path.display().to_string())?.to_string()
        } else {
            fs::metadata(&path).with_context(|| path.display().to_string())?.len().to_string()
        };
        text.push_str(&format!("{name} {sum}\n"));
    }
    Ok(Digest::of_bytes(text.as_bytes()))
}
