//! Writes `corpus.toml` anew: for each package that it names, the files to ask about and their hashes.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, ensure};

use crate::corpus::{Manifest, Registry, digest, scramble};
use crate::language::Language;

const FILES_PER_PACKAGE_MAX: usize = 10;
const FILE_BYTES_MIN: u64 = 3_000;
const FILE_BYTES_MAX: u64 = 40_000;
const LINES_MIN: usize = 80;
const LINE_BYTES_MAX: usize = 200;

pub(crate) fn pin() -> Result<()> {
    let manifest = Manifest::read()?;
    let mut page = "# The files that tests/eval asks about. Add a package without files, run tests/support/install-corpus.sh and\n\
                    # `cargo bench --bench eval -- pin`.\n"
        .to_owned();
    for package in &manifest.packages {
        let folder = package.folder()?;
        let mut found = Vec::new();
        collect(&folder, &folder, package.language, &mut found)?;
        ensure!(!found.is_empty(), "nothing to ask about under {}", folder.display());
        found.sort_by_cached_key(|(path, _)| scramble(path));
        found.truncate(FILES_PER_PACKAGE_MAX);
        found.sort();
        println!("{:<40} {:>3} files", package.name, found.len());
        let from = match package.from {
            Registry::Cargo => "cargo",
            Registry::Pip => "pip",
            Registry::Npm => "npm",
            Registry::Debian => "debian",
        };
        write!(
            page,
            "\n[[packages]]\nlanguage = \"{}\"\nfrom = \"{from}\"\nname = \"{}\"\nversion = \"{}\"\n[packages.files]\n",
            package.language.id(),
            package.name,
            package.version
        )?;
        for (path, hash) in found {
            writeln!(page, "{path:?} = \"{hash}\"")?;
        }
    }
    std::fs::write(Manifest::path(), page)?;
    Ok(())
}

fn collect(root: &Path, folder: &Path, language: Language, found: &mut Vec<(String, String)>) -> Result<()> {
    for entry in std::fs::read_dir(folder)?.flatten() {
        let (path, meta) = (entry.path(), entry.metadata()?);
        let name = entry.file_name().to_string_lossy().into_owned();
        if meta.is_dir() {
            if !["test", "tests", "testdata", "benches", "examples", "generated", "_vendor"].contains(&name.as_str()) {
                collect(root, &path, language, found)?;
            }
        } else if (FILE_BYTES_MIN..FILE_BYTES_MAX).contains(&meta.len()) && is_source(&name, language) {
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let is_written = text.lines().all(|line| line.len() < LINE_BYTES_MAX) && !text.contains("DO NOT EDIT");
            if is_written && text.lines().count() >= LINES_MIN && !text.contains('\r') && language.parses(&text)? {
                let inside = path.strip_prefix(root)?.to_string_lossy().into_owned();
                found.push((inside, digest(text.as_bytes())));
            }
        }
    }
    Ok(())
}

fn is_source(name: &str, language: Language) -> bool {
    let is_test = ["_test.", ".test.", ".spec.", "test_", ".d.ts", ".pb."].iter().any(|part| name.contains(part));
    !is_test && name.ends_with(&format!(".{}", language.extension()))
}
