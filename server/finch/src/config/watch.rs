//! Notices that the configuration file has changed, and reads it anew.
//!
//! Its time, its length and its file are looked at every second: that works on every file system and for every way an
//! editor saves. A file that cannot be used is told as that, and whoever listens keeps what it has; the next change
//! is told like the first.

#![cfg_attr(not(test), expect(dead_code, reason = "started by the language server"))]

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use super::{Config, ConfigError, Reading};
use crate::limits;

#[cfg(test)]
mod tests;

/// Looks at a file until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Nothing is sent: it ends with this.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the file has become: a configuration, or a reason to keep the one there is.
pub(crate) type Change = Result<Reading, ConfigError>;

impl Watch {
    /// Calls `changed` from a thread of its own whenever the file is another than now. A file that is gone is the
    /// default configuration.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn start(path: PathBuf, changed: impl FnMut(Change) + Send + 'static) -> std::io::Result<Self> {
        Self::start_looking(path, limits::CONFIG_LOOK_PAUSE, changed)
    }

    fn start_looking(
        path: PathBuf,
        pause: Duration,
        mut changed: impl FnMut(Change) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let mut seen = Stamp::of(&path);
        let look = move || {
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let now = Stamp::of(&path);
                if now != seen {
                    // What is written while it is read has another stamp, and is read at the next look.
                    seen = now;
                    changed(Config::load(&path));
                }
            }
        };
        let thread = thread::Builder::new().name("finch-config".to_owned()).spawn(look)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        // One that is dropped by its own call cannot wait for itself.
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != thread::current().id()) {
            thread.join().ok();
        }
    }
}

/// What a file is told by; `None` where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp(Option<(Option<SystemTime>, u64, u64)>);

impl Stamp {
    fn of(path: &Path) -> Self {
        let metadata = std::fs::metadata(path).ok();
        Self(metadata.map(|metadata| (metadata.modified().ok(), metadata.len(), number(&metadata))))
    }
}

/// The number of the file, which a save by renaming changes even where time and length stay.
#[cfg(unix)]
fn number(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_metadata: &std::fs::Metadata) -> u64 {
    0
}
