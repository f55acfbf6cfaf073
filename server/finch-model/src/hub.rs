//! Reads a directory in the safetensors layout of a model hub, and answers as a GGUF file of the same model would.
//!
//! `config.json` becomes metadata under GGUF keys, tensors get GGUF names, and numbers that GGUF files keep in tensors are
//! computed. What a family calls things is in [`families`]; nothing here builds a graph. Files are foreign bytes: sizes
//! are bounded before they are read, names in an index cannot leave the directory, and weights that are pickled Python
//! are never touched. Called by `checkpoint`.

pub(crate) mod config;
pub(crate) mod families;
mod rotary;
mod safetensors;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value as Json;

use self::families::HubFamily;
pub use self::safetensors::Safetensors;
use crate::bytes::Bytes;
use crate::chat::{self, ChatTemplates};
use crate::checkpoint::CheckpointError;
use crate::gguf::{Tensor, TensorInfo, TensorKind};
use crate::limits;

pub(crate) const CONFIG: &str = "config.json";
pub(crate) const WEIGHTS: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";
const TOKENIZER: &str = "tokenizer.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const GENERATION: &str = "generation_config.json";
const TEMPLATE: &str = "chat_template.jinja";
const CARD: &str = "README.md";

/// What is read beside the weights, but for the card: a hub states the licence in its list of files.
pub(crate) const SIDE_FILES: [&str; 5] = [CONFIG, TOKENIZER, TOKENIZER_CONFIG, GENERATION, TEMPLATE];

/// One metadata value under a GGUF key.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Integer(u64),
    Integers(Vec<i64>),
    Float(f64),
    Flag(bool),
    Text(String),
}

/// A tensor and the file it lies in.
#[derive(Debug)]
struct Place {
    info: TensorInfo,
    file: usize,
}

/// A file of the directory, or one that stands for numbers computed from the configuration.
#[derive(Debug)]
struct HubFile {
    name: String,
    bytes: Bytes,
}

/// An open directory.
#[derive(Debug)]
pub struct Hub {
    directory: String,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, Place>,
    files: Vec<HubFile>,
    tokenizer: Json,
    tokenizer_config: Json,
}

impl Hub {
    /// Maps the weights and reads what lies beside them; tensor data is only touched when rows are asked for.
    pub fn open(path: &Path) -> Result<Hub, CheckpointError> {
        let reader = Directory { path };
        let config = reader.json(CONFIG, limits::HUB_CONFIG_BYTES_MAX)?;
        let family = families::of(&reader, &config)?;
        let mut hub = Hub {
            directory: path.display().to_string(),
            metadata: config::translate(&reader, &config, family)?,
            tensors: BTreeMap::new(),
            files: Vec::new(),
            tokenizer: reader.json(TOKENIZER, limits::HUB_TOKENIZER_BYTES_MAX)?,
            tokenizer_config: reader.json_if_there(TOKENIZER_CONFIG, limits::HUB_CONFIG_BYTES_MAX)?,
        };
        let generation = reader.json_if_there(GENERATION, limits::HUB_CONFIG_BYTES_MAX)?;
        config::add_special_tokens(&mut hub.metadata, &config, &generation, &hub.tokenizer_config);
        hub.add_texts(&reader)?;
        for shard in reader.shards()? {
            hub.add_shard(&reader, family, &shard)?;
        }
        if config["tie_word_embeddings"] == Json::Bool(true) {
            hub.tensors.remove("output.weight");
        }
        for (name, numbers) in rotary::factors(&reader, &config)? {
            hub.add_computed(name, &numbers);
        }
        Ok(hub)
    }

    /// What lies beside a graph that is ready made: the vocabulary, its tokens with a meaning, and texts, but no weights.
    pub(crate) fn beside(path: &Path, config: &Json) -> Result<Hub, CheckpointError> {
        let reader = Directory { path };
        let mut hub = Hub {
            directory: path.display().to_string(),
            metadata: BTreeMap::new(),
            tensors: BTreeMap::new(),
            files: Vec::new(),
            tokenizer: reader.json(TOKENIZER, limits::HUB_TOKENIZER_BYTES_MAX)?,
            tokenizer_config: reader.json_if_there(TOKENIZER_CONFIG, limits::HUB_CONFIG_BYTES_MAX)?,
        };
        let generation = reader.json_if_there(GENERATION, limits::HUB_CONFIG_BYTES_MAX)?;
        config::add_special_tokens(&mut hub.metadata, config, &generation, &hub.tokenizer_config);
        hub.add_texts(&reader)?;
        Ok(hub)
    }

    /// A configuration in a directory.
    pub(crate) fn config_beside(path: &Path, name: &str) -> Result<Json, CheckpointError> {
        Directory { path }.json(name, limits::HUB_CONFIG_BYTES_MAX)
    }

    fn add_texts(&mut self, reader: &Directory<'_>) -> Result<(), CheckpointError> {
        let templates = match reader.text_if_there(TOKENIZER_CONFIG, limits::HUB_CONFIG_BYTES_MAX)? {
            Some(text) => ChatTemplates::of_tokenizer_config(&text)
                .map_err(|error| reader.broken(TOKENIZER_CONFIG, error.problem))?,
            None => ChatTemplates::default(),
        };
        let templates = match reader.text_if_there(TEMPLATE, limits::HUB_CONFIG_BYTES_MAX)? {
            Some(text) => templates.with_file(&text),
            None => templates,
        };
        let card = reader.text_if_there(CARD, limits::HUB_CONFIG_BYTES_MAX)?;
        let texts = [
            (chat::TEMPLATE_KEY, templates.default),
            (chat::TOOL_TEMPLATE_KEY, templates.tool_use),
            ("general.license", card.as_deref().and_then(licence)),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                self.metadata.insert(key.to_owned(), Value::Text(text));
            }
        }
        for name in [CONFIG, TOKENIZER, TOKENIZER_CONFIG, GENERATION, TEMPLATE] {
            if let Some(bytes) = reader.bytes_if_there(name, limits::HUB_TOKENIZER_BYTES_MAX)? {
                self.files.push(HubFile { name: name.to_owned(), bytes: Bytes::Owned(bytes) });
            }
        }
        Ok(())
    }

    fn add_shard(&mut self, reader: &Directory<'_>, family: &HubFamily, shard: &Shard) -> Result<(), CheckpointError> {
        let path = reader.path.join(&shard.file);
        let Safetensors { bytes, tensors } = Safetensors::open(&path)?;
        let broken = |what: String| CheckpointError::Broken { file: path.display().to_string(), what };
        let mut missing: BTreeSet<&str> = shard.tensors.iter().map(String::as_str).collect();
        for (name, mut info) in tensors {
            missing.remove(name.as_str());
            let Some(ours) = family.tensor(&name) else { continue };
            info.offset = family.offset(&ours);
            let place = Place { info, file: self.files.len() };
            if self.tensors.insert(ours, place).is_some() {
                return Err(broken(format!("tensor {name} occurs twice")));
            }
        }
        if let Some(name) = missing.first() {
            return Err(broken(format!("{INDEX} says that {name} is in it, and it is not")));
        }
        self.files.push(HubFile { name: shard.file.clone(), bytes });
        Ok(())
    }

    /// A vector that GGUF files have and hub directories leave to be computed.
    fn add_computed(&mut self, name: &str, numbers: &[f32]) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let info = TensorInfo {
            kind: TensorKind::F32,
            dims: vec![numbers.len()],
            rows: 1,
            row_bytes: bytes.len(),
            bytes_len: bytes.len(),
            start: 0,
            offset: 0.0,
        };
        self.tensors.insert(name.to_owned(), Place { info, file: self.files.len() });
        self.files.push(HubFile { name: format!("computed {name}"), bytes: Bytes::Owned(bytes) });
    }

    pub(crate) fn directory(&self) -> &str {
        &self.directory
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        match self.metadata.get(key) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn float(&self, key: &str) -> Option<f64> {
        match self.metadata.get(key) {
            Some(Value::Float(number)) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        match self.metadata.get(key) {
            Some(Value::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    pub(crate) fn numbers(&self, key: &str) -> Option<Vec<i64>> {
        match self.metadata.get(key) {
            Some(Value::Integers(numbers)) => Some(numbers.clone()),
            _ => None,
        }
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.metadata.keys().map(String::as_str)
    }

    pub(crate) fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        self.tensors.iter().map(|(name, place)| self.at(name, place))
    }

    pub(crate) fn tensor(&self, name: &str) -> Option<Tensor<'_>> {
        self.tensors.get_key_value(name).map(|(name, place)| self.at(name, place))
    }

    fn at<'a>(&'a self, name: &'a str, place: &'a Place) -> Tensor<'a> {
        Tensor::new(name, &place.info, &self.files[place.file].bytes)
    }

    pub(crate) fn files(&self) -> Vec<(&str, &[u8])> {
        self.files.iter().map(|file| (file.name.as_str(), &*file.bytes)).collect()
    }

    /// Lets go of the memory behind a part of one of the files.
    pub(crate) fn release(&self, part: &[u8]) {
        self.files.iter().for_each(|file| file.bytes.release(part));
    }

    /// `tokenizer.json`.
    pub(crate) fn tokenizer(&self) -> &Json {
        &self.tokenizer
    }

    /// `tokenizer_config.json`, null where there is none.
    pub(crate) fn tokenizer_config(&self) -> &Json {
        &self.tokenizer_config
    }
}

/// The files of weights that a directory lacks yet. A model that cannot be built is an error, as far as can be told so early.
pub(crate) fn weights_to_fetch(path: &Path) -> Result<Vec<String>, CheckpointError> {
    let reader = Directory { path };
    let config = reader.json(CONFIG, limits::HUB_CONFIG_BYTES_MAX)?;
    config::translate(&reader, &config, families::of(&reader, &config)?)?;
    reader.json(TOKENIZER, limits::HUB_TOKENIZER_BYTES_MAX)?;
    match reader.indexed()? {
        Some(shards) => Ok(shards.into_iter().map(|shard| shard.file).collect()),
        None => Ok(vec![WEIGHTS.to_owned()]),
    }
}

/// The licence in the head of a model card.
fn licence(card: &str) -> Option<String> {
    let head = card.strip_prefix("---\n")?.split("\n---").next()?;
    let line = head.lines().find_map(|line| line.strip_prefix("license:"))?;
    Some(line.trim().to_owned()).filter(|licence| !licence.is_empty())
}

/// A file of weights and the tensors an index expects in it.
#[derive(Debug, Default)]
struct Shard {
    file: String,
    tensors: Vec<String>,
}

/// The directory before anything in it is understood.
struct Directory<'a> {
    path: &'a Path,
}

impl Directory<'_> {
    fn broken(&self, file: &str, what: String) -> CheckpointError {
        CheckpointError::Broken { file: self.path.join(file).display().to_string(), what }
    }

    fn unsupported(&self, file: &str, what: String) -> CheckpointError {
        CheckpointError::Unsupported { file: self.path.join(file).display().to_string(), what }
    }

    fn bytes_if_there(&self, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, CheckpointError> {
        let path = self.path.join(name);
        let failed = |source| CheckpointError::Open { file: path.display().to_string(), source };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut bytes = Vec::new();
        file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > bytes_max {
            return Err(self.unsupported(name, format!("more than {bytes_max} bytes")));
        }
        Ok(Some(bytes))
    }

    fn text_if_there(&self, name: &str, bytes_max: u64) -> Result<Option<String>, CheckpointError> {
        let bytes = self.bytes_if_there(name, bytes_max)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Null where the file is absent.
    fn json_if_there(&self, name: &str, bytes_max: u64) -> Result<Json, CheckpointError> {
        let Some(bytes) = self.bytes_if_there(name, bytes_max)? else { return Ok(Json::Null) };
        match serde_json::from_slice(&bytes) {
            Ok(json @ Json::Object(_)) => Ok(json),
            Ok(_) => Err(self.broken(name, "it is not a JSON object".to_owned())),
            Err(error) => Err(self.broken(name, error.to_string())),
        }
    }

    fn json(&self, name: &str, bytes_max: u64) -> Result<Json, CheckpointError> {
        match self.json_if_there(name, bytes_max)? {
            Json::Null => Err(self.broken("", format!("it has no {name}"))),
            json => Ok(json),
        }
    }

    /// The files of weights: one, or those of the index.
    fn shards(&self) -> Result<Vec<Shard>, CheckpointError> {
        if self.path.join(WEIGHTS).is_file() {
            return Ok(vec![Shard { file: WEIGHTS.to_owned(), ..Shard::default() }]);
        }
        self.indexed()?.ok_or_else(|| {
            let pickled =
                self.path.join("pytorch_model.bin").exists() || self.path.join("pytorch_model.bin.index.json").exists();
            let what = if pickled { ", and finch never loads pickled weights (pytorch_model.bin)" } else { "" };
            self.unsupported("", format!("it has neither {WEIGHTS} nor {INDEX}{what}"))
        })
    }

    /// The files of weights that the index names, if there is one.
    fn indexed(&self) -> Result<Option<Vec<Shard>>, CheckpointError> {
        let index = self.json_if_there(INDEX, limits::HUB_INDEX_BYTES_MAX)?;
        let Some(map) = index["weight_map"].as_object() else { return Ok(None) };
        let mut shards: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (tensor, file) in map {
            match file.as_str() {
                Some(file) if is_plain(file) => shards.entry(file).or_default().push(tensor.clone()),
                _ => return Err(self.broken(INDEX, format!("{file} is no name of a safetensors file beside it"))),
            }
        }
        if shards.is_empty() || shards.len() > limits::HUB_SHARDS_MAX {
            let what = format!("{} files of weights, 1 to {} are read", shards.len(), limits::HUB_SHARDS_MAX);
            return Err(self.broken(INDEX, what));
        }
        Ok(Some(shards.into_iter().map(|(file, tensors)| Shard { file: file.to_owned(), tensors }).collect()))
    }
}

/// True for a name that stays in its directory.
fn is_plain(name: &str) -> bool {
    name.ends_with(".safetensors")
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}
