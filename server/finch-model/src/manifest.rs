//! What a built model directory says about itself: `model.toml`, read and checked.
//!
//! A [`Manifest`] exists only if its numbers make sense and its files are there with the sizes it states, so the
//! engine never has to ask again. The TOML text is described in [`record`]; nothing else knows it. The importer
//! writes a manifest as its last act, inside a directory that nobody else sees yet.

mod record;

use std::{
    fmt, fs, io,
    io::Read,
    path::{Path, PathBuf},
    str::FromStr,
};

pub use record::{Build, BuiltFile, FimTokens, InfillStyle, Layout, Quant, Shape, SourceFile, Tokens};

use crate::{home, limits};

/// The name of the manifest inside a model directory.
pub const MANIFEST_FILE: &str = "model.toml";
/// The graph inside a model directory.
pub const GRAPH_FILE: &str = "model.onnx";
/// The weights inside a model directory.
pub const WEIGHTS_FILE: &str = "model.onnx.data";
/// The tokenizer inside a model directory.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// A model's name, safe as the name of a directory: `[a-z0-9][a-z0-9._-]{0,63}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(String);

impl ModelId {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<Path> for ModelId {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl FromStr for ModelId {
    type Err = BadModelId;

    fn from_str(text: &str) -> Result<Self, BadModelId> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let starts_well = text.bytes().next().is_some_and(plain);
        let ends_in_time = text.len() <= limits::MODEL_ID_BYTES_MAX;
        if starts_well && ends_in_time && text.bytes().all(|byte| plain(byte) || b"._-".contains(&byte)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadModelId { text: text.chars().take(limits::MODEL_ID_BYTES_MAX).collect() })
        }
    }
}

/// A text that is no model id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no model id: use 1 to 64 of a-z, 0-9, '.', '_' and '-', beginning with a letter or a digit, such as qwen2.5-coder-0.5b"
)]
pub struct BadModelId {
    text: String,
}

/// A model that is built and whole.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Manifest {
    pub id: ModelId,
    /// The family the graph was written for, such as `qwen2`.
    pub architecture: String,
    pub licence: String,
    pub layout: Layout,
    pub quant: Quant,
    pub shape: Shape,
    pub tokens: Tokens,
    pub infill: InfillStyle,
    pub source: SourceFile,
    pub build: Build,
    pub files: Vec<BuiltFile>,
}

/// Why a model directory cannot be used, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// There is no model here: fetch or import one.
    #[error("no model in {}: it has no {MANIFEST_FILE}", dir.display())]
    Absent { dir: PathBuf },
    /// The directory is damaged or from another version: import the model again.
    #[error("{}: {problem}; import the model again", path.display())]
    Invalid { path: PathBuf, problem: String },
    /// The disk refused.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl Manifest {
    /// Reads `dir/model.toml` and proves that the files it names are there with their sizes.
    pub fn read(dir: &Path) -> Result<Self, ManifestError> {
        let path = dir.join(MANIFEST_FILE);
        let text = read_bounded(dir, &path)?;
        let invalid = |problem: String| ManifestError::Invalid { path: path.clone(), problem };
        let manifest = record::parse(&text).map_err(invalid)?;
        for file in &manifest.files {
            check_file(dir, file)?;
        }
        Ok(manifest)
    }

    /// Writes `dir/model.toml`. The files must be there already.
    ///
    /// What is written is read back, so that a directory this function has blessed is one [`Manifest::read`] takes.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), ManifestError> {
        let path = dir.join(MANIFEST_FILE);
        let text = record::print(self).map_err(|problem| ManifestError::Invalid { path: path.clone(), problem })?;
        home::write_atomic(&path, text.as_bytes()).map_err(|source| ManifestError::Io { path, source })?;
        Self::read(dir).map(drop)
    }

    /// The files of the model without the manifest, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

fn read_bounded(dir: &Path, path: &Path) -> Result<String, ManifestError> {
    let failed = |source| ManifestError::Io { path: path.to_owned(), source };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ManifestError::Absent { dir: dir.to_owned() });
        }
        Err(error) => return Err(failed(error)),
    };
    let invalid = |problem: &str| ManifestError::Invalid { path: path.to_owned(), problem: problem.to_owned() };
    let mut bytes = Vec::new();
    file.take(limits::MANIFEST_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limits::MANIFEST_BYTES_MAX {
        return Err(invalid("too long for a manifest"));
    }
    String::from_utf8(bytes).map_err(|_| invalid("not UTF-8"))
}

fn check_file(dir: &Path, file: &BuiltFile) -> Result<(), ManifestError> {
    let path = dir.join(&file.name);
    let found = match fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => return Err(ManifestError::Invalid { path, problem: "not a file".to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ManifestError::Invalid { path, problem: "missing".to_owned() });
        }
        Err(source) => return Err(ManifestError::Io { path, source }),
    };
    if found == file.bytes {
        return Ok(());
    }
    let problem = format!("has {found} bytes where {} were written", file.bytes);
    Err(ManifestError::Invalid { path, problem })
}

#[cfg(test)]
mod tests;
