//! A change set as plain data, for whoever keeps it longer than a process lives.

use std::{path::PathBuf, sync::Arc};

use super::{Base, ChangeSet, FileChange};
use crate::view::Encoding;

/// One file of a change set. What editors number and what is in conflict is no part of it: neither outlives a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainChange {
    pub path: PathBuf,
    /// The name that the file had before.
    pub renamed_from: Option<PathBuf>,
    /// The text before; none if there was no such file.
    pub base: Option<Arc<str>>,
    /// How the text before was spelt in bytes.
    pub encoding: Encoding,
    /// The text after; none if the file goes.
    pub after: Option<Arc<str>>,
}

impl ChangeSet {
    /// The set as data, in the order of its paths.
    #[must_use]
    pub fn to_plain(&self) -> Vec<PlainChange> {
        let plain = |(path, file): (&PathBuf, &FileChange)| PlainChange {
            path: path.clone(),
            renamed_from: self.renames.get(path).cloned(),
            base: file.base.text.clone(),
            encoding: file.base.encoding,
            after: file.after.clone(),
        };
        self.files.iter().map(plain).collect()
    }

    /// The set of this data. Of two changes of one file the later counts.
    #[must_use]
    pub fn from_plain(changes: impl IntoIterator<Item = PlainChange>) -> Self {
        let mut set = Self::default();
        for PlainChange { path, renamed_from, base, encoding, after } in changes {
            if let Some(from) = renamed_from {
                set.renames.insert(path.clone(), from);
            }
            let base = Base { text: base, version: None, encoding };
            if base.text != after {
                set.files.insert(path, FileChange { base, after, conflict: None });
            }
        }
        set
    }
}
