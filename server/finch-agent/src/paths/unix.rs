//! Walks from an opened folder by the calls that take one, and follows no link.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::Refusal;

/// An opened folder.
#[derive(Debug)]
pub(super) struct Folder {
    folder: OwnedFd,
}

/// Tells the temporary files of one process apart.
static TEMPORARY: AtomicU64 = AtomicU64::new(0);

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl From<Errno> for Refusal {
    fn from(error: Errno) -> Self {
        match error {
            // Where a link is refused, a system says one or the other.
            Errno::LOOP | Errno::XDEV => Self::Link,
            other => Self::Io(other.into()),
        }
    }
}

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { folder: rustix::fs::open(path, FOLDER, Mode::empty())? })
    }

    pub(super) fn read(&self, names: &[&str]) -> Result<File, Refusal> {
        let (name, folders) = split(names)?;
        let folder = self.walk(folders)?;
        let before = regular(&folder, name)?;
        // Should it have become a pipe meanwhile, this does not wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, name, flags, Mode::empty())?;
        let opened = rustix::fs::fstat(&file)?;
        let is_same = (before.st_dev, before.st_ino) == (opened.st_dev, opened.st_ino);
        if !is_same && FileType::from_raw_mode(opened.st_mode) != FileType::RegularFile {
            return Err(Refusal::Special);
        }
        Ok(File::from(file))
    }

    pub(super) fn write(&self, names: &[&str], bytes: &[u8]) -> Result<(), Refusal> {
        let (name, folders) = split(names)?;
        let folder = self.made(folders)?;
        let mode = match regular(&folder, name) {
            Ok(there) => Some(Mode::from_raw_mode(there.st_mode) & Mode::from_raw_mode(0o777)),
            Err(Refusal::Io(error)) if error.kind() == io::ErrorKind::NotFound => None,
            Err(refusal) => return Err(refusal),
        };
        let temporary = format!(".finch-{}-{}.tmp", std::process::id(), TEMPORARY.fetch_add(1, Ordering::Relaxed));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, &temporary, flags, Mode::from_raw_mode(0o666))?;
        let written = fill(file, bytes, mode).and_then(|()| {
            rustix::fs::renameat(&folder, &temporary, &folder, name)?;
            Ok(rustix::fs::fsync(&folder)?)
        });
        if written.is_err() {
            match rustix::fs::unlinkat(&folder, &temporary, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => tracing::warn!("the temporary file {temporary} is left over: {error}"),
            }
        }
        written
    }

    pub(super) fn remove(&self, names: &[&str]) -> Result<(), Refusal> {
        let (name, folders) = split(names)?;
        let folder = self.walk(folders)?;
        regular(&folder, name)?;
        rustix::fs::unlinkat(&folder, name, AtFlags::empty())?;
        Ok(rustix::fs::fsync(&folder)?)
    }

    /// The folder below this one, at once where the system can.
    fn walk(&self, names: &[&str]) -> Result<OwnedFd, Refusal> {
        #[cfg(target_os = "linux")]
        match self.walk_at_once(names) {
            Err(Refusal::Io(error)) if Errno::from_io_error(&error).is_some_and(is_not_there) => {}
            walked => return walked,
        }
        self.walk_by_name(names)
    }

    #[cfg(target_os = "linux")]
    pub(super) fn walk_at_once(&self, names: &[&str]) -> Result<OwnedFd, Refusal> {
        use rustix::fs::ResolveFlags;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let path = if names.is_empty() { ".".to_owned() } else { names.join("/") };
        Ok(rustix::fs::openat2(&self.folder, path, FOLDER, Mode::empty(), resolve)?)
    }

    /// One name after the other, none of them a link.
    pub(super) fn walk_by_name(&self, names: &[&str]) -> Result<OwnedFd, Refusal> {
        let start = rustix::fs::openat(&self.folder, ".", FOLDER, Mode::empty())?;
        names.iter().try_fold(start, |folder, name| step(folder.as_fd(), name))
    }

    /// The folder below this one; what is missing is made.
    fn made(&self, names: &[&str]) -> Result<OwnedFd, Refusal> {
        match self.walk(names) {
            Err(Refusal::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            walked => return walked,
        }
        let start = rustix::fs::openat(&self.folder, ".", FOLDER, Mode::empty())?;
        names.iter().try_fold(start, |folder, name| {
            match rustix::fs::mkdirat(&folder, *name, Mode::from_raw_mode(0o777)) {
                Ok(()) => rustix::fs::fsync(&folder)?,
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            step(folder.as_fd(), name)
        })
    }
}

fn split<'a>(names: &'a [&'a str]) -> Result<(&'a str, &'a [&'a str]), Refusal> {
    let (name, folders) = names.split_last().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok((name, folders))
}

fn step(folder: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Refusal> {
    match rustix::fs::openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()) {
        // With both flags a link may count as no folder.
        Err(Errno::NOTDIR) => {
            let there = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let is_link = FileType::from_raw_mode(there.st_mode) == FileType::Symlink;
            Err(if is_link { Refusal::Link } else { Errno::NOTDIR.into() })
        }
        opened => Ok(opened?),
    }
}

/// What the system says of a regular file.
fn regular(folder: &OwnedFd, name: &str) -> Result<Stat, Refusal> {
    let there = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(there.st_mode) {
        FileType::RegularFile => Ok(there),
        FileType::Symlink => Err(Refusal::Link),
        _ => Err(Refusal::Special),
    }
}

fn fill(file: OwnedFd, bytes: &[u8], mode: Option<Mode>) -> Result<(), Refusal> {
    let mut file = File::from(file);
    if let Some(mode) = mode {
        rustix::fs::fchmod(&file, mode)?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(())
}

/// An old kernel, or a sandbox around finch that does not know the call.
#[cfg(target_os = "linux")]
fn is_not_there(error: Errno) -> bool {
    matches!(error, Errno::NOSYS | Errno::PERM)
}

/// How many names a regular file has; none for what is no file.
pub(super) fn names_of(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    path.symlink_metadata().map_or(0, |found| if found.is_file() { found.nlink() } else { 0 })
}
