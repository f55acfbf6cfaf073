//! Systems without calls that take an opened folder: each name is looked at before and the place again after.
//!
//! Between two looks a link can come and go: here the walk is careful, not proof against a program that races it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::Refusal;

/// A folder by its canonical path.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        fs::read_dir(path)?;
        Ok(Self { path: path.to_owned() })
    }

    pub(super) fn read(&self, names: &[&str]) -> Result<File, Refusal> {
        let path = self.regular(names)?;
        let file = File::open(&path)?;
        self.regular(names)?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(Refusal::Special) }
    }

    pub(super) fn write(&self, names: &[&str], bytes: &[u8]) -> Result<(), Refusal> {
        let path = match self.regular(names) {
            Err(Refusal::Io(error)) if error.kind() == io::ErrorKind::NotFound => self.joined(names),
            found => found?,
        };
        let folder = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(folder)?;
        let mut temporary = tempfile::Builder::new().prefix(".finch-").tempfile_in(folder)?;
        temporary.write_all(bytes)?;
        temporary.as_file().sync_all()?;
        if !folder.canonicalize()?.starts_with(&self.path) {
            return Err(Refusal::Link);
        }
        temporary.persist(&path).map_err(|error| error.error)?;
        Ok(())
    }

    pub(super) fn remove(&self, names: &[&str]) -> Result<(), Refusal> {
        Ok(fs::remove_file(self.regular(names)?)?)
    }

    fn joined(&self, names: &[&str]) -> PathBuf {
        names.iter().fold(self.path.clone(), |path, name| path.join(name))
    }

    /// The path, if no name in it is a link and the last is a regular file.
    fn regular(&self, names: &[&str]) -> Result<PathBuf, Refusal> {
        let mut path = self.path.clone();
        for name in names {
            path.push(name);
            if path.symlink_metadata()?.is_symlink() {
                return Err(Refusal::Link);
            }
        }
        if path.symlink_metadata()?.is_file() { Ok(path) } else { Err(Refusal::Special) }
    }
}

/// How many names a file has, as far as it can be known here.
pub(super) fn names_of(path: &Path) -> u64 {
    u64::from(path.is_file())
}
