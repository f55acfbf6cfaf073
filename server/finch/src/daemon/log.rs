//! `daemon/daemon.log`: what a daemon without a terminal says, of this user alone, and bounded: when it is full it becomes
//! `daemon.log.1`, and the one that was there before goes.
//!
//! What native libraries write to stderr goes to the same file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context as _, Result};
use finch_http::endpoint::{FOLDER, LOG_FILE};

use super::lock;
use crate::limits::{LOG_BYTES_MAX, LOG_TAIL_BYTES, LOG_TAIL_LINES};

/// The file that is written to.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    path: PathBuf,
    bytes: u64,
    bytes_max: u64,
}

impl Log {
    /// Goes on with the file that is there. Only who holds the daemon's lock may.
    pub(super) fn open(home: &Path) -> Result<Mutex<Self>> {
        let path = lock::folder(home)?.join(LOG_FILE);
        let log = Self::at(path.clone(), LOG_BYTES_MAX);
        log.map(Mutex::new).with_context(|| format!("opening {}", path.display()))
    }

    fn at(path: PathBuf, bytes_max: u64) -> io::Result<Self> {
        let file = append(&path)?;
        take_stderr(&file)?;
        let bytes = file.metadata()?.len();
        Ok(Self { file, path, bytes, bytes_max })
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        let mut old = self.path.clone().into_os_string();
        old.push(".1");
        std::fs::rename(&self.path, old)?;
        self.file = append(&self.path)?;
        take_stderr(&self.file)?;
        self.bytes = 0;
        Ok(())
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.bytes_max {
            self.begin_anew()?;
        }
        let written = self.file.write(line)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The file as the place for what a process says before it knows whether it is the daemon.
pub(super) fn for_child(home: &Path) -> Result<File> {
    let path = lock::folder(home)?.join(LOG_FILE);
    append(&path).with_context(|| format!("opening {}", path.display()))
}

/// How long the file is; what comes later stands behind that.
pub(super) fn length(home: &Path) -> u64 {
    std::fs::metadata(path(home)).map_or(0, |metadata| metadata.len())
}

/// The last lines behind a place; empty if there are none.
pub(super) fn last_lines(home: &Path, behind: u64) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(path(home))?;
        let length = file.metadata()?.len();
        // A file that is shorter than before is another one.
        let behind = if behind > length { 0 } else { behind };
        file.seek(SeekFrom::Start(behind.max(length.saturating_sub(LOG_TAIL_BYTES))))?;
        let mut bytes = Vec::new();
        file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}

/// Where it is.
pub(crate) fn path(home: &Path) -> PathBuf {
    home.join(FOLDER).join(LOG_FILE)
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(all(unix, not(test)))]
fn take_stderr(file: &File) -> io::Result<()> {
    Ok(rustix::stdio::dup2_stderr(file)?)
}

/// Elsewhere, and in tests, stderr stays what it is.
#[cfg(any(not(unix), test))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
fn take_stderr(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Log, Write as _, last_lines, length, lock, path};

    #[test]
    fn a_log_is_bounded_and_keeps_one_that_is_old() {
        let home = tempfile::tempdir().unwrap();
        lock::folder(home.path()).unwrap();
        let path = path(home.path());
        let mut log = Log::at(path.clone(), 20).unwrap();
        for line in ["one, a line\n", "two, a line\n", "three, a line that is longer than all\n", "four\n", "five\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        let read = |path| std::fs::read_to_string(path).unwrap();
        assert_eq!(read(path.clone()), "four\nfive\n");
        assert_eq!(read(path.with_extension("log.1")), "three, a line that is longer than all\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        // It goes on where it was.
        Log::at(path.clone(), 20).unwrap().write_all(b"six\n").unwrap();
        assert_eq!(read(path), "four\nfive\nsix\n");
    }

    #[test]
    fn the_last_lines_are_those_behind_a_place() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!((length(home.path()), last_lines(home.path(), 0).as_str()), (0, ""));
        lock::folder(home.path()).unwrap();
        std::fs::write(path(home.path()), "before\n").unwrap();
        let behind = length(home.path());
        let lines: Vec<String> = (0..20).map(|number| format!("line {number}")).collect();
        std::fs::write(path(home.path()), format!("before\n{}\n", lines.join("\n"))).unwrap();
        let last = last_lines(home.path(), behind);
        assert!(last.ends_with("line 18\nline 19") && !last.contains("before"), "{last}");
        assert_eq!(last_lines(home.path(), length(home.path())), "");
        assert!(last_lines(home.path(), 1 << 20).ends_with("line 19"), "another file is read from its beginning");
    }
}
