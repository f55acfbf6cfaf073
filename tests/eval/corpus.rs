//! The code that is asked about: files of published packages, each pinned by its hash in `corpus.toml`.
//!
//! tests/support/install-corpus.sh fetches the packages. A file that is missing or differs is said and left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::language::Language;

/// Of the pinned files, this share must be there.
const PRESENT_SHARE_MIN: f64 = 0.9;

/// The pinned packages: `corpus.toml`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) packages: Vec<Package>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Package {
    pub(crate) language: Language,
    pub(crate) from: Registry,
    pub(crate) name: String,
    pub(crate) version: String,
    /// Paths inside the package, and the SHA-256 of each file.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
}

/// Where a package comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Registry {
    Cargo,
    Pip,
    Npm,
    Debian,
}

/// A file of the corpus.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) language: Language,
    pub(crate) package: String,
    /// Inside its package, with `/` between folders.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The pinned files that are there, in an order that mixes packages.
pub(crate) fn files() -> Result<Vec<File>> {
    let manifest = Manifest::read()?;
    let (mut found, mut pinned) = (Vec::new(), 0);
    for package in &manifest.packages {
        let folder = package.folder()?;
        for (path, hash) in &package.files {
            pinned += 1;
            match std::fs::read(folder.join(path)) {
                Ok(bytes) if digest(&bytes) == *hash => found.push(File {
                    language: package.language,
                    package: package.name.clone(),
                    path: path.clone(),
                    text: String::from_utf8(bytes)?,
                }),
                Ok(_) => println!("left out, it is another version: {}", folder.join(path).display()),
                Err(error) => println!("left out, {error}: {}", folder.join(path).display()),
            }
        }
    }
    ensure!(
        found.len() as f64 >= PRESENT_SHARE_MIN * f64::from(pinned),
        "only {} of {pinned} files of the corpus are there: run tests/support/install-corpus.sh",
        found.len()
    );
    found.sort_by_cached_key(|file| scramble(&format!("{}/{}", file.package, file.path)));
    Ok(found)
}

/// Files of the same package that somebody who works on this one would have open, nearest first.
pub(crate) fn neighbours(files: &[File], of: usize, count: usize) -> Vec<&File> {
    let file = &files[of];
    let folder = |path: &str| path.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
    let stem = |path: &str| path.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or("").to_owned();
    let mut others: Vec<(bool, bool, usize)> = (0..files.len())
        .filter(|&at| at != of && files[at].package == file.package && files[at].language == file.language)
        .map(|at| {
            let is_named = file.text.contains(&stem(&files[at].path));
            (!is_named, folder(&files[at].path) != folder(&file.path), at)
        })
        .collect();
    others.sort_unstable();
    others.into_iter().take(count).map(|(_, _, at)| &files[at]).collect()
}

/// FNV-1a: an order that has nothing to do with names.
pub(crate) fn scramble(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Manifest {
    pub(crate) fn path() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/eval/corpus.toml")
    }

    pub(crate) fn read() -> Result<Self> {
        let path = Self::path();
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(toml::from_str(&text)?)
    }
}

impl Package {
    /// Where its files stand on this machine.
    pub(crate) fn folder(&self) -> Result<PathBuf> {
        let name = format!("{}-{}", self.name.replace('/', "-").replace('@', ""), self.version);
        match self.from {
            Registry::Cargo => {
                let registries = std::fs::read_dir(cargo_home()?.join("registry/src"));
                let registries = registries.context("cargo keeps no sources here: run cargo fetch")?;
                let folders = registries.flatten().map(|registry| registry.path().join(&name));
                Ok(folders.into_iter().find(|folder| folder.is_dir()).unwrap_or_else(|| PathBuf::from(&name)))
            }
            Registry::Pip | Registry::Npm | Registry::Debian => Ok(tools().join("corpus").join(name)),
        }
    }
}

fn cargo_home() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    cargo.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).context("no CARGO_HOME")
}

/// What tests/support installs.
fn tools() -> PathBuf {
    match std::env::var_os("FINCH_TEST_TOOLS") {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-tools"),
    }
}
