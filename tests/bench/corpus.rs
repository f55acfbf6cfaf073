//! Code to measure with: what stands on every machine that builds finch, the sources of its own dependencies and
//! Python's standard library. Chosen by a fixed rule, so that two runs on one machine ask the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

const FILE_BYTES_MIN: u64 = 3_000;
const FILE_BYTES_MAX: u64 = 60_000;

/// A language of the corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    Rust,
}

/// Files of a language in a fixed order that mixes folders.
pub(crate) fn files(language: Language) -> Result<Vec<PathBuf>> {
    let (folder, extension) = match language {
        Language::Python => (python_library()?, "py"),
        Language::Rust => (cargo_sources()?, "rs"),
    };
    let mut found = Vec::new();
    collect(&folder, extension, 4, &mut found);
    found.sort_by_cached_key(|path| scramble(&path.strip_prefix(&folder).unwrap_or(path).to_string_lossy()));
    ensure!(found.len() > 50, "only {} files under {}", found.len(), folder.display());
    Ok(found)
}

/// About `bytes` of one file's text from a line's start, another one for each number.
pub(crate) fn snippet(number: usize, bytes: usize) -> Result<String> {
    let files = files(Language::Python)?;
    let mut texts =
        files.iter().filter_map(|path| std::fs::read_to_string(path).ok()).filter(|t| t.len() > bytes + 2_000);
    let text = texts.nth(number).context("the corpus is too small")?;
    let start = text[1_000..].find('\n').map_or(1_000, |at| 1_001 + at);
    Ok(text[start..text.floor_char_boundary(start + bytes)].to_owned())
}

fn collect(folder: &Path, extension: &str, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(meta) = entry.metadata() else { continue };
        let name = entry.file_name();
        if meta.is_dir() {
            let skipped = ["test", "tests", "site-packages", "generated", "idlelib"];
            if depth > 0 && !skipped.iter().any(|skip| name == *skip) {
                collect(&path, extension, depth - 1, found);
            }
        } else if path.extension().is_some_and(|e| e == extension)
            && (FILE_BYTES_MIN..FILE_BYTES_MAX).contains(&meta.len())
        {
            found.push(path);
        }
    }
}

/// FNV-1a: an order that has nothing to do with names.
pub(crate) fn scramble(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn python_library() -> Result<PathBuf> {
    let output =
        Command::new("python3").args(["-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"]).output()?;
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

fn cargo_sources() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).context("no CARGO_HOME")?;
    Ok(cargo.join("registry/src"))
}
