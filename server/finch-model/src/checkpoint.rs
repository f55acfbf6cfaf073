//! The weights a model is built from: a GGUF file, or a directory in the safetensors layout of a model hub.
//!
//! Both answer the same questions, and both answer in the words of GGUF: metadata by its keys, tensors by its names, the
//! row length first. So a family is described once. What is left of the difference is [`Checkpoint::rows`]. Called by
//! `graph`, `tokenizer` and `import`; reading either format is done in `gguf` and `hub`.

use std::path::Path;

use crate::gguf::{Gguf, Tensor};
use crate::hub::Hub;

/// Why weights cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file could not be opened or mapped: look at the path and its permissions.
    #[error("cannot open {file}: {source}")]
    Open {
        /// The file as it was asked for.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes contradict themselves: fetch the file again.
    #[error("{file} is damaged or incomplete: {what}")]
    Broken {
        /// The file or directory as it was asked for.
        file: String,
        /// The thing that is wrong.
        what: String,
    },
    /// The file is sound but holds something finch does not read: take another file.
    #[error("{file} cannot be used: {what}")]
    Unsupported {
        /// The file or directory as it was asked for.
        file: String,
        /// The thing that is not supported.
        what: String,
    },
}

/// Open weights, with what they say of themselves.
#[derive(Debug)]
pub enum Checkpoint {
    /// A GGUF file.
    Gguf(Gguf),
    /// A directory with `config.json` and safetensors.
    Hub(Hub),
}

/// In which order the query and key rows of a rotated head lie, where the format has a say in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowConvention {
    /// As the family's GGUF files have them.
    Gguf,
    /// The two rows that rotate into each other lie half a head apart, whatever the family.
    HalfApart,
}

impl Checkpoint {
    /// Opens a GGUF file, or a directory in the layout of a hub.
    pub fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
        if path.is_dir() { Hub::open(path).map(Checkpoint::Hub) } else { Gguf::open(path).map(Checkpoint::Gguf) }
    }

    /// The file or directory as it was asked for, for messages.
    pub fn file(&self) -> &str {
        match self {
            Checkpoint::Gguf(gguf) => gguf.file(),
            Checkpoint::Hub(hub) => hub.directory(),
        }
    }

    /// The order of rotated rows.
    pub(crate) fn rows(&self) -> RowConvention {
        match self {
            Checkpoint::Gguf(_) => RowConvention::Gguf,
            Checkpoint::Hub(_) => RowConvention::HalfApart,
        }
    }

    /// A text value, if the key is there and holds text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self {
            Checkpoint::Gguf(gguf) => gguf.text(key),
            Checkpoint::Hub(hub) => hub.text(key),
        }
    }

    /// A whole number that is not negative.
    pub fn number(&self, key: &str) -> Option<u64> {
        match self {
            Checkpoint::Gguf(gguf) => gguf.number(key),
            Checkpoint::Hub(hub) => hub.number(key),
        }
    }

    /// A floating-point value.
    pub fn float(&self, key: &str) -> Option<f64> {
        match self {
            Checkpoint::Gguf(gguf) => gguf.float(key),
            Checkpoint::Hub(hub) => hub.float(key),
        }
    }

    /// A truth value.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self {
            Checkpoint::Gguf(gguf) => gguf.flag(key),
            Checkpoint::Hub(hub) => hub.flag(key),
        }
    }

    /// An array of texts; `None` when the key is absent, an error when it holds anything else.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<&str>>, CheckpointError> {
        match self {
            Checkpoint::Gguf(gguf) => gguf.texts(key),
            Checkpoint::Hub(_) => Ok(None),
        }
    }

    /// An array of whole numbers; `None` when the key is absent, an error when it holds anything else.
    pub fn numbers(&self, key: &str) -> Result<Option<Vec<i64>>, CheckpointError> {
        match self {
            Checkpoint::Gguf(gguf) => gguf.numbers(key),
            Checkpoint::Hub(hub) => Ok(hub.numbers(key)),
        }
    }

    /// An array of floating-point numbers; `None` when the key is absent, an error when it holds anything else.
    pub fn floats(&self, key: &str) -> Result<Option<Vec<f64>>, CheckpointError> {
        match self {
            Checkpoint::Gguf(gguf) => gguf.floats(key),
            Checkpoint::Hub(_) => Ok(None),
        }
    }

    /// All keys of the metadata, sorted.
    pub fn keys(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Checkpoint::Gguf(gguf) => Box::new(gguf.keys()),
            Checkpoint::Hub(hub) => Box::new(hub.keys()),
        }
    }

    /// All tensors, sorted by name.
    pub fn tensors(&self) -> Box<dyn Iterator<Item = Tensor<'_>> + '_> {
        match self {
            Checkpoint::Gguf(gguf) => Box::new(gguf.tensors()),
            Checkpoint::Hub(hub) => Box::new(hub.tensors()),
        }
    }

    /// The tensor of that name, if there is one.
    pub fn tensor(&self, name: &str) -> Option<Tensor<'_>> {
        match self {
            Checkpoint::Gguf(gguf) => gguf.tensor(name),
            Checkpoint::Hub(hub) => hub.tensor(name),
        }
    }

    /// The bytes of all files, by name: what a build was made from.
    pub(crate) fn files(&self) -> Vec<(&str, &[u8])> {
        match self {
            Checkpoint::Gguf(gguf) => vec![("", gguf.bytes())],
            Checkpoint::Hub(hub) => hub.files(),
        }
    }

    /// Lets go of the memory behind bytes of a file, which are read again when they are needed again.
    pub(crate) fn release(&self, part: &[u8]) {
        match self {
            Checkpoint::Gguf(gguf) => gguf.release(part),
            Checkpoint::Hub(hub) => hub.release(part),
        }
    }

    /// An error that names these weights and what is wrong in them.
    pub(crate) fn broken(&self, what: String) -> CheckpointError {
        CheckpointError::Broken { file: self.file().to_owned(), what }
    }

    /// An error that names these weights and what finch does not read in them.
    pub(crate) fn unsupported(&self, what: String) -> CheckpointError {
        CheckpointError::Unsupported { file: self.file().to_owned(), what }
    }
}
