//! A look into `model.onnx` before ONNX Runtime sees it: what it points at, and what it could do while loading.
//!
//! Tensors may lie in the file itself or in the one plain file `model.onnx.data` beside it, inside its length and
//! nowhere else; every way the format has to name an outside file is walked, sparse tensors and attributes too.
//! Subgraphs, functions and training graphs are refused: no graph finch writes has one, and nested ones are a known
//! way to make loading take minutes. Only the wire format is read, so no foreign parser meets foreign bytes.

mod wire;

use std::{fs, path::Path};

use finch_model::manifest::{BuiltFile, GRAPH_FILE, Manifest, WEIGHTS_FILE};
use wire::{Field, Fields, Malformed, Value};

use crate::{EngineError, limits};

/// What a graph tells about itself that the manifest does not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Rows of the smallest rotary table: more positions would be read past its end. None if there is no table.
    pub(crate) positions: Option<usize>,
}

/// Refuses links and anything that is no plain file, and a graph that points elsewhere.
pub(crate) fn check(dir: &Path, manifest: &Manifest) -> Result<Facts, EngineError> {
    for file in &manifest.files {
        check_plain(dir, file)?;
    }
    let path = dir.join(GRAPH_FILE);
    let problem = |problem: String| EngineError::Model { path: path.clone(), problem };
    let graph_bytes = fs::metadata(&path).map_err(|error| problem(error.to_string()))?.len();
    if graph_bytes > limits::GRAPH_BYTES_MAX {
        return Err(problem(format!("{graph_bytes} bytes are too many for a graph")));
    }
    let weights = manifest.files.iter().find(|file| file.name == WEIGHTS_FILE).map_or(0, |file| file.bytes);
    let bytes = fs::read(&path).map_err(|error| problem(error.to_string()))?;
    inspect(&bytes, weights).map_err(|refusal| problem(refusal.to_string()))
}

fn check_plain(dir: &Path, file: &BuiltFile) -> Result<(), EngineError> {
    let path = dir.join(&file.name);
    let problem = |problem: String| EngineError::Model { path: path.clone(), problem };
    let metadata = fs::symlink_metadata(&path).map_err(|error| problem(error.to_string()))?;
    if metadata.is_symlink() {
        return Err(problem("is a link".to_owned()));
    }
    if !metadata.is_file() || metadata.len() != file.bytes {
        return Err(problem(format!("is not the file of {} bytes that was written", file.bytes)));
    }
    match links(&metadata) {
        1 => Ok(()),
        links => Err(problem(format!("has {links} names: it is a hard link to another file"))),
    }
}

#[cfg(unix)]
fn links(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn links(_metadata: &fs::Metadata) -> u64 {
    1
}

/// Why a graph is not loaded.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("is not a graph: {0}")]
    Malformed(#[from] Malformed),
    #[error("points at the file {location:?} where only {WEIGHTS_FILE} is allowed")]
    Elsewhere { location: String },
    #[error("points at bytes {offset} to {end} of {WEIGHTS_FILE}, which has {bytes}")]
    Beyond { offset: u64, end: u64, bytes: u64 },
    #[error("holds {what}, which no graph of finch does")]
    Foreign { what: &'static str },
}

/// Field numbers of the ONNX messages, as its public schema assigns them.
mod number {
    pub(super) const MODEL_GRAPH: u32 = 7;
    pub(super) const MODEL_TRAINING: u32 = 20;
    pub(super) const MODEL_FUNCTIONS: u32 = 25;
    pub(super) const GRAPH_NODE: u32 = 1;
    pub(super) const GRAPH_INITIALIZER: u32 = 5;
    pub(super) const GRAPH_SPARSE: u32 = 15;
    pub(super) const NODE_INPUT: u32 = 1;
    pub(super) const NODE_OPERATOR: u32 = 4;
    pub(super) const NODE_ATTRIBUTE: u32 = 5;
    pub(super) const ATTRIBUTE_TENSOR: u32 = 5;
    pub(super) const ATTRIBUTE_GRAPH: u32 = 6;
    pub(super) const ATTRIBUTE_TENSORS: u32 = 10;
    pub(super) const ATTRIBUTE_GRAPHS: u32 = 11;
    pub(super) const ATTRIBUTE_SPARSE: u32 = 22;
    pub(super) const ATTRIBUTE_SPARSES: u32 = 23;
    pub(super) const TENSOR_DIMS: u32 = 1;
    pub(super) const TENSOR_NAME: u32 = 8;
    pub(super) const TENSOR_EXTERNAL: u32 = 13;
    pub(super) const ENTRY_KEY: u32 = 1;
    pub(super) const ENTRY_VALUE: u32 = 2;
}

/// The inputs of a `GroupQueryAttention` node that are rotary tables: cosines and sines.
const ROTARY_INPUTS: [usize; 2] = [7, 8];

/// Walks a serialised model whose external data has `weights_bytes`.
fn inspect(model: &[u8], weights_bytes: u64) -> Result<Facts, Refusal> {
    let mut walk = Walk { weights_bytes, rows: Vec::new(), tables: Vec::new() };
    for field in Fields::of(model) {
        let field = field?;
        match field.number {
            number::MODEL_GRAPH => walk.graph(field.bytes()?)?,
            number::MODEL_TRAINING => return Err(Refusal::Foreign { what: "a training graph" }),
            number::MODEL_FUNCTIONS => return Err(Refusal::Foreign { what: "functions" }),
            _ => {}
        }
    }
    let rows = walk.tables.iter().filter_map(|table| walk.rows.iter().find(|(name, _)| name == table));
    Ok(Facts { positions: rows.map(|(_, rows)| *rows).min() })
}

struct Walk<'m> {
    weights_bytes: u64,
    /// The first dimension of each initializer.
    rows: Vec<(&'m [u8], usize)>,
    /// The names of rotary tables.
    tables: Vec<&'m [u8]>,
}

impl<'m> Walk<'m> {
    fn graph(&mut self, graph: &'m [u8]) -> Result<(), Refusal> {
        for field in Fields::of(graph) {
            let field = field?;
            match field.number {
                number::GRAPH_NODE => self.node(field.bytes()?)?,
                number::GRAPH_INITIALIZER => self.tensor(field.bytes()?)?,
                number::GRAPH_SPARSE => return Err(Refusal::Foreign { what: "a sparse tensor" }),
                _ => {}
            }
        }
        Ok(())
    }

    fn node(&mut self, node: &'m [u8]) -> Result<(), Refusal> {
        let mut inputs: Vec<&[u8]> = Vec::new();
        let mut is_attention = false;
        for field in Fields::of(node) {
            let field = field?;
            match field.number {
                number::NODE_INPUT => inputs.push(field.bytes()?),
                number::NODE_OPERATOR => is_attention = field.bytes()? == b"GroupQueryAttention",
                number::NODE_ATTRIBUTE => self.attribute(field.bytes()?)?,
                _ => {}
            }
        }
        if is_attention {
            self.tables.extend(ROTARY_INPUTS.iter().filter_map(|&at| inputs.get(at)));
            self.tables.sort_unstable();
            self.tables.dedup();
        }
        Ok(())
    }

    fn attribute(&mut self, attribute: &'m [u8]) -> Result<(), Refusal> {
        for field in Fields::of(attribute) {
            let field = field?;
            match field.number {
                number::ATTRIBUTE_TENSOR | number::ATTRIBUTE_TENSORS => self.tensor(field.bytes()?)?,
                number::ATTRIBUTE_GRAPH | number::ATTRIBUTE_GRAPHS => {
                    return Err(Refusal::Foreign { what: "a subgraph" });
                }
                number::ATTRIBUTE_SPARSE | number::ATTRIBUTE_SPARSES => {
                    return Err(Refusal::Foreign { what: "a sparse tensor" });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn tensor(&mut self, tensor: &'m [u8]) -> Result<(), Refusal> {
        let mut name: &[u8] = &[];
        let mut rows = None;
        let mut external = External::default();
        for field in Fields::of(tensor) {
            let field = field?;
            match field.number {
                number::TENSOR_NAME => name = field.bytes()?,
                number::TENSOR_DIMS if rows.is_none() => rows = first_dimension(&field)?,
                number::TENSOR_EXTERNAL => external.entry(field.bytes()?)?,
                _ => {}
            }
        }
        if let Some(rows) = rows {
            self.rows.push((name, usize::try_from(rows).unwrap_or(usize::MAX)));
        }
        external.check(self.weights_bytes)
    }
}

/// Dimensions come one by one or packed together.
fn first_dimension(field: &Field<'_>) -> Result<Option<u64>, Malformed> {
    match field.value {
        Value::Number(number) => Ok(Some(number)),
        Value::Bytes(packed) => wire::first_varint(packed),
    }
}

/// Where a tensor says its bytes are.
#[derive(Default)]
struct External {
    entries: usize,
    location: Option<String>,
    offset: u64,
    length: u64,
}

impl External {
    fn entry(&mut self, entry: &[u8]) -> Result<(), Refusal> {
        self.entries += 1;
        let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
        for field in Fields::of(entry) {
            let field = field?;
            match field.number {
                number::ENTRY_KEY => key = field.bytes()?,
                number::ENTRY_VALUE => value = field.bytes()?,
                _ => {}
            }
        }
        let text = String::from_utf8_lossy(value);
        let decimal = || text.parse::<u64>().map_err(|_| Refusal::Malformed(Malformed::Number));
        match key {
            b"location" => match &self.location {
                None => self.location = Some(text.into_owned()),
                Some(_) => return Err(Refusal::Foreign { what: "a tensor in two places" }),
            },
            b"offset" => self.offset = decimal()?,
            b"length" => self.length = decimal()?,
            b"checksum" => {}
            _ => return Err(Refusal::Foreign { what: "an unknown way to store a tensor" }),
        }
        Ok(())
    }

    fn check(self, bytes: u64) -> Result<(), Refusal> {
        if self.entries == 0 {
            return Ok(());
        }
        let location = self.location.unwrap_or_default();
        if location != WEIGHTS_FILE {
            return Err(Refusal::Elsewhere { location });
        }
        let end = self.offset.saturating_add(self.length);
        if end > bytes {
            return Err(Refusal::Beyond { offset: self.offset, end, bytes });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
