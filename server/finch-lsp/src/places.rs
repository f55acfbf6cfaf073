//! Which file an open document is. Pure but for [`place_of`], which asks the disk once.
//!
//! Editors name a document by whatever path the user took; the agent knows a file by its canonical path. Both ways are
//! kept from the moment a document opens.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::path::folder_of;

/// The open documents that are files.
#[derive(Debug, Default)]
pub(crate) struct Places {
    of_uri: HashMap<String, PathBuf>,
    /// The documents of a file, the newest last.
    of_path: HashMap<PathBuf, Vec<String>>,
}

impl Places {
    pub(crate) fn open(&mut self, uri: String, path: PathBuf) {
        self.close(&uri);
        self.of_path.entry(path.clone()).or_default().push(uri.clone());
        self.of_uri.insert(uri, path);
    }

    pub(crate) fn close(&mut self, uri: &str) {
        let Some(path) = self.of_uri.remove(uri) else { return };
        if let Some(uris) = self.of_path.get_mut(&path) {
            uris.retain(|other| other != uri);
            if uris.is_empty() {
                self.of_path.remove(&path);
            }
        }
    }

    /// The document that is the file; of several the one that was opened last.
    pub(crate) fn uri(&self, path: &Path) -> Option<&str> {
        self.of_path.get(path)?.last().map(String::as_str)
    }

    pub(crate) fn path(&self, uri: &str) -> Option<&Path> {
        self.of_uri.get(uri).map(PathBuf::as_path)
    }

    /// The files that are open, in order.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = self.of_path.keys().cloned().collect();
        paths.sort();
        paths
    }
}

/// The canonical path of the file that a URI names; of one that is not there yet, that of the nearest folder that is.
pub(crate) fn place_of(uri: &str) -> Option<PathBuf> {
    let path = folder_of(uri)?;
    finch_agent::view::resolve(Path::new("/"), path.to_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_document_of_a_file_counts() {
        let mut places = Places::default();
        places.open("file:///a".to_owned(), "/x".into());
        places.open("file:///link".to_owned(), "/x".into());
        assert_eq!(places.uri(Path::new("/x")), Some("file:///link"));
        places.close("file:///link");
        assert_eq!(places.uri(Path::new("/x")), Some("file:///a"));
        places.open("file:///a".to_owned(), "/y".into());
        assert_eq!((places.uri(Path::new("/x")), places.path("file:///a")), (None, Some(Path::new("/y"))));
        assert_eq!(places.paths(), [PathBuf::from("/y")]);
        places.close("file:///unknown");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let real = folder.path().canonicalize().expect("it is there").join("real.rs");
        std::fs::write(&real, "").expect("it can be written");
        std::os::unix::fs::symlink(&real, folder.path().join("link.rs")).expect("a link");
        let uri = |name: &str| format!("file://{}", folder.path().join(name).display());
        assert_eq!(place_of(&uri("link.rs")), Some(real.clone()));
        assert_eq!(place_of(&uri("new.rs")), Some(real.with_file_name("new.rs")));
        assert_eq!(place_of("untitled:Untitled-1"), None);
    }
}
