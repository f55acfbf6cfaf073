//! The folder that a command has for itself: its temporary files, and the layers of its overlay.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Removed when it is dropped, whatever the command made in it.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: Option<PathBuf>,
}

impl Scratch {
    /// A new one, for this user alone.
    pub(crate) fn make() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("finch-command-").tempdir()?.keep();
        let scratch = Self { folder: Some(folder.canonicalize()?) };
        for inner in [scratch.temporary(), scratch.layers(), scratch.contents()] {
            fs::create_dir(inner)?;
        }
        Ok(scratch)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_deref().unwrap_or(Path::new(""))
    }

    /// For the command's temporary files; all else is out of its reach.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.folder().join("temporary")
    }

    pub(crate) fn layers(&self) -> PathBuf {
        self.folder().join("layers")
    }

    /// For the texts of staged edits.
    pub(crate) fn contents(&self) -> PathBuf {
        self.folder().join("contents")
    }

    /// Leaves it to the keeper.
    pub(crate) fn leave(mut self) {
        self.folder = None;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take()
            && let Err(error) = remove(&folder)
        {
            tracing::warn!("{} is left over: {error}", folder.display());
        }
    }
}

/// Removes a folder that a command wrote in: it may have made folders that their owner cannot enter.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    let gone = |removed: io::Result<()>| match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    };
    gone(fs::remove_dir_all(folder)).or_else(|_| {
        open_up(folder);
        gone(fs::remove_dir_all(folder))
    })
}

/// Gives the owner back the rights over every folder. What fails shows when it is removed.
fn open_up(folder: &Path) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        #[cfg(unix)]
        if let Err(error) = fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)) {
            tracing::debug!("{}: {error}", folder.display());
        }
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        folders.extend(entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|it| it.path()));
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn folders_that_cannot_be_entered_are_removed_and_links_are_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("kept"), "").unwrap();
        let scratch = Scratch::make().unwrap();
        let folder = scratch.folder().to_owned();
        let closed = scratch.temporary().join("a/b");
        fs::create_dir_all(&closed).unwrap();
        fs::write(closed.join("f"), "").unwrap();
        std::os::unix::fs::symlink(outside.path(), closed.join("link")).unwrap();
        for closed in [closed.as_path(), closed.parent().unwrap()] {
            let none: Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o000);
            fs::set_permissions(closed, none).unwrap();
        }
        // Even where nothing is closed to the user of the test.
        open_up(&folder);
        drop(scratch);
        assert!(!folder.exists());
        assert!(outside.path().join("kept").exists());
        remove(&folder).unwrap();
    }
}
