//! The place where one file arrives: its lock, the part that grows, and the step from a part to the file.
//!
//! A [`Slot`] exists only while its lock is held, and every [`Part`] holds its slot. So two processes never write
//! the same part, also not when one was cancelled and its last write is still on its way to the disk. A file under
//! its final name has been checked to the byte.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::time::Instant;

use super::{
    FetchEvent, Pace,
    error::{FetchError, SourceError, StorageError},
    record::{self, Marker, Origin},
};
use crate::{
    catalogue::PinnedFile,
    digest::{Digest, Hasher},
    home,
};

/// A file to be had and where it goes.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) directory: PathBuf,
    pub(super) file: PinnedFile,
    /// The name of the note that says the file is whole.
    pub(super) marker: String,
    pub(super) version: Option<String>,
}

/// Each kind of source grows its own part, so that trying one does not spoil the other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lane {
    Hub,
    Pip,
}

impl Place {
    pub(super) fn target(&self) -> PathBuf {
        self.directory.join(&self.file.name)
    }

    pub(super) fn part(&self, lane: Lane) -> PathBuf {
        self.beside(match lane {
            Lane::Hub => "part",
            Lane::Pip => "pip.part",
        })
    }

    /// Where pip works.
    pub(super) fn workshop(&self) -> PathBuf {
        self.beside("pip")
    }

    fn origin(&self) -> PathBuf {
        self.beside("part.toml")
    }

    fn beside(&self, extension: &str) -> PathBuf {
        self.directory.join(format!("{}.{extension}", self.file.name))
    }

    fn expected_marker(&self) -> Marker {
        Marker {
            file: self.file.name.clone(),
            bytes: self.file.bytes,
            sha256: self.file.sha256,
            version: self.version.clone(),
        }
    }

    /// The file, if it is there, has its size and was checked before.
    pub(super) fn finished(&self) -> Option<PathBuf> {
        let marker: Marker = record::read(&self.directory.join(&self.marker))?;
        (marker == self.expected_marker() && self.has_its_size()).then(|| self.target())
    }

    /// Deletes the file and the note about it; neither need be there.
    pub(super) fn forget(&self) -> Result<(), StorageError> {
        for path in [self.directory.join(&self.marker), self.target()] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StorageError::new(&path, 0, error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// True for a file of the right size that may or may not be the right one.
    pub(super) fn has_its_size(&self) -> bool {
        fs::metadata(self.target()).is_ok_and(|found| found.is_file() && found.len() == self.file.bytes)
    }

    fn mark(&self) -> Result<PathBuf, StorageError> {
        record::write(&self.directory.join(&self.marker), &self.expected_marker())?;
        Ok(self.target())
    }

    fn storage(&self, path: &Path, len: u64) -> impl Fn(io::Error) -> StorageError + use<> {
        let path = path.to_owned();
        let needed = self.file.bytes.saturating_sub(len);
        move |source| StorageError::new(&path, needed, source)
    }

    /// What has arrived by any way; grows while another process works.
    fn bytes_so_far(&self) -> u64 {
        let length = |path: PathBuf| fs::metadata(path).map_or(0, |found| found.len());
        length(self.part(Lane::Hub)) + length(self.part(Lane::Pip)) + bytes_below(&self.workshop())
    }
}

/// A place that is ours until the last clone is dropped.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    place: Arc<Place>,
    _lock: Arc<File>,
}

impl Slot {
    /// Waits for the lock as long as its holder gets on.
    pub(super) async fn claim(
        place: Place,
        pace: &Pace,
        events: &mut (dyn FnMut(FetchEvent) + Send),
    ) -> Result<Self, FetchError> {
        let path = place.beside("lock");
        let failed = place.storage(&path, 0);
        fs::create_dir_all(&place.directory).map_err(&failed)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(&failed)?;
        let mut seen = (place.bytes_so_far(), Instant::now());
        let mut told = false;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { place: Arc::new(place), _lock: Arc::new(lock) }),
                Err(TryLockError::Error(error)) => return Err(failed(error).into()),
                Err(TryLockError::WouldBlock) => {}
            }
            if !told {
                told = true;
                events(FetchEvent::Waiting { file: place.file.name.clone() });
            }
            let bytes = place.bytes_so_far();
            if bytes != seen.0 {
                seen = (bytes, Instant::now());
            } else if seen.1.elapsed() >= pace.claim_idle {
                return Err(FetchError::Busy { file: place.file.name, idle: pace.claim_idle });
            }
            tokio::time::sleep(pace.claim_poll).await;
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Takes a file that lies under its final name without a marker, if it is the right one.
    pub(super) fn adopt(&self) -> Result<Option<PathBuf>, StorageError> {
        let target = self.place.target();
        if !self.place.has_its_size() {
            return Ok(None);
        }
        let found = Digest::of_file(&target).map_err(self.place.storage(&target, self.place.file.bytes))?;
        if found == self.place.file.sha256 { self.place.mark().map(Some) } else { Ok(None) }
    }

    /// How much of the hub's part can be continued with `url`, and under which tag.
    pub(super) fn resumable(&self, url: &str) -> Option<(u64, String)> {
        let origin: Origin = record::read(&self.place.origin())?;
        let len = fs::metadata(self.place.part(Lane::Hub)).ok()?.len();
        (origin.url == url && (1..=self.place.file.bytes).contains(&len)).then_some((len, origin.etag))
    }

    /// Forgets what a lane has. What is not there is forgotten already.
    pub(super) fn discard(&self, lane: Lane) -> Result<(), StorageError> {
        let mut paths = vec![self.place.part(lane)];
        match lane {
            // The note goes first: a part without a note is never continued.
            Lane::Hub => paths.insert(0, self.place.origin()),
            Lane::Pip => {}
        }
        for path in paths {
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.place.storage(&path, 0)(error)),
            }
        }
        Ok(())
    }

    /// An empty part of the hub's lane, to be continued later if `origin` is known.
    pub(super) fn begin_hub(&self, origin: Option<&Origin>) -> Result<Part, StorageError> {
        self.discard(Lane::Hub)?;
        let part = Part::open(self, Lane::Hub, 0)?;
        if let Some(origin) = origin {
            record::write(&self.place.origin(), origin)?;
        }
        Ok(part)
    }
}

/// A file that grows. Its bytes are hashed as they come.
pub(super) struct Part {
    slot: Slot,
    lane: Lane,
    path: PathBuf,
    file: File,
    hasher: Hasher,
    len: u64,
}

impl Part {
    /// Keeps the first `keep` bytes of what is there and hashes them.
    pub(super) fn open(slot: &Slot, lane: Lane, keep: u64) -> Result<Self, StorageError> {
        let path = slot.place.part(lane);
        let failed = slot.place.storage(&path, keep);
        let mut hasher = Hasher::default();
        let file = if keep == 0 {
            File::create(&path).map_err(&failed)?
        } else {
            let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(&failed)?;
            let read = hasher.update_from(&mut Read::by_ref(&mut file).take(keep)).map_err(&failed)?;
            if read != keep {
                return Err(failed(io::ErrorKind::UnexpectedEof.into()));
            }
            file.set_len(keep).map_err(&failed)?;
            file
        };
        Ok(Self { slot: slot.clone(), lane, path, file, hasher, len: keep })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.file.write_all(bytes).map_err(self.slot.place.storage(&self.path, self.len))?;
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Makes the part the file, if it is the right one; deletes it if not.
    pub(super) fn finish(self) -> Result<PathBuf, SourceError> {
        let place = &self.slot.place;
        let expected = place.file.sha256;
        let failed = place.storage(&self.path, self.len);
        if self.len != place.file.bytes {
            return Err(SourceError::WrongSize { offered: self.len, expected: place.file.bytes });
        }
        let found = self.hasher.finish();
        if found != expected {
            self.slot.discard(self.lane)?;
            return Err(SourceError::WrongHash { found, expected });
        }
        self.file.sync_all().map_err(&failed)?;
        drop(self.file);
        home::rename_durably(&self.path, &place.target()).map_err(&failed)?;
        let target = place.mark()?;
        self.slot.discard(Lane::Hub)?;
        self.slot.discard(Lane::Pip)?;
        Ok(target)
    }
}

/// The bytes of the files below a directory. What vanishes meanwhile is not counted.
pub(super) fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    entries.flatten().fold(0, |sum, entry| match entry.metadata() {
        Ok(found) if found.is_dir() => sum + bytes_below(&entry.path()),
        Ok(found) => sum + found.len(),
        Err(_) => sum,
    })
}

/// Runs `work` where blocking is allowed. Dropping the future lets it end by itself.
pub(super) async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StorageError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StorageError::Io { path: PathBuf::new(), source: io::Error::other(error) }.into()),
    }
}

#[cfg(test)]
mod tests;
