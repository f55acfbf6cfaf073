//! Notices that the configuration file has changed, and reads it anew.
//!
//! Its time, its length and its file are looked at every second: that works on every file system and for every way an
//! editor saves. A file that cannot be used is told as that, and whoever listens keeps what it has; the next change
//! is told like the first.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use super::{Config, ConfigError, Reading};
use crate::limits;

#[cfg(test)]
mod tests;

/// Looks at files until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Nothing is sent: it ends with this.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What there is to tell.
#[derive(Debug)]
pub(crate) enum Event {
    /// The thread has begun; nothing has changed yet.
    Began,
    /// The configuration is another one, or there is a reason to keep the one there is.
    Changed(Box<Result<Reading, ConfigError>>),
    /// One of the files beside it is another one.
    ChangedBeside,
}

/// The configuration file and others, as they are at some moment.
#[derive(Debug)]
pub(crate) struct Look {
    path: PathBuf,
    seen: Stamp,
    /// What was seen last has nothing in it, and is not believed yet.
    doubted: Option<Stamp>,
    beside: Vec<(PathBuf, Stamp)>,
}

impl Look {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { seen: Stamp::of(&path), doubted: None, path, beside: Vec::new() }
    }

    /// A folder is another one when something comes into it or goes.
    pub(crate) fn beside(mut self, path: PathBuf) -> Self {
        self.beside.push((path.clone(), Stamp::of(&path)));
        self
    }

    /// What has changed since the last look.
    // What is written while it is read has another stamp, and is read at the next look.
    fn again(&mut self) -> Option<Event> {
        let mut has_changed = false;
        for (path, seen) in &mut self.beside {
            let now = Stamp::of(path);
            has_changed |= now != *seen;
            *seen = now;
        }
        let now = Stamp::of(&self.path);
        // Some editors empty the file, or move it away, before they write: what is gone is gone at the next look too.
        let is_doubtful = now != self.seen && now.is_nothing() && self.doubted != Some(now);
        self.doubted = is_doubtful.then_some(now);
        if now == self.seen || is_doubtful {
            return has_changed.then_some(Event::ChangedBeside);
        }
        self.seen = now;
        Some(Event::Changed(Box::new(Config::load(&self.path))))
    }
}

impl Watch {
    /// Calls `hear` from a thread of its own, at its beginning and then whenever a file is another than in `look`. A
    /// file that is gone is the default configuration.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn start(look: Look, hear: impl FnMut(Event) + Send + 'static) -> std::io::Result<Self> {
        Self::start_looking(look, limits::CONFIG_LOOK_PAUSE, hear)
    }

    fn start_looking(
        mut look: Look,
        pause: Duration,
        mut hear: impl FnMut(Event) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let look = move || {
            hear(Event::Began);
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                if let Some(event) = look.again() {
                    hear(event);
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
        // A pipe that was read once says nothing new.
        let metadata = std::fs::metadata(path).ok().filter(|metadata| metadata.is_file() || metadata.is_dir());
        Self(metadata.map(|metadata| (metadata.modified().ok(), metadata.len(), number(&metadata))))
    }

    /// Whether there is no file, or an empty one.
    fn is_nothing(self) -> bool {
        self.0.is_none_or(|(_, length, _)| length == 0)
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
