//! `state.db`: what a task needs to go on after a crash, a kill or a restart of finch.
//!
//! A task, what was said in it, and the changes it made, for undoing them. Every call is one transaction: after a kill at
//! any moment all of it is there or nothing. Several processes use the file at once. A file that is damaged, or of a newer
//! finch, is moved aside and a new one begun, so that it never keeps anybody from working. The plan's own file says which
//! steps are done.
//!
//! Calls block for as long as the disk takes, a few milliseconds as a rule: async callers give a clone to
//! `spawn_blocking`.

mod conversation;
mod file;
mod owner;
mod path;
mod prune;
mod record;
mod schema;
mod task;
mod undo;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::file::StateFile;
use crate::lock::LockError;

pub use task::{BadTaskId, Kind, NewTask, State, Task, TaskId};
pub use undo::{Applied, SetNumber};

/// The store. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Store {
    file: Arc<StateFile>,
}

/// Why something is not kept, or not found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{} cannot be used: {source}; make room or set its rights right. Until then tasks do not outlive finch", path.display())]
    Disk { path: PathBuf, source: io::Error },
    #[error("another finch holds {} for too long; end it and try again", path.display())]
    Locked { path: PathBuf },
    #[error("{} cannot be used: {source}. Until that is mended tasks do not outlive finch", path.display())]
    Database { path: PathBuf, source: rusqlite::Error },
    #[error("{} was damaged ({reason}) and cannot be moved aside: {source}; remove it", path.display())]
    NotMovedAside { path: PathBuf, reason: String, source: io::Error },
    #[error("there is no task {id}; it may have been removed for its age")]
    NoTask { id: TaskId },
    #[error("process {pid} works on task {id}; stop it there first")]
    Held { id: TaskId, pid: u32 },
    #[error("{what} is too much to be kept: {size}, and at most {max}")]
    TooMuch { what: &'static str, size: usize, max: usize },
    #[error("what is kept of task {id} cannot be read: {reason}; begin it anew")]
    Unreadable { id: TaskId, reason: String },
    #[error("{} cannot be written down, since it is not UTF-8; rename it", path.display())]
    NoText { path: PathBuf },
}

impl From<LockError> for StoreError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Disk { path, source } => Self::Disk { path, source },
            LockError::Held { path } => Self::Locked { path },
        }
    }
}

impl Store {
    /// Opens the file, or makes it. What cannot be used is moved aside first, with a warning.
    ///
    /// # Errors
    /// [`StoreError`] if there can be no such file. Tasks can be worked on without one.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { file: Arc::new(StateFile::open(path)?) })
    }
}

/// What must not be more than `max`.
fn bounded(what: &'static str, size: usize, max: usize) -> Result<(), StoreError> {
    if size > max { Err(StoreError::TooMuch { what, size, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
