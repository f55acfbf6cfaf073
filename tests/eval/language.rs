//! The languages of the evaluation: their files, and whether a text parses.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// A language of the corpus, in the order of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Language {
    Python,
    Rust,
    Typescript,
    Go,
}

impl Language {
    pub(crate) const ALL: [Self; 4] = [Self::Python, Self::Rust, Self::Typescript, Self::Go];

    /// The extension of its files.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Python => "py",
            Self::Rust => "rs",
            Self::Typescript => "ts",
            Self::Go => "go",
        }
    }

    /// What editors call it.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Rust => "rust",
            Self::Typescript => "typescript",
            Self::Go => "go",
        }
    }

    fn grammar(self) -> tree_sitter::Language {
        match self {
            Self::Python => tree_sitter_python::LANGUAGE.into(),
            Self::Rust => tree_sitter_rust::LANGUAGE.into(),
            Self::Typescript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Self::Go => tree_sitter_go::LANGUAGE.into(),
        }
    }

    /// Whether a text has no syntax error that the grammar sees.
    pub(crate) fn parses(self, text: &str) -> Result<bool> {
        let mut parser = tree_sitter::Parser::new();
        parser.set_language(&self.grammar())?;
        let tree = parser.parse(text, None).context("the parser gave up")?;
        Ok(!tree.root_node().has_error())
    }
}
