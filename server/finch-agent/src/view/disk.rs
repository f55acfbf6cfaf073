//! Reads a file without waiting for anything and without following a link at its end.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    path::Path,
};

use crate::limits::FILE_BYTES_MAX;

/// What is at a path.
#[derive(Debug)]
pub(crate) enum Found {
    Bytes(Vec<u8>),
    Nothing,
    Folder,
    Special,
    TooLarge { bytes: u64 },
}

/// A plain file, opened.
#[derive(Debug)]
pub(crate) enum Opened {
    File { file: File, bytes: u64 },
    Nothing,
    Folder,
    Special,
}

/// The bytes of the file at a canonical path.
pub(crate) fn read(path: &Path) -> io::Result<Found> {
    let (file, size) = match open(path)? {
        Opened::File { file, bytes } => (file, bytes),
        Opened::Nothing => return Ok(Found::Nothing),
        Opened::Folder => return Ok(Found::Folder),
        Opened::Special => return Ok(Found::Special),
    };
    if size > FILE_BYTES_MAX {
        return Ok(Found::TooLarge { bytes: size });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // Files of the system say they are empty and are not.
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Ok(Found::TooLarge { bytes: bytes.len() as u64 });
    }
    Ok(Found::Bytes(bytes))
}

/// Opens a file. A pipe or a device is closed again at once.
pub(crate) fn open(path: &Path) -> io::Result<Opened> {
    let file = match open_unlinked(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Opened::Nothing);
        }
        // A socket cannot be opened; on Windows neither can a folder.
        Err(error) => {
            let kind = std::fs::symlink_metadata(path)?.file_type();
            return match (kind.is_dir(), kind.is_file() || kind.is_symlink()) {
                (true, _) => Ok(Opened::Folder),
                (false, false) => Ok(Opened::Special),
                (false, true) => Err(error),
            };
        }
    };
    let metadata = file.metadata()?;
    Ok(if metadata.is_dir() {
        Opened::Folder
    } else if metadata.is_file() {
        Opened::File { bytes: metadata.len(), file }
    } else {
        Opened::Special
    })
}

/// Opens a canonical path. A link anywhere in it was not there when it was looked up, and is not followed.
#[cfg(target_os = "linux")]
fn open_unlinked(path: &Path) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    // A pipe without a writer would be waited for.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS) {
        Ok(file) => Ok(File::from(file)),
        // A kernel before 5.6, or one that is told to say so.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => options().open(path),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn open_unlinked(path: &Path) -> io::Result<File> {
    options().open(path)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY);
    }
    options
}
