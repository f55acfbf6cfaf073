//! Where a path of the model's leads to, with every link followed, so that what is permitted is what is used.

use std::{
    ffi::OsString,
    io,
    path::{Component, Path, PathBuf},
};

use crate::escape;

/// A path that leads nowhere. The text is told to the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    #[error("the path is empty; name a file")]
    Empty,
    #[error("the path has a NUL character in it; leave it out")]
    Nul,
    #[error("the path has {bytes} bytes; a path has at most {max}", max = crate::limits::PATH_BYTES_MAX)]
    TooLong { bytes: usize },
    #[error("{path} goes up from a folder that does not exist; name the file directly")]
    UpFromNothing { path: String },
    #[error("{path} is a link that leads to nothing; name the file itself")]
    DeadLink { path: String },
    #[error("{path} cannot be looked up: {reason}")]
    Unreadable { path: String, reason: String },
}

/// The canonical form of `given`, read from the folder `workspace`; of a file that does not exist, that of the nearest
/// parent that does. Blocks for as long as the disk takes.
///
/// # Errors
/// [`BadPath`] if no file can be meant.
pub fn resolve(workspace: &Path, given: &str) -> Result<PathBuf, BadPath> {
    if given.is_empty() {
        return Err(BadPath::Empty);
    }
    if given.contains('\0') {
        return Err(BadPath::Nul);
    }
    if given.len() > crate::limits::PATH_BYTES_MAX {
        return Err(BadPath::TooLong { bytes: given.len() });
    }
    leads_to(workspace.join(given)).map_err(|nowhere| match nowhere {
        Nowhere::DeadLink { path } => BadPath::DeadLink { path: escape::path(&path) },
        Nowhere::UpFromNothing => BadPath::UpFromNothing { path: escape::text(given).into_owned() },
        Nowhere::Unreadable { path, source } => {
            BadPath::Unreadable { path: escape::path(&path), reason: source.to_string() }
        }
    })
}

/// Why a path leads to no file, not even to one that could be made.
#[derive(Debug)]
pub(crate) enum Nowhere {
    DeadLink {
        path: PathBuf,
    },
    /// It goes up from a folder that does not exist.
    UpFromNothing,
    Unreadable {
        path: PathBuf,
        source: io::Error,
    },
}

/// Where a whole path leads, links followed; what is not there yet keeps its name.
pub(crate) fn leads_to(mut known: PathBuf) -> Result<PathBuf, Nowhere> {
    let mut missing: Vec<OsString> = Vec::new();
    loop {
        match known.canonicalize() {
            Ok(canonical) => return Ok(missing.iter().rev().fold(canonical, |path, name| path.join(name))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Below a file there is nothing; the caller will hear so.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {}
            Err(source) => return Err(Nowhere::Unreadable { path: known, source }),
        }
        // A link that leads to nothing is no name for a new file.
        if known.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
            return Err(Nowhere::DeadLink { path: known });
        }
        let Some(Component::Normal(name)) = known.components().next_back() else { return Err(Nowhere::UpFromNothing) };
        missing.push(name.to_owned());
        known.pop();
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(root: &Path, given: &str, expected: Result<&str, &str>) {
        match (resolve(root, given), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, root.parent().unwrap().join(expected)),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            other => panic!("{given}: {other:?}"),
        }
    }

    #[test]
    fn a_path_is_where_its_links_lead() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let root = top.join("ws");
        std::fs::create_dir_all(root.join("src")).unwrap();
        std::fs::write(top.join("secret"), "").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
        std::os::unix::fs::symlink("../gone", root.join("dead")).unwrap();
        std::os::unix::fs::symlink("..", root.join("up")).unwrap();
        check(&root, "src/a.rs", Ok("ws/src/a.rs"));
        check(&root, "./src/../new/b.rs", Ok("ws/new/b.rs"));
        check(&root, "../secret", Ok("secret"));
        check(&root, "link", Ok("secret"));
        check(&root, "up/fresh", Ok("fresh"));
        check(&root, "dead", Err("leads to nothing"));
        check(&root, "new/../../x", Err("goes up"));
        check(&root, "secret/../x", Err("goes up"));
        check(&root, "", Err("empty"));
        check(&root, "a\0b", Err("NUL"));
        check(&root, &"a/".repeat(5000), Err("10000 bytes"));
    }
}
