//! The notes that lie beside a fetched file. They are only ever read by finch; an unreadable one counts as absent.

use std::{fs, io::Read, path::Path};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::error::StorageError;
use crate::{digest::Digest, home, limits};

/// Says that a file was checked to the byte. Beside the runtime library it is `runtime.toml`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    pub(super) file: String,
    pub(super) bytes: u64,
    pub(super) sha256: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
}

/// Says which state of which address the bytes of a part are from.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    pub(super) url: String,
    /// Strong: two files with this tag are the same to the byte.
    pub(super) etag: String,
}

pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let mut text = String::new();
    fs::File::open(path).ok()?.take(limits::NOTE_BYTES_MAX).read_to_string(&mut text).ok()?;
    toml::from_str(&text).ok()
}

pub(super) fn write<T: Serialize>(path: &Path, note: &T) -> Result<(), StorageError> {
    let text = toml::to_string(note).map_err(std::io::Error::other);
    text.and_then(|text| home::write_atomic(path, text.as_bytes()))
        .map_err(|source| StorageError::new(path, limits::NOTE_BYTES_MAX, source))
}
