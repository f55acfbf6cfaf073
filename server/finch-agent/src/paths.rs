//! Paths as effects: what is opened is what was permitted, also if somebody swaps a folder for a link meanwhile.
//!
//! A path is looked at twice. [`Root::named`] says, before the question, where a path leads, links followed: that is what
//! the user is asked about. At use the path is walked again from the opened root, and a link anywhere in it is refused,
//! since there was none when it was permitted. Only regular files are read, and a file is written as a new one that
//! takes the name of the old, so that another name of the old one keeps its content.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::view::{Nowhere, leads_to};

#[cfg_attr(unix, path = "paths/unix.rs")]
#[cfg_attr(not(unix), path = "paths/other.rs")]
mod system;
#[cfg(test)]
#[cfg(unix)]
mod tests;

/// An opened folder in which files are read and written.
#[derive(Debug)]
pub struct Root {
    path: PathBuf,
    folder: system::Folder,
}

#[derive(Debug, thiserror::Error)]
pub enum PathError {
    #[error("{} is outside {}", path.display(), root.display())]
    Outside { path: PathBuf, root: PathBuf },
    #[error("{} leads through a link that was not there when it was permitted; try again", path.display())]
    Link { path: PathBuf },
    #[error(
        "{} has another name too (a hard link), and an editor would change what that name shows; make it a file of its own first",
        path.display()
    )]
    Shared { path: PathBuf },
    #[error("{} is no regular file, so it is neither read nor replaced", path.display())]
    Special { path: PathBuf },
    #[error("{} is no path that can be used: it needs a name without `..` at its end", path.display())]
    NoName { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Refuses a whole path that a write by its name would follow elsewhere: one with a link on its way, or a file that has
/// another name. For those who have somebody else do the writing.
///
/// # Errors
/// [`PathError`] if it leads elsewhere too, or nowhere.
pub fn leads_only_here(path: &Path) -> Result<(), PathError> {
    match leads_to(path.to_owned()) {
        Ok(place) if place == path && system::names_of(path) > 1 => Err(PathError::Shared { path: path.to_owned() }),
        Ok(place) if place == path => Ok(()),
        Ok(_) | Err(Nowhere::DeadLink { .. }) => Err(PathError::Link { path: path.to_owned() }),
        Err(Nowhere::UpFromNothing) => Err(PathError::NoName { path: path.to_owned() }),
        Err(Nowhere::Unreadable { source, .. }) => Err(PathError::Io { path: path.to_owned(), source }),
    }
}

impl Root {
    /// Opens a folder; its path becomes canonical.
    ///
    /// # Errors
    /// [`PathError::Io`] if it is none.
    pub fn open(path: &Path) -> Result<Self, PathError> {
        let failed = |source| PathError::Io { path: path.to_owned(), source };
        let canonical = path.canonicalize().map_err(failed)?;
        let folder = system::Folder::open(&canonical).map_err(failed)?;
        Ok(Self { path: canonical, folder })
    }

    /// The canonical path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a path leads, links followed; a relative one begins here. What is not there yet keeps its name.
    ///
    /// The answer may be outside: the rules decide about that.
    ///
    /// # Errors
    /// [`PathError`] if it leads nowhere.
    pub fn named(&self, path: &Path) -> Result<PathBuf, PathError> {
        let whole = self.path.join(path);
        leads_to(whole.clone()).map_err(|nowhere| match nowhere {
            Nowhere::DeadLink { .. } => PathError::Link { path: whole },
            Nowhere::UpFromNothing => PathError::NoName { path: whole },
            Nowhere::Unreadable { source, .. } => PathError::Io { path: whole, source },
        })
    }

    /// Opens a regular file to be read. A pipe, a device or a socket is refused without being opened.
    ///
    /// # Errors
    /// [`PathError`] if it is no such file, or not where it was.
    pub fn read(&self, path: &Path) -> Result<File, PathError> {
        let names = self.names(path)?;
        self.folder.read(&names).map_err(|error| error.at(path))
    }

    /// Writes a file whole: the old content or the new is there, never a part. Folders that are missing are made.
    ///
    /// # Errors
    /// [`PathError`] if nothing was written.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), PathError> {
        let names = self.names(path)?;
        self.folder.write(&names, bytes).map_err(|error| error.at(path))
    }

    /// Removes a regular file.
    ///
    /// # Errors
    /// [`PathError`] if it is not removed.
    pub fn remove(&self, path: &Path) -> Result<(), PathError> {
        let names = self.names(path)?;
        self.folder.remove(&names).map_err(|error| error.at(path))
    }

    /// The names from the root to the path, which must be inside, letter for letter.
    fn names<'a>(&self, path: &'a Path) -> Result<Vec<&'a str>, PathError> {
        let outside = || PathError::Outside { path: path.to_owned(), root: self.path.clone() };
        let relative = path.strip_prefix(&self.path).map_err(|_| outside())?;
        let name = |part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        };
        let names: Option<Vec<&str>> = relative.components().map(name).collect();
        match names {
            Some(names) if !names.is_empty() => Ok(names),
            _ => Err(PathError::NoName { path: path.to_owned() }),
        }
    }
}

/// What went wrong below the root, before the path is added.
#[derive(Debug)]
enum Refusal {
    Link,
    Special,
    Io(io::Error),
}

impl Refusal {
    fn at(self, path: &Path) -> PathError {
        let path = path.to_owned();
        match self {
            Self::Link => PathError::Link { path },
            Self::Special => PathError::Special { path },
            Self::Io(source) => PathError::Io { path, source },
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
