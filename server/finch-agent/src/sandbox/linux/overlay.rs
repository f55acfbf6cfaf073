//! A throw-away workspace: one that looks like the real one, with staged edits on it, at the same path.
//!
//! It is laid over the real one in the keeper's namespace of mounts, so that nothing of a big tree is copied, and what
//! the command writes lands in a folder that is removed.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::mount::MountFlags;

use super::SetUpError;
use crate::paths::{PathError, Root};
use crate::sandbox::Overlay;

/// Lays the throw-away workspace over the real one, and makes the staged edits in it.
pub(super) fn mount(workspace: &Path, overlay: &Overlay) -> Result<(), SetUpError> {
    let (upper, work) = (overlay.layers.join("upper"), overlay.layers.join("work"));
    fs::create_dir(&upper)?;
    fs::create_dir(&work)?;
    // The folder itself looks like the real one too.
    fs::set_permissions(&upper, fs::metadata(workspace)?.permissions())?;
    let mut options = b"userxattr".to_vec();
    for (name, folder) in [("lowerdir", workspace), ("upperdir", &upper), ("workdir", &work)] {
        options.extend_from_slice(format!(",{name}=").as_bytes());
        options.extend(escaped(folder));
    }
    let options = CString::new(options).map_err(io::Error::from)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("overlay", workspace, "overlay", flags, options.as_c_str())
        .map_err(|error| SetUpError::Overlay(error.into()))?;
    stage(workspace, overlay)
}

/// A path as an option: a colon stands between layers, a comma between options.
fn escaped(path: &Path) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(path.as_os_str().len());
    for &byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'\\' | b',' | b':') {
            escaped.push(b'\\');
        }
        escaped.push(byte);
    }
    escaped
}

/// Every write goes through the mount, and through no link.
fn stage(workspace: &Path, overlay: &Overlay) -> Result<(), SetUpError> {
    let root = Root::open(workspace)?;
    for staged in &overlay.staged {
        let Some(content) = &staged.content else {
            match root.remove(&staged.path) {
                Err(PathError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => continue,
                removed => removed?,
            }
            continue;
        };
        root.write(&staged.path, &fs::read(content)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_be_read_as_another_option() {
        let text = |path: &str| String::from_utf8(escaped(Path::new(path))).unwrap();
        assert_eq!(text("/a/b"), "/a/b");
        assert_eq!(text("/a,upperdir=/b:c\\d"), "/a\\,upperdir=/b\\:c\\\\d");
    }
}
