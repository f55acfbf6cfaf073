//! What goes into a ready-made graph and what comes out: names, shapes and types, read from the graph and never assumed.
//!
//! Both common layouts speak of tokens, a mask, positions, and keys and values by layer; they differ in which of these
//! there are and of what type. Whatever else a graph asks for is an error that names it. Called by the importer, and by
//! the engine, which binds to what is found here.

use crate::limits;
use crate::outline::{Outline, Port, element};

pub const INPUT_IDS: &str = "input_ids";
pub const ATTENTION_MASK: &str = "attention_mask";
pub const POSITION_IDS: &str = "position_ids";
pub const LOGITS: &str = "logits";

/// The ports of a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    pub ids: Whole,
    /// Ones for every token there is; not every graph wants them.
    pub mask: Option<Whole>,
    /// Where the tokens stand; not every graph wants them.
    pub positions: Option<Whole>,
    /// The type of keys and values.
    pub cache: Floats,
    pub logits: Floats,
    pub rows: LogitRows,
    pub layers: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Where the graph says so.
    pub vocab: Option<usize>,
}

/// Types of whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    I32,
    I64,
}

/// Types of other numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Floats {
    F16,
    F32,
}

/// For which tokens of a pass there are logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogitRows {
    Every,
    Last,
}

/// Why a graph is not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortsError {
    #[error("has no input {name}")]
    NoInput { name: String },
    #[error("has no output {name}")]
    NoOutput { name: String },
    #[error(
        "has the input {name}, which finch does not know; it knows {INPUT_IDS}, {ATTENTION_MASK}, {POSITION_IDS} and \
         past_key_values.N.key and .value"
    )]
    UnknownInput { name: String },
    #[error("has {name} of {found} dimensions where {wanted} are known")]
    Rank { name: String, found: usize, wanted: usize },
    #[error("has {name} of elements of type {found} where {wanted} is known")]
    Type { name: String, found: String, wanted: &'static str },
    #[error("has {name} of shape {found}, where finch needs {wanted}")]
    Shape { name: String, found: String, wanted: String },
}

/// The name of an input of keys or values.
#[must_use]
pub fn past(layer: usize, part: &str) -> String {
    format!("past_key_values.{layer}.{part}")
}

/// The name of the output that goes with it.
#[must_use]
pub fn present(layer: usize, part: &str) -> String {
    format!("present.{layer}.{part}")
}

const PARTS: [&str; 2] = ["key", "value"];

impl Ports {
    /// Finds the ports of a decoder in a graph.
    ///
    /// # Errors
    /// [`PortsError`] that names the input or output.
    pub fn of(outline: &Outline) -> Result<Self, PortsError> {
        let whole = |name: &str| outline.input(name).map(whole).transpose();
        let ids = whole(INPUT_IDS)?.ok_or(PortsError::NoInput { name: INPUT_IDS.to_owned() })?;
        let layers = (0..=limits::LAYERS_MAX)
            .find(|&layer| PARTS.iter().all(|part| outline.input(&past(layer, part)).is_none()))
            .unwrap_or(limits::LAYERS_MAX);
        check_known(outline, layers)?;
        let first = past(0, PARTS[0]);
        let cache = outline.input(&first).ok_or(PortsError::NoInput { name: first })?;
        let (kv_heads, head_dim) = (cache_dim(cache, 1)?, cache_dim(cache, 3)?);
        let ports = Self {
            ids,
            mask: whole(ATTENTION_MASK)?,
            positions: whole(POSITION_IDS)?,
            cache: floats(cache)?,
            layers,
            kv_heads,
            head_dim,
            ..Self::logits(outline, ids)?
        };
        for layer in 0..layers {
            for part in PARTS {
                ports.check_cache(outline.input(&past(layer, part)), || PortsError::NoInput {
                    name: past(layer, part),
                })?;
                let name = || present(layer, part);
                ports.check_cache(outline.output(&name()), || PortsError::NoOutput { name: name() })?;
            }
        }
        Ok(ports)
    }

    fn logits(outline: &Outline, ids: Whole) -> Result<Self, PortsError> {
        let logits = outline.output(LOGITS).ok_or(PortsError::NoOutput { name: LOGITS.to_owned() })?;
        rank(logits, 3)?;
        let rows = if logits.dims[1] == Some(1) { LogitRows::Last } else { LogitRows::Every };
        let vocab = logits.dims[2].and_then(|vocab| usize::try_from(vocab).ok());
        Ok(Self {
            ids,
            mask: None,
            positions: None,
            cache: Floats::F32,
            logits: floats(logits)?,
            rows,
            layers: 0,
            kv_heads: 0,
            head_dim: 0,
            vocab,
        })
    }

    /// All keys and values are alike.
    fn check_cache(&self, port: Option<&Port>, absent: impl Fn() -> PortsError) -> Result<(), PortsError> {
        let port = port.ok_or_else(absent)?;
        rank(port, 4)?;
        if floats(port)? != self.cache {
            let (found, wanted) = (name_of(port.element), "that of the other keys and values");
            return Err(PortsError::Type { name: port.name.clone(), found, wanted });
        }
        let fits = |at: usize, wanted: usize| port.dims[at].is_none_or(|found| found == wanted as u64);
        if port.dims[0].is_none_or(|rows| rows == 1)
            && fits(1, self.kv_heads)
            && fits(3, self.head_dim)
            && port.dims[2].is_none()
        {
            return Ok(());
        }
        let wanted = format!("[batch, {}, length, {}]", self.kv_heads, self.head_dim);
        Err(PortsError::Shape { name: port.name.clone(), found: shape(port), wanted })
    }
}

fn check_known(outline: &Outline, layers: usize) -> Result<(), PortsError> {
    let is_cache = |name: &str| {
        let rest = name.strip_prefix("past_key_values.").and_then(|rest| rest.split_once('.'));
        rest.is_some_and(|(layer, part)| {
            PARTS.contains(&part)
                && layer.parse().is_ok_and(|number: usize| number < layers && past(number, part) == name)
        })
    };
    let unknown = outline
        .inputs
        .iter()
        .find(|port| ![INPUT_IDS, ATTENTION_MASK, POSITION_IDS].contains(&&*port.name) && !is_cache(&port.name));
    match unknown {
        Some(port) => Err(PortsError::UnknownInput { name: port.name.clone() }),
        None => Ok(()),
    }
}

fn rank(port: &Port, wanted: usize) -> Result<(), PortsError> {
    match port.dims.len() {
        found if found == wanted => Ok(()),
        found => Err(PortsError::Rank { name: port.name.clone(), found, wanted }),
    }
}

fn whole(port: &Port) -> Result<Whole, PortsError> {
    rank(port, 2)?;
    match port.element {
        Some(element::INT64) => Ok(Whole::I64),
        Some(element::INT32) => Ok(Whole::I32),
        found => Err(PortsError::Type { name: port.name.clone(), found: name_of(found), wanted: "int64 or int32" }),
    }
}

fn floats(port: &Port) -> Result<Floats, PortsError> {
    match port.element {
        Some(element::FLOAT) => Ok(Floats::F32),
        Some(element::FLOAT16) => Ok(Floats::F16),
        found => Err(PortsError::Type { name: port.name.clone(), found: name_of(found), wanted: "float or float16" }),
    }
}

/// A dimension of keys or values that has to be known.
fn cache_dim(port: &Port, at: usize) -> Result<usize, PortsError> {
    rank(port, 4)?;
    let size = port.dims[at].and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0);
    size.ok_or_else(|| {
        let wanted = "the number of heads and their width, as [batch, 2, length, 64]".to_owned();
        PortsError::Shape { name: port.name.clone(), found: shape(port), wanted }
    })
}

fn shape(port: &Port) -> String {
    let dims = port.dims.iter().map(|dim| dim.map_or_else(|| "?".to_owned(), |size| size.to_string()));
    format!("[{}]", dims.collect::<Vec<_>>().join(", "))
}

/// The public schema's name of an element type, as far as people meet them.
fn name_of(found: Option<u64>) -> String {
    match found {
        None => "none".to_owned(),
        Some(2) => "uint8".to_owned(),
        Some(3) => "int8".to_owned(),
        Some(element::FLOAT) => "float".to_owned(),
        Some(element::INT32) => "int32".to_owned(),
        Some(element::INT64) => "int64".to_owned(),
        Some(9) => "bool".to_owned(),
        Some(element::FLOAT16) => "float16".to_owned(),
        Some(11) => "double".to_owned(),
        Some(16) => "bfloat16".to_owned(),
        Some(other) => format!("number {other}"),
    }
}

#[cfg(test)]
mod tests;
