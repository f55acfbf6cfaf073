//! The files of the journal: `<start>-<process>-<n>.jsonl`, so that their names are in the order of their start.
//!
//! Invariant: a file is appended to by the one process that made it, which holds the lock beside it (`.lock`) for as
//! long; whoever rewrites or removes a file holds that lock and the folder's. The lock is no lock on the file itself,
//! because on Windows nobody else could read it then.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::limits::NAMES_TRIED_MAX;

const ENDING: &str = "jsonl";
const LOCK_ENDING: &str = "lock";
const FOLDER_LOCK: &str = ".tidy.lock";

/// One file of the journal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
}

/// The right to change a file. The lock goes with it.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    file: Option<File>,
}

impl Claim {
    /// `None` if another process has it, or nobody can say.
    pub(crate) fn take(path: PathBuf) -> Option<Self> {
        let file = private(OpenOptions::new().create(true).truncate(false).write(true)).open(&path).ok()?;
        match file.try_lock() {
            Ok(()) => Some(Self { path, file: Some(file) }),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, path = %path.display(), "locks do not work here");
                None
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // An open file cannot be removed everywhere; a lock that is left over locks nobody out.
        self.file = None;
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "a lock is left over");
        }
    }
}

impl Segment {
    /// Makes a new, empty file, and the claim on it. `stem` is `<start>-<process>`.
    pub(crate) fn create(folder: &Path, stem: &str, next: &mut u32) -> io::Result<(Self, File, Option<Claim>)> {
        make_folder(folder)?;
        for _ in 0..NAMES_TRIED_MAX {
            let path = folder.join(format!("{stem}-{next}.{ENDING}", next = *next));
            *next += 1;
            let segment = Self { path };
            let claim = segment.claim();
            match private(OpenOptions::new().create_new(true).append(true)).open(&segment.path) {
                Ok(file) => return Ok((segment, file, claim)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    pub(crate) fn claim(&self) -> Option<Claim> {
        Claim::take(self.path.with_extension(LOCK_ENDING))
    }

    /// When its process started, as its name says; never, if it says nothing.
    pub(crate) fn started_ms(&self) -> u64 {
        started_ms(&self.path)
    }

    /// Puts `content` in the place of what it holds, or removes it if that is nothing.
    pub(crate) fn replace(&self, content: &[u8]) -> io::Result<()> {
        use io::Write as _;
        let folder = self.path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        if content.is_empty() {
            fs::remove_file(&self.path)?;
        } else {
            let mut temporary = tempfile::Builder::new().prefix(".saving-").tempfile_in(folder)?;
            temporary.write_all(content)?;
            temporary.as_file().sync_all()?;
            temporary.persist(&self.path).map_err(|error| error.error)?;
        }
        sync_folder(folder)
    }
}

/// Every segment in the order of their start. A folder that is not there has none.
pub(crate) fn all(folder: &Path) -> io::Result<Vec<Segment>> {
    Ok(with_ending(folder, ENDING)?.into_iter().map(|path| Segment { path }).collect())
}

/// Locks whose segment is gone, with the time their process started.
pub(crate) fn stray_locks(folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut locks = with_ending(folder, LOCK_ENDING)?;
    locks.retain(|path| !path.with_extension(ENDING).exists() && !path.ends_with(FOLDER_LOCK));
    Ok(locks.into_iter().map(|path| (started_ms(&path), path)).map(|(started, path)| (path, started)).collect())
}

/// Keeps others from rewriting anything in the folder; waits for them.
pub(crate) fn lock_folder(folder: &Path) -> io::Result<File> {
    make_folder(folder)?;
    let path = folder.join(FOLDER_LOCK);
    let file = private(OpenOptions::new().create(true).truncate(false).write(true)).open(path)?;
    file.lock()?;
    Ok(file)
}

/// Makes the names in the folder durable.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows has no handle to sync a folder by; its file system journals names.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

fn with_ending(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == ending) && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn started_ms(path: &Path) -> u64 {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.split('-').next().and_then(|start| start.parse().ok()).unwrap_or(0)
}

/// The folder, readable by its owner alone.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// What is made with these options is readable by its owner alone.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
