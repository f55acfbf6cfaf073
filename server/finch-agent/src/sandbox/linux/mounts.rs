//! Namespaces around the command: processes of its own, and guarded entries of the workspace mounted read-only.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;
use rustix::mount::{MountFlags, MountPropagationFlags, mount_bind_recursive, mount_change, mount_remount};
use rustix::thread::UnshareFlags;

use super::SetUpError;
use crate::limits::{GUARDED_DEPTH_MAX, GUARDED_ENTRIES_MAX};
use crate::rules::is_guarded_name;
use crate::sandbox::Spec;

/// Puts this process, and its children, into namespaces of their own.
pub(super) fn enter() -> Result<(), SetUpError> {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    let flags = UnshareFlags::NEWUSER | UnshareFlags::NEWNS | UnshareFlags::NEWPID;
    #[expect(unsafe_code, reason = "the one danger is in shared tables of open files, which are left alone")]
    // SAFETY: `UnshareFlags::FILES` is not among the flags.
    unsafe {
        rustix::thread::unshare_unsafe(flags)?;
    }
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{0} {0} 1", user.as_raw()))?;
    fs::write("/proc/self/gid_map", format!("{0} {0} 1", group.as_raw()))?;
    Ok(mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?)
}

/// Mounts every guarded entry over itself, read-only.
pub(super) fn guard(spec: &Spec) -> Result<(), SetUpError> {
    guarded(&spec.workspace).iter().try_for_each(|path| read_only(path))
}

/// Guarded entries directly in the workspace.
pub(super) fn guarded_at_top(workspace: &Path) -> Vec<PathBuf> {
    entries(workspace).into_iter().filter(|path| is_guarded(path)).collect()
}

/// Guarded entries, also those of repositories within, as deep as is looked.
fn guarded(workspace: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![(workspace.to_owned(), 0)];
    let mut looked = 0;
    while let Some((folder, depth)) = folders.pop() {
        for path in entries(&folder) {
            looked += 1;
            if is_guarded(&path) {
                found.push(path);
            } else if depth < GUARDED_DEPTH_MAX && looked < GUARDED_ENTRIES_MAX && is_folder(&path) {
                folders.push((path, depth + 1));
            }
        }
    }
    found
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).map(|all| all.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

fn is_guarded(path: &Path) -> bool {
    path.file_name().is_some_and(|name| is_guarded_name(&name.to_string_lossy()))
}

fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|data| data.is_dir())
}

fn read_only(path: &Path) -> Result<(), SetUpError> {
    if path.symlink_metadata()?.is_symlink() {
        // What it leads to is outside, or guarded itself.
        return Ok(());
    }
    mount_bind_recursive(path, path)?;
    // A namespace may not take away what the mount outside has.
    let has = rustix::fs::statvfs(path)?.f_flag;
    let kept = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    let kept = kept.into_iter().filter(|(flag, _)| has.contains(*flag)).map(|(_, flag)| flag);
    let flags = kept.fold(MountFlags::BIND | MountFlags::RDONLY, |all, flag| all | flag);
    Ok(mount_remount(path, flags, c"")?)
}
