//! Installs a ready-made ONNX export: its graph as it is, and what finch needs to know of it in a manifest.
//!
//! Two layouts are known by their files: what optimum writes (`config.json` beside `model.onnx`, perhaps in `onnx/`) and
//! what onnxruntime-genai writes (`genai_config.json`). Nothing is computed and no weight is read; the graph is looked
//! through, and what goes in and out must be what the engine can bind. Called by `import`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::staging::Claim;
use super::{ImportError, ImportRequest, Interrupted, Progress, file_name, infill, unknown, write};
use crate::chat::{self, ChatTemplates};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::digest::{Digest, Hasher};
use crate::hub::Hub;
use crate::limits;
use crate::manifest::{Build, GRAPH_FILE, Layout, MANIFEST_FILE, Manifest, Quant, Shape, SourceFile, TOKENIZER_FILE};
use crate::outline::{Outline, Refusal, element};
use crate::ports::Ports;
use crate::tokenizer::Tokenizer;

/// What onnxruntime-genai says of a model.
const GENAI_CONFIG: &str = "genai_config.json";
const CONFIG: &str = "config.json";
/// Where the graph of an optimum export may be.
const GRAPHS: [&str; 2] = [GRAPH_FILE, "onnx/model.onnx"];
/// Weights that finch builds its own graph of.
const WEIGHTS: [&str; 2] = ["model.safetensors", "model.safetensors.index.json"];

/// A directory with a ready-made graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    dir: PathBuf,
    layout: Layout,
}

impl Export {
    /// Knows an export by its files. A directory that holds safetensors too is none: finch's own graph is the faster one.
    #[must_use]
    pub fn find(path: &Path) -> Option<Self> {
        let has = |name: &&str| path.join(name).is_file();
        let layout = if has(&GENAI_CONFIG) {
            Layout::Genai
        } else if GRAPHS.iter().any(has) && !WEIGHTS.iter().any(has) {
            Layout::Optimum
        } else {
            return None;
        };
        Some(Self { dir: path.to_owned(), layout })
    }

    /// The configuration, and where the graph is.
    fn open(&self) -> Result<(Json, PathBuf), CheckpointError> {
        match self.layout {
            Layout::Genai => {
                let config = Hub::config_beside(&self.dir, GENAI_CONFIG)?["model"].take();
                let name = config["decoder"]["filename"].as_str().unwrap_or(GRAPH_FILE).to_owned();
                if name.contains(['/', '\\']) || name.starts_with('.') {
                    let what = format!("{GENAI_CONFIG} names the graph {name:?}, which is no file beside it");
                    return Err(broken(&self.dir, what));
                }
                Ok((config, self.dir.join(name)))
            }
            Layout::Finch | Layout::Optimum => {
                let config = Hub::config_beside(&self.dir, CONFIG)?;
                let graph = GRAPHS.iter().map(|name| self.dir.join(name)).find(|path| path.is_file());
                Ok((config, graph.unwrap_or_else(|| self.dir.join(GRAPH_FILE))))
            }
        }
    }
}

fn broken(file: &Path, what: String) -> CheckpointError {
    CheckpointError::Broken { file: file.display().to_string(), what }
}

fn unsupported(file: &Path, what: String) -> CheckpointError {
    CheckpointError::Unsupported { file: file.display().to_string(), what }
}

/// Copies an export among the models.
pub(super) fn install(
    request: ImportRequest,
    export: &Export,
    report: &mut dyn FnMut(u64, u64) -> std::ops::ControlFlow<()>,
) -> Result<PathBuf, ImportError> {
    let (config, graph) = export.open()?;
    let outline = look(&graph)?;
    let ports = Ports::of(&outline).map_err(|error| unsupported(&graph, error.to_string()))?;
    let shape = shape(&export.dir, &config, &outline, &ports)?;
    let checkpoint = Checkpoint::Hub(Hub::beside(&export.dir, &config)?);
    let vocabulary = Tokenizer::read(&checkpoint, shape.vocab)?;
    let tokens = vocabulary.special();
    let infill = infill(&request, &tokens, &checkpoint)?;

    let beside = graph.parent().unwrap_or(&export.dir);
    let copies: Vec<(PathBuf, &str)> = [(graph.clone(), GRAPH_FILE)]
        .into_iter()
        .chain(outline.files.iter().map(|name| (beside.join(name), name.as_str())))
        .collect();
    let bytes = copies.iter().map(|(path, _)| fs::metadata(path).map(|file| file.len())).sum::<Result<u64, _>>();
    let bytes = bytes.map_err(ImportError::at(&graph))?;
    let mut progress = Progress { done: 0, total: bytes, report };
    let recipe = Digest::of_bytes(format!("{} {}", export.dir.display(), request.id).as_bytes());
    let staging = Claim::of(&request.home_models)?.begin(&request.id, recipe)?;
    let mut files = Vec::new();
    let mut sums = String::new();
    for (from, name) in copies {
        let mut sum = Hasher::default();
        let file = write(staging.dir(), name, |out| copy(&from, out, &mut sum, &mut progress))?;
        sums.push_str(&format!("{}  {name}\n", sum.finish()));
        files.push(file);
    }
    files.push(write(staging.dir(), TOKENIZER_FILE, |out| vocabulary.write_json(out).map_err(Interrupted::from))?);
    for (name, text) in ChatTemplates::of_checkpoint(&checkpoint).files() {
        files.push(write(staging.dir(), name, |out| chat::write(out, text).map_err(Interrupted::from))?);
    }
    let licence = request.licence.or_else(|| checkpoint.text("general.license").map(str::to_owned));
    let manifest = Manifest {
        id: request.id,
        architecture: architecture(&config),
        licence: licence.unwrap_or_else(unknown),
        layout: export.layout,
        quant: quant(&outline),
        shape,
        tokens,
        infill,
        source: SourceFile { file: file_name(&export.dir), sha256: Digest::of_bytes(sums.as_bytes()), bytes },
        build: Build { finch: env!("CARGO_PKG_VERSION").to_owned(), kl: None, kl_tokens: None, recipe: None },
        files,
    };
    manifest.write(staging.dir())?;
    staging.publish()
}

/// Looks the graph through. What it points at must be plain files of its own beside it.
fn look(graph: &Path) -> Result<Outline, ImportError> {
    let beside = graph.parent().unwrap_or(Path::new("."));
    let length = |name: &str| {
        let is_ours = [GRAPH_FILE, TOKENIZER_FILE, MANIFEST_FILE].contains(&name) || name.ends_with(".jinja");
        let found = fs::symlink_metadata(beside.join(name)).ok()?;
        (!is_ours && found.is_file() && links(&found) == 1).then_some(found.len())
    };
    let outline = Outline::of_file(graph, limits::EXPORT_GRAPH_BYTES_MAX, &length).map_err(ImportError::at(graph))?;
    outline.map_err(|refusal| {
        let what = match &refusal {
            Refusal::Elsewhere { location } if fs::symlink_metadata(beside.join(location)).is_ok() => {
                format!("{refusal}: links are not followed; copy the files themselves beside it")
            }
            refusal => refusal.to_string(),
        };
        ImportError::Source(unsupported(graph, what))
    })
}

#[cfg(unix)]
fn links(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn links(_metadata: &fs::Metadata) -> u64 {
    1
}

fn copy(from: &Path, out: &mut impl Write, sum: &mut Hasher, progress: &mut Progress<'_>) -> Result<(), Interrupted> {
    let mut file = File::open(from)?;
    let mut buffer = vec![0; limits::IMPORT_CHUNK_BYTES];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        sum.update(&buffer[..count]);
        out.write_all(&buffer[..count])?;
        progress.advance(count as u64)?;
    }
}

/// The sizes, by the graph where it tells and by the configuration where it does not.
fn shape(dir: &Path, config: &Json, outline: &Outline, ports: &Ports) -> Result<Shape, CheckpointError> {
    let number = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| config[*name].as_u64().or_else(|| config["decoder"][*name].as_u64()));
        found.and_then(|number| usize::try_from(number).ok())
    };
    let missing = |what: &str| broken(dir, format!("neither the graph nor the configuration says {what}"));
    let vocab = ports.vocab.or(number(["vocab_size"; 2])).ok_or_else(|| missing("how many tokens there are"))?;
    let context =
        number(["max_position_embeddings", "context_length"]).ok_or_else(|| missing("how long a text may be"))?;
    let heads = number(["num_attention_heads"; 2]).unwrap_or(ports.kv_heads);
    Ok(Shape {
        layers: ports.layers,
        heads,
        kv_heads: ports.kv_heads,
        head_dim: ports.head_dim,
        hidden: number(["hidden_size"; 2]).unwrap_or(heads * ports.head_dim),
        vocab,
        context_tokens_max: context.min(outline.positions.unwrap_or(usize::MAX)).min(limits::CONTEXT_TOKENS_MAX),
    })
}

fn architecture(config: &Json) -> String {
    let name = config["model_type"].as_str().or_else(|| config["type"].as_str());
    name.map_or_else(unknown, str::to_owned)
}

/// How most of the weights are stored.
fn quant(outline: &Outline) -> Quant {
    let bytes = |wanted: &[u64]| {
        outline.bytes_of.iter().filter(|(of, _)| wanted.contains(of)).map(|(_, bytes)| bytes).sum::<u64>()
    };
    let (whole, half, narrow) = (bytes(&[element::FLOAT]), bytes(&[element::FLOAT16]), bytes(&[2, 3]));
    match outline.bits {
        Some(bits) if bits <= 4 => Quant::Int4,
        Some(_) => Quant::Int8,
        None if narrow > whole.max(half) => Quant::Int8,
        None if half > whole => Quant::Fp16,
        None => Quant::Fp32,
    }
}

#[cfg(test)]
mod tests;
