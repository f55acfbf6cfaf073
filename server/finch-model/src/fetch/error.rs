//! Why a fetch failed, said so that a person knows what to do next.
//!
//! A [`SourceError`] ends one source and the next one is tried; a [`FetchError`] ends the fetch.

use std::{
    fmt::Write,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{checkpoint::CheckpointError, digest::Digest};

/// Why a file could not be had, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Every source was tried or left out. Show the reasons.
    #[error(
        "no source gave {file}:{}\ntry again later (what arrived is kept), or get the file some other way ({bytes} bytes, sha256 {sha256}) and name its path",
        list(failures)
    )]
    NoSource { file: String, bytes: u64, sha256: Digest, failures: Vec<SourceFailure> },
    /// The file is not here and no connection may be opened.
    #[error(
        "{file} is not on this machine, and finch is told to stay offline; go online once, or name the path of the file"
    )]
    Offline { file: String },
    /// Another finch process has the download and does not get on.
    #[error("another finch process is fetching {file} and has not got further for {} s; end it and try again", idle.as_secs())]
    Busy { file: String, idle: Duration },
    /// The hub gave no list of files, or not one of the small ones.
    #[error(
        "{file} of {repo}: the hub {endpoint} {error}\ntry again later; where that hub cannot be reached, set HF_ENDPOINT to a mirror of it, or bring the files here some other way and run `finch model import` on them"
    )]
    NoAnswer { repo: String, file: String, endpoint: String, error: Box<SourceError> },
    /// The repository is not what was asked for: name another one, or another file.
    #[error("{repo}: {problem}")]
    Repository { repo: String, problem: String },
    /// The model is none that finch builds.
    #[error(transparent)]
    Unusable(CheckpointError),
    /// There is no such file for this kind of machine.
    #[error("there is no ONNX Runtime to fetch for {os} on {arch}; install one and set ORT_DYLIB_PATH to its library")]
    Unsupported { os: String, arch: String },
    /// The disk refused; another source would not help.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A source and why it gave nothing.
#[derive(Debug)]
pub struct SourceFailure {
    pub source: String,
    pub error: SourceError,
}

fn list(failures: &[SourceFailure]) -> String {
    if failures.is_empty() {
        return " no source of the wanted kind is known".to_owned();
    }
    failures.iter().fold(String::new(), |mut text, failure| {
        // Invariant: writing to a String cannot fail.
        write!(text, "\n  {}: {}", failure.source, failure.error).ok();
        text
    })
}

/// Why one source gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("cannot be reached: {reason}")]
    Unreachable { reason: String },
    #[error(
        "refused (HTTP {status}): the model may be gated; accept its licence at {page} and get the file there by hand"
    )]
    Denied { status: u16, page: String },
    #[error("has no such file (HTTP {status})")]
    NotFound { status: u16 },
    #[error("asks to wait {} s, which is too long", wait.as_secs())]
    RateLimited { wait: Duration },
    #[error("broke off {tries} times: {reason}")]
    Interrupted { tries: u32, reason: String },
    #[error("offers {offered} bytes where the file has {expected}")]
    WrongSize { offered: u64, expected: u64 },
    #[error("gave a file with sha256 {found} where {expected} is expected; it was deleted")]
    WrongHash { found: Digest, expected: Digest },
    #[error("is another file: its sha256 is {found} where {expected} is expected")]
    NotTheFile { found: Digest, expected: Digest },
    #[error("redirects to {to}, which is not followed: {reason}")]
    Redirect { to: String, reason: &'static str },
    #[error("answered with {what}")]
    Answer { what: String },
    #[error(transparent)]
    Pip(#[from] PipError),
    #[error("{}: {reason}", path.display())]
    File { path: PathBuf, reason: io::Error },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a package gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum PipError {
    #[error("{program} cannot be started ({reason}); install Python 3 with pip")]
    NoPython { program: String, reason: io::Error },
    #[error("{program} has no pip; install it (`{program} -m ensurepip`, or your system's python3-pip)")]
    NoPip { program: String },
    #[error("pip could not fetch {package}: {stderr}")]
    Failed { package: String, stderr: String },
    #[error("pip was silent for {} s while fetching {package}", idle.as_secs())]
    Silent { package: String, idle: Duration },
    #[error("{package} is larger than the {bytes_max} bytes it may have")]
    TooLarge { package: String, bytes_max: u64 },
    #[error("{package}: {problem}")]
    BadWheel { package: String, problem: String },
}

/// What the disk refused.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error(
        "the disk is full: {} needs {bytes_needed} more bytes; free them and try again (what arrived is kept)",
        directory.display()
    )]
    Full { directory: PathBuf, bytes_needed: u64 },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl StorageError {
    /// `path` is the file, `bytes_needed` what it still lacks.
    pub(super) fn new(path: &Path, bytes_needed: u64, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { directory: path.parent().unwrap_or(path).to_owned(), bytes_needed }
            }
            _ => Self::Io { path: path.to_owned(), source },
        }
    }
}
