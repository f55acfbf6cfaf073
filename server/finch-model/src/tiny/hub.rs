//! Writes the weights of a GGUF file as a directory in the safetensors layout of a hub, for tests.
//!
//! The other way round from `hub`: names, row order and numbers go back to what a family's own checkpoints have, and are
//! written tensor by tensor. Quantised numbers become floats. Called by `tiny`, and by tests with a real model.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, View};
use serde_json::{Map, Value as Json, json};

use crate::checkpoint::Checkpoint;
use crate::gguf::{Tensor, TensorKind};
use crate::hub::config::{KEYS, Kind};
use crate::hub::families::{self, HubFamily};
use crate::tokenizer::Tokenizer;

/// Families whose GGUF files have the two rows that rotate into each other as neighbours.
const PAIRS_TOGETHER: [&str; 2] = ["llama", "granite"];

/// What a hub directory is to look like.
#[derive(Clone, Copy, Debug)]
pub struct HubSpec {
    /// How numbers are stored: `F32`, `F16` or `BF16`.
    pub tensor_type: TensorKind,
    /// In how many files.
    pub shards: usize,
}

impl Default for HubSpec {
    fn default() -> Self {
        Self { tensor_type: TensorKind::F32, shards: 1 }
    }
}

/// Writes `dir` with the weights and the tokenizer of `gguf`.
pub fn write_hub(gguf: &Path, dir: &Path, spec: HubSpec) -> io::Result<()> {
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let checkpoint = Checkpoint::open(gguf).map_err(|error| wrong(error.to_string()))?;
    let architecture = checkpoint.text("general.architecture").unwrap_or_default();
    let family = families::of_architecture(architecture).ok_or_else(|| wrong(format!("no family {architecture}")))?;
    fs::create_dir_all(dir)?;
    save(dir, "config.json", &config(&checkpoint, family))?;
    let vocab = checkpoint.tensor("token_embd.weight").map_or(0, |tensor| tensor.rows());
    let tokenizer = Tokenizer::read(&checkpoint, vocab).map_err(|error| wrong(error.to_string()))?;
    tokenizer.write_json(File::create(dir.join("tokenizer.json"))?)?;
    let tokens = tokenizer.special();
    save(
        dir,
        "tokenizer_config.json",
        &json!({ "add_bos_token": tokens.add_bos, "chat_template": checkpoint.text("tokenizer.chat_template") }),
    )?;
    save(dir, "generation_config.json", &json!({ "eos_token_id": tokens.stop, "bos_token_id": tokens.bos }))?;
    let mut tensors = Vec::new();
    for tensor in checkpoint.tensors() {
        let name = family.theirs(tensor.name()).ok_or_else(|| wrong(format!("no name for {}", tensor.name())))?;
        tensors.push((name, Written::of(&checkpoint, family, tensor, spec.tensor_type)));
    }
    write_shards(dir, tensors, spec.shards)
}

fn save(dir: &Path, name: &str, json: &Json) -> io::Result<()> {
    fs::write(dir.join(name), json.to_string())
}

fn config(checkpoint: &Checkpoint, family: &HubFamily) -> Json {
    let mut config = Map::new();
    config.insert("model_type".to_owned(), family.model_type().into());
    config.insert("hidden_act".to_owned(), family.activation().into());
    config.insert("tie_word_embeddings".to_owned(), checkpoint.tensor("output.weight").is_none().into());
    let key = |key: &str| format!("{}.{key}", family.architecture);
    for (theirs, ours, kind) in &KEYS {
        let value = match kind {
            Kind::Count => checkpoint.number(&key(ours)).map(Json::from),
            Kind::Float => checkpoint.float(&key(ours)).map(Json::from),
        };
        config.extend(value.map(|value| ((*theirs).to_owned(), value)));
    }
    config.extend(checkpoint.float(&key("rope.freq_base")).map(|base| ("rope_theta".to_owned(), base.into())));
    let window = checkpoint.number(&key("attention.sliding_window"));
    config.extend(window.map(|window| ("sliding_window".to_owned(), window.into())));
    if let Some(kind) = checkpoint.text(&key("rope.scaling.type")).filter(|kind| *kind != "none") {
        let scaling = json!({ "rope_type": kind, "factor": checkpoint.float(&key("rope.scaling.factor")) });
        config.insert("rope_scaling".to_owned(), scaling);
    }
    Json::Object(config)
}

/// A tensor as it is written, made when its turn comes.
struct Written<'a> {
    tensor: Tensor<'a>,
    kind: TensorKind,
    shape: Vec<usize>,
    less: f32,
    /// Rows of a head whose neighbours rotate into each other.
    pairs_of: Option<usize>,
}

impl<'a> Written<'a> {
    fn of(checkpoint: &Checkpoint, family: &HubFamily, tensor: Tensor<'a>, kind: TensorKind) -> Self {
        let rotated = [".attn_q.", ".attn_k."].iter().any(|part| tensor.name().contains(part));
        let number = |key: &str| {
            let number = checkpoint.number(&format!("{}.{key}", family.architecture));
            number.and_then(|number| usize::try_from(number).ok())
        };
        let head_dim = number("attention.key_length")
            .or_else(|| number("embedding_length")?.checked_div(number("attention.head_count")?));
        Self {
            tensor,
            kind,
            shape: tensor.dims().iter().rev().copied().collect(),
            less: family.offset(tensor.name()),
            pairs_of: head_dim.filter(|_| rotated && PAIRS_TOGETHER.contains(&family.architecture)),
        }
    }

    fn stored_row(&self, row: usize) -> usize {
        match self.pairs_of {
            None => row,
            Some(dim) => row / dim * dim + row % dim % (dim / 2) * 2 + row % dim / (dim / 2),
        }
    }

    fn encode(&self, number: f32, out: &mut Vec<u8>) {
        let number = number - self.less;
        match self.kind {
            TensorKind::F16 => out.extend(f16::from_f32(number).to_le_bytes()),
            TensorKind::Bf16 => out.extend(bf16::from_f32(number).to_le_bytes()),
            _ => out.extend(number.to_le_bytes()),
        }
    }
}

impl View for Written<'_> {
    fn dtype(&self) -> Dtype {
        match self.kind {
            TensorKind::F16 => Dtype::F16,
            TensorKind::Bf16 => Dtype::BF16,
            _ => Dtype::F32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = Vec::with_capacity(self.data_len());
        let mut row = vec![0.0; self.tensor.row_len()];
        if let [len] = self.shape[..] {
            self.tensor.read_row(0, &mut row);
            (0..len).for_each(|place| self.encode(row[self.stored_row(place)], &mut bytes));
        } else {
            for place in 0..self.tensor.rows() {
                self.tensor.read_row(self.stored_row(place), &mut row);
                row.iter().for_each(|number| self.encode(*number, &mut bytes));
            }
        }
        bytes.into()
    }

    fn data_len(&self) -> usize {
        let size = if self.dtype() == Dtype::F32 { 4 } else { 2 };
        self.shape.iter().product::<usize>() * size
    }
}

fn write_shards(dir: &Path, tensors: Vec<(String, Written<'_>)>, shards: usize) -> io::Result<()> {
    let failed = |error: safetensors::SafeTensorError| io::Error::other(error.to_string());
    if shards <= 1 {
        return safetensors::serialize_to_file(tensors, None, &dir.join("model.safetensors")).map_err(failed);
    }
    let mut files: BTreeMap<String, Vec<(String, Written<'_>)>> = BTreeMap::new();
    let mut map = Map::new();
    for (index, (name, tensor)) in tensors.into_iter().enumerate() {
        let file = format!("model-{:05}-of-{shards:05}.safetensors", index % shards + 1);
        map.insert(name.clone(), file.clone().into());
        files.entry(file).or_default().push((name, tensor));
    }
    for (file, tensors) in files {
        safetensors::serialize_to_file(tensors, None, &dir.join(file)).map_err(failed)?;
    }
    save(dir, "model.safetensors.index.json", &json!({ "weight_map": map }))
}
