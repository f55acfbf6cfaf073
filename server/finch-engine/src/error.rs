//! Why a model cannot be loaded, named by what the caller does next.

use std::path::PathBuf;

use finch_model::manifest::ManifestError;

/// Why an engine could not be loaded or measured.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The model directory is missing, damaged, or from another version.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file of the model is not what it should be: import the model again.
    #[error("{}: {problem}; import the model again", path.display())]
    Model { path: PathBuf, problem: String },
    /// ONNX Runtime failed while it worked.
    #[error("ONNX Runtime failed: {problem}")]
    Runtime { problem: String },
    /// The system has no thread to spare.
    #[error("the engine's thread could not be started: {0}")]
    Thread(std::io::Error),
    /// The text given to a measurement is too short.
    #[error("the text has {tokens} tokens and a measurement needs {tokens_min}")]
    TextTooShort { tokens: usize, tokens_min: usize },
    /// Whoever asked for a measurement broke it off.
    #[error("the measurement was cancelled")]
    Cancelled,
}

impl From<ort::Error> for EngineError {
    fn from(error: ort::Error) -> Self {
        Self::Runtime { problem: one_line(&error.to_string()) }
    }
}

/// ONNX Runtime's messages hold line breaks; ours are one line.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
