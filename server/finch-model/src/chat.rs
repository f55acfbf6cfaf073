//! What a model's files say about conversations: its chat templates, and the tokens that end an answer.
//!
//! Reads the texts that come with weights (GGUF metadata, `tokenizer_config.json`, `generation_config.json`) and keeps
//! the templates beside the built model. A template is only carried here, never run: that is the engine's work.

use std::{
    fs, io,
    io::{Read, Write},
    path::Path,
};

use serde_json::Value;

use crate::checkpoint::Checkpoint;
use crate::limits;
use crate::manifest::{Manifest, ManifestError};

/// The template of a conversation inside a model directory.
pub const TEMPLATE_FILE: &str = "chat_template.jinja";
/// The template of a conversation with tools, where a model has one of its own for that.
pub const TOOL_TEMPLATE_FILE: &str = "chat_template_tools.jinja";

/// Metadata keys of both.
pub(crate) const TEMPLATE_KEY: &str = "tokenizer.chat_template";
pub(crate) const TOOL_TEMPLATE_KEY: &str = "tokenizer.chat_template.tool_use";

/// How a model was taught to see a conversation: Jinja texts, as the model's makers wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatTemplates {
    pub default: Option<String>,
    /// For conversations with tools; without it `default` serves them too.
    pub tool_use: Option<String>,
}

/// A text beside the weights is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct BadConfig {
    pub file: &'static str,
    pub problem: String,
}

impl ChatTemplates {
    pub(crate) fn of_checkpoint(checkpoint: &Checkpoint) -> Self {
        Self {
            default: checkpoint.text(TEMPLATE_KEY).and_then(usable),
            tool_use: checkpoint.text(TOOL_TEMPLATE_KEY).and_then(usable),
        }
    }

    /// Reads the text of a `tokenizer_config.json`: one template, or a list of named ones, or none.
    ///
    /// # Errors
    /// [`BadConfig`] if it is no JSON object.
    pub fn of_tokenizer_config(text: &str) -> Result<Self, BadConfig> {
        let config = object("tokenizer_config.json", text)?;
        let mut templates = Self::default();
        match config.get("chat_template") {
            Some(Value::String(template)) => templates.default = usable(template),
            Some(Value::Array(named)) => {
                let find = |name: &str| named.iter().find(|entry| entry["name"] == name);
                let text_of = |entry: &Value| entry["template"].as_str().and_then(usable);
                templates.default = find("default").or(named.first()).and_then(text_of);
                templates.tool_use = find("tool_use").and_then(text_of);
            }
            Some(_) | None => {}
        }
        Ok(templates)
    }

    /// Takes the text of a `chat_template.jinja`, which goes before what `tokenizer_config.json` says.
    #[must_use]
    pub fn with_file(self, template: &str) -> Self {
        Self { default: usable(template).or(self.default), ..self }
    }

    /// The files to write beside a model: name and text.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let named = [(TEMPLATE_FILE, &self.default), (TOOL_TEMPLATE_FILE, &self.tool_use)];
        named.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?)))
    }

    /// Reads what was kept beside a built model.
    ///
    /// # Errors
    /// [`ManifestError`] if a file that the manifest lists cannot be read.
    pub fn read(dir: &Path, manifest: &Manifest) -> Result<Self, ManifestError> {
        let read = |name: &str| match manifest.files.iter().any(|file| file.name == name) {
            true => read_template(&dir.join(name)).map(|text| usable(&text)),
            false => Ok(None),
        };
        Ok(Self { default: read(TEMPLATE_FILE)?, tool_use: read(TOOL_TEMPLATE_FILE)? })
    }
}

/// The ids that end an answer, by the text of a `generation_config.json` or `config.json`: one number, a list, or none.
///
/// # Errors
/// [`BadConfig`] if it is no JSON object.
pub fn stop_ids(file: &'static str, text: &str) -> Result<Vec<u32>, BadConfig> {
    let config = object(file, text)?;
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    Ok(match config.get("eos_token_id") {
        Some(Value::Array(ids)) => ids.iter().filter_map(id).collect(),
        Some(value) => id(value).into_iter().collect(),
        None => Vec::new(),
    })
}

pub(crate) fn write(out: &mut impl Write, template: &str) -> io::Result<()> {
    out.write_all(template.as_bytes())
}

fn object(file: &'static str, text: &str) -> Result<serde_json::Map<String, Value>, BadConfig> {
    serde_json::from_str(text).map_err(|error| BadConfig { file, problem: error.to_string() })
}

/// A template that says something and is no longer than any real one. The model is of use without it.
fn usable(template: &str) -> Option<String> {
    if template.len() as u64 > limits::CHAT_TEMPLATE_BYTES_MAX {
        tracing::warn!("a chat template of {} bytes is left out: it is too long", template.len());
        return None;
    }
    (!template.trim().is_empty()).then(|| template.to_owned())
}

fn read_template(path: &Path) -> Result<String, ManifestError> {
    let failed = |source| ManifestError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(failed)?;
    // One byte more than allowed, so that a longer file is told from a full one.
    file.take(limits::CHAT_TEMPLATE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    String::from_utf8(bytes)
        .map_err(|_| ManifestError::Invalid { path: path.to_owned(), problem: "not UTF-8".to_owned() })
}

#[cfg(test)]
mod tests;
