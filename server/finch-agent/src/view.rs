//! What the tools see of a file: the editor's text where it is open, the disk's elsewhere, with the staged edits on it.
//!
//! Reading a file never waits: what is no plain file is not opened to the end, and what is too large is not read.
//! Invariant: what somebody typed meanwhile is seen before what the agent staged; where the two meet, the agent sees
//! what was typed.

mod decode;
pub(crate) mod disk;
mod place;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use finch_text::Document;

use crate::changes::{Base, ChangeSet, Standing};

pub use decode::Encoding;
pub(crate) use decode::{Decoded, decode};
pub use place::{BadPath, resolve};
pub(crate) use place::{Nowhere, leads_to};

/// An open document of the editor.
#[derive(Debug, Clone)]
pub struct Buffer {
    pub document: Document,
    pub version: i64,
}

/// The documents that are open in the editor. Paths are canonical.
pub trait Buffers: Send + Sync {
    /// The document as it is now, saved or not; none if it is not open.
    fn buffer(&self, path: &Path) -> Option<Buffer>;

    /// The files that are open.
    fn paths(&self) -> Vec<PathBuf>;
}

/// No editor: nothing is open.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBuffers;

impl Buffers for NoBuffers {
    fn buffer(&self, _path: &Path) -> Option<Buffer> {
        None
    }

    fn paths(&self) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// What there is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Text(Seen),
    /// Nothing; `base` says whether something is there that is staged to be removed.
    Missing {
        base: Base,
    },
    Folder,
    /// Neither a file nor a folder: a device, a socket, a pipe.
    Special,
    Image {
        format: &'static str,
        bytes: u64,
    },
    /// Bytes that are no text of a known encoding.
    Binary {
        bytes: u64,
    },
    TooLarge {
        bytes: u64,
    },
}

/// The text of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub text: Arc<str>,
    /// What edits of it are to be staged against.
    pub base: Base,
    pub standing: Standing,
}

/// Where the tools read. A clone sees the same.
#[derive(Clone)]
pub struct View {
    buffers: Arc<dyn Buffers>,
    changes: Arc<Mutex<ChangeSet>>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl View {
    #[must_use]
    pub fn new(buffers: Arc<dyn Buffers>, changes: Arc<Mutex<ChangeSet>>) -> Self {
        Self { buffers, changes }
    }

    /// The staged edits. The lock is held for a moment only.
    pub fn changes(&self) -> MutexGuard<'_, ChangeSet> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is at a canonical path. Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// The system's, if it cannot be read.
    pub fn look(&self, path: &Path) -> io::Result<Content> {
        match self.buffers.buffer(path) {
            Some(buffer) => {
                let base = Base {
                    text: Some(buffer.document.text().into()),
                    version: Some(buffer.version),
                    encoding: Encoding::Utf8,
                };
                Ok(self.with_staged(path, base))
            }
            None => self.look_at_disk(path),
        }
    }

    /// What edits of the file at a canonical path are to be staged against; none if there is something else than a text.
    /// Blocks for as long as the disk takes.
    ///
    /// # Errors
    /// The system's, if it cannot be read.
    pub fn base(&self, path: &Path) -> io::Result<Option<Base>> {
        Ok(match self.look(path)? {
            Content::Text(seen) => Some(seen.base),
            Content::Missing { base } => Some(base),
            _ => None,
        })
    }

    /// The files whose text is not the disk's.
    #[must_use]
    pub fn overlaid(&self) -> Vec<PathBuf> {
        let mut paths = self.buffers.paths();
        paths.extend(self.changes().paths().map(Path::to_owned));
        paths.sort();
        paths.dedup();
        paths
    }

    fn look_at_disk(&self, path: &Path) -> io::Result<Content> {
        let bytes = match disk::read(path)? {
            disk::Found::Bytes(bytes) => bytes,
            disk::Found::Nothing => return Ok(self.with_staged(path, Base::default())),
            disk::Found::Folder => return Ok(Content::Folder),
            disk::Found::Special => return Ok(Content::Special),
            disk::Found::TooLarge { bytes } => return Ok(Content::TooLarge { bytes }),
        };
        let count = bytes.len() as u64;
        Ok(match decode(bytes) {
            Decoded::Text { text, encoding } => {
                self.with_staged(path, Base { text: Some(text.into()), version: None, encoding })
            }
            Decoded::Image { format } => Content::Image { format, bytes: count },
            Decoded::Binary => Content::Binary { bytes: count },
        })
    }

    fn with_staged(&self, path: &Path, base: Base) -> Content {
        let mut changes = self.changes();
        let standing = changes.rebase(path, &base);
        let text = match changes.staged(path) {
            Some(staged) => staged.cloned(),
            None => base.text.clone(),
        };
        match text {
            Some(text) => Content::Text(Seen { text, base, standing }),
            None => Content::Missing { base },
        }
    }
}

impl Content {
    /// What it is, in words, for a tool that needs text.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Text(_) => "is a text file".to_owned(),
            Self::Missing { .. } => "does not exist".to_owned(),
            Self::Folder => "is a folder".to_owned(),
            Self::Special => "is neither a file nor a folder".to_owned(),
            Self::Image { format, bytes } => format!("is a picture ({format}, {bytes} bytes), which is not shown"),
            Self::Binary { bytes } => format!("is no text in UTF-8 or UTF-16 ({bytes} bytes), and is not shown"),
            Self::TooLarge { bytes } => {
                format!("has {bytes} bytes; files up to {} are read", crate::limits::FILE_BYTES_MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests;
