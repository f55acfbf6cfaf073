//! The models finch knows by name: what they are, where their files come from, which bytes those files must be.
//!
//! The text is `catalogue.toml`; [`record`] describes it and is the one way from it to a [`Catalogue`]. Names that
//! end up in a path, an address or a command line are checked there, so nobody checks them again. Fetching is not
//! done here.

mod record;

pub(crate) use record::{plain_name, plain_path};

use std::collections::BTreeMap;

use crate::{
    digest::Digest,
    manifest::{InfillStyle, ModelId, Quant},
};

/// Tokens of code over which the divergences in the catalogue were measured, at least.
pub const KL_TOKENS: usize = 3000;

/// All known models and the library that runs them.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    default: ModelId,
    models: Vec<Entry>,
    runtimes: Vec<RuntimeEntry>,
}

/// A model and the file it is built from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    pub id: ModelId,
    /// The name to show to a person.
    pub name: String,
    pub architecture: String,
    pub licence: String,
    /// The weights, as GGUF.
    pub file: PinnedFile,
    pub context_tokens_max: usize,
    /// The quantisation to build unless asked otherwise.
    pub quant: Quant,
    /// How a build's head is stored, where not as suits its layers.
    pub head: BTreeMap<Quant, Quant>,
    pub infill: InfillStyle,
    /// Mean divergence from the source weights, where measured.
    pub kl: BTreeMap<Quant, f64>,
    /// What a build comes to, where it was made.
    pub built: BTreeMap<Quant, BuiltSizes>,
    /// In the order they are tried.
    pub sources: Vec<Source>,
}

/// The sizes of a build, known before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuiltSizes {
    pub weights_bytes: u64,
    /// The weights that each token reads.
    pub token_bytes: u64,
    /// Numbers of matrices in blocks that a token of a prompt is multiplied with.
    pub token_products: u64,
    /// Keys and values of one token.
    pub cache_bytes: u64,
}

/// A file that is known to the byte.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PinnedFile {
    /// A plain name, without any directory.
    pub name: String,
    pub bytes: u64,
    pub sha256: Digest,
}

/// A way to the bytes of a [`PinnedFile`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Hub(HubFile),
    /// Pieces that make up the file in this order.
    Pip(Vec<Piece>),
}

/// The kinds of [`Source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    Hub,
    Pip,
}

impl Source {
    #[must_use]
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Hub(_) => SourceKind::Hub,
            Self::Pip(_) => SourceKind::Pip,
        }
    }
}

/// A file in a repository of a model hub.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubFile {
    pub repo: String,
    pub revision: String,
    pub file: String,
}

/// A file inside a Python package.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Piece {
    pub package: String,
    pub version: String,
    /// Its name inside the wheel.
    pub file: String,
    pub bytes: u64,
}

/// The ONNX Runtime library of one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeEntry {
    pub version: String,
    /// As in [`std::env::consts::OS`].
    pub os: String,
    /// As in [`std::env::consts::ARCH`].
    pub arch: String,
    pub file: PinnedFile,
    pub source: Source,
}

/// A catalogue that does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("catalogue: {problem}")]
pub struct CatalogueError {
    problem: String,
}

impl Catalogue {
    /// The catalogue that is built into finch.
    #[must_use]
    pub fn builtin() -> Self {
        match Self::parse(include_str!("catalogue.toml")) {
            Ok(catalogue) => catalogue,
            // Invariant: a test parses this very text.
            Err(error) => unreachable!("{error}"),
        }
    }

    /// Reads a catalogue; unknown keys are refused.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        record::parse(text).map_err(|problem| CatalogueError { problem })
    }

    #[must_use]
    pub fn find(&self, id: &ModelId) -> Option<&Entry> {
        self.models.iter().find(|entry| entry.id == *id)
    }

    /// How a model is asked best that is built from this file, where that was measured.
    #[must_use]
    pub fn infill_of(&self, sha256: Digest) -> Option<InfillStyle> {
        self.models.iter().find(|entry| entry.file.sha256 == sha256).map(|entry| entry.infill)
    }

    #[must_use]
    pub fn models(&self) -> &[Entry] {
        &self.models
    }

    /// The model to use unless asked otherwise. [`Catalogue::find`] finds it.
    #[must_use]
    pub fn default_id(&self) -> &ModelId {
        &self.default
    }

    /// The runtime library for a platform, named as in [`std::env::consts`].
    #[must_use]
    pub fn runtime(&self, os: &str, arch: &str) -> Option<&RuntimeEntry> {
        self.runtimes.iter().find(|entry| entry.os == os && entry.arch == arch)
    }
}

#[cfg(test)]
mod tests;
