//! The layout of `FINCH_HOME`, and the one way to save a file in it.
//!
//! Where the home is, the binary decides; this module never looks at the environment. Whoever saves a file calls
//! [`write_atomic`]: a reader sees the old file or the new one, also after a power cut.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use crate::manifest::ModelId;

/// The directory finch keeps everything in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// Where built models live, one directory each.
    #[must_use]
    pub fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// The directory of one built model. It is whole if it exists.
    #[must_use]
    pub fn model(&self, id: &ModelId) -> PathBuf {
        self.models().join(id)
    }

    /// Where source weights arrive. No model id begins with a dot, so it is never taken for a model.
    #[must_use]
    pub fn downloads(&self) -> PathBuf {
        self.models().join(".downloads")
    }

    /// Where computed state outlives a process, if the user wants it to.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Where it is kept which models were loaded on this machine before.
    #[must_use]
    pub fn tried(&self) -> PathBuf {
        self.root.join("tried")
    }

    /// Where the ONNX Runtime library lives.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.root.join("runtime")
    }
}

/// Saves a file: temporary file beside it, fsync, rename, fsync of the directory.
///
/// The directory is made if missing. On Unix the file is readable by its owner alone.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = parent(path)?;
    fs::create_dir_all(dir)?;
    let mut temporary = tempfile::Builder::new().prefix(".saving-").tempfile_in(dir)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_dir(dir)
}

/// Moves a file or directory that is synced already to its final name, and makes the move itself durable.
pub(crate) fn rename_durably(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_dir(parent(to)?)
}

/// Makes the names in a directory durable.
#[cfg(unix)]
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

/// Windows has no handle to sync a directory by; a rename there is journalled by the file system.
#[cfg(not(unix))]
pub(crate) fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

fn parent(path: &Path) -> io::Result<&Path> {
    match path.parent() {
        Some(dir) if dir.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(dir) => Ok(dir),
        None => Err(io::Error::new(io::ErrorKind::InvalidInput, "not the path of a file")),
    }
}

#[cfg(test)]
mod tests;
