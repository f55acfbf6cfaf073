//! The files of the ledger: `YYYY-MM.jsonl`, one a month, for their owner alone.
//!
//! Invariant: every line begins at the beginning of a line, also after a write that the disk cut short.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::calendar::{Moment, Month};
use crate::limits::LEDGER_MONTHS_MAX;

const ENDING: &str = "jsonl";

/// Adds a line to the file of its month, in one write.
pub(super) fn append(folder: &Path, at_ms: u64, line: &str) -> io::Result<()> {
    let month = Moment::of(at_ms).month();
    let mut file = open(folder, month)?;
    let torn = if ends_torn(&mut file)? { "\n" } else { "" };
    let whole = format!("{torn}{line}\n");
    loop {
        match file.write(whole.as_bytes()) {
            Ok(written) if written == whole.len() => return Ok(()),
            // The rest must not follow what another process wrote meanwhile.
            Ok(_) => return Err(io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The files from `month` on, oldest first. A folder that is not there has none.
pub(super) fn from(folder: &Path, month: Month) -> io::Result<Vec<PathBuf>> {
    let mut files = all(folder)?;
    files.retain(|(of, _)| *of >= month);
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// Opens the file of a month; when that begins, what is too old goes.
fn open(folder: &Path, month: Month) -> io::Result<File> {
    let path = folder.join(format!("{month}.{ENDING}"));
    match private().open(&path) {
        Ok(file) => return Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    make_folder(folder)?;
    match private().create_new(true).open(&path) {
        Ok(file) => {
            forget(folder, month);
            Ok(file)
        }
        // Another process was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => private().open(&path),
        Err(error) => Err(error),
    }
}

/// Whether the last line has no end.
fn ends_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Removes the files that are too old. What cannot be removed stays until next month.
fn forget(folder: &Path, now: Month) {
    let files = all(folder).unwrap_or_default();
    for (_, path) in files.into_iter().filter(|(month, _)| now.since(*month) > LEDGER_MONTHS_MAX) {
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(%error, path = %path.display(), "an old file of the ledger cannot be removed");
        }
    }
}

fn all(folder: &Path) -> io::Result<Vec<(Month, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let month = path.file_stem().and_then(|stem| Month::parse(stem.to_str()?));
        if let Some(month) = month.filter(|_| path.extension().is_some_and(|ending| ending == ENDING)) {
            found.push((month, path));
        }
    }
    found.sort();
    Ok(found)
}

/// The folder, readable by its owner alone.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// To read and append; what is made so is readable by its owner alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
