//! A look into an ONNX file before ONNX Runtime sees it: what it points at, what it claims, and what goes in and out.
//!
//! Tensors may lie in the file itself or in plain files beside it that the caller knows, inside their lengths and nowhere
//! else; every way the format has to name an outside file is walked, sparse tensors and attributes too. What a tensor
//! says of its size must be what it has. Subgraphs, functions and training graphs are refused: nested ones are a known
//! way to make loading take minutes. Only the wire format is read, so no foreign parser meets foreign bytes. Called by
//! the importer of exports and by the engine, before every load.

mod external;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::Path;

use self::external::External;
pub use self::wire::Malformed;
use self::wire::{Field, Fields, Value};
use crate::bytes::Bytes;
use crate::limits;

/// What a graph tells about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Rows of the smallest rotary table: more positions would be read past its end. None if there is no table.
    pub positions: Option<usize>,
    /// What goes in, but for what the graph brings itself.
    pub inputs: Vec<Port>,
    /// What comes out.
    pub outputs: Vec<Port>,
    /// The files beside it that its tensors lie in.
    pub files: BTreeSet<String>,
    /// Bytes of weights beside the graph that every token reads: all but tables of which it takes a row.
    pub token_bytes: u64,
    /// Rows and columns of every matrix in blocks that a token is multiplied with.
    pub products: Vec<(u64, u64)>,
    /// Bits of the matrices in blocks, the fewest there are; none without such matrices.
    pub bits: Option<u64>,
    /// Bytes of tensors by the number of their element type in the format.
    pub bytes_of: Vec<(u64, u64)>,
}

/// An input or an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub name: String,
    /// The number of the element type in the format; none where it is no tensor.
    pub element: Option<u64>,
    /// The dimensions; none for one that is not fixed.
    pub dims: Vec<Option<u64>>,
}

/// Why a graph is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The bytes contradict themselves: fetch the file again.
    #[error("is not a graph: {0}")]
    Malformed(#[from] Malformed),
    /// It would read a file that is none of the model's.
    #[error("points at the file {location:?}, which is none of the model's")]
    Elsewhere {
        /// What it names.
        location: String,
    },
    /// It would read past the end of a file.
    #[error("points at bytes {offset} to {end} of {location}, which has {bytes}")]
    Beyond { location: String, offset: u64, end: u64, bytes: u64 },
    /// A tensor is not as large as it says.
    #[error("claims more than it has: the tensor {name:?} is said to take {claimed} bytes and has {bytes}")]
    Claim { name: String, claimed: String, bytes: u64 },
    /// It holds something that finch has no use for and that loading is known to suffer from.
    #[error("holds {what}, which finch does not load")]
    Foreign { what: &'static str },
}

/// Field numbers of the ONNX messages, as its public schema assigns them.
mod number {
    pub(super) const MODEL_GRAPH: u32 = 7;
    pub(super) const MODEL_TRAINING: u32 = 20;
    pub(super) const MODEL_FUNCTIONS: u32 = 25;
    pub(super) const GRAPH_NODE: u32 = 1;
    pub(super) const GRAPH_INITIALIZER: u32 = 5;
    pub(super) const GRAPH_INPUT: u32 = 11;
    pub(super) const GRAPH_OUTPUT: u32 = 12;
    pub(super) const GRAPH_SPARSE: u32 = 15;
    pub(super) const NODE_INPUT: u32 = 1;
    pub(super) const NODE_OPERATOR: u32 = 4;
    pub(super) const NODE_ATTRIBUTE: u32 = 5;
    pub(super) const ATTRIBUTE_NAME: u32 = 1;
    pub(super) const ATTRIBUTE_INTEGER: u32 = 3;
    pub(super) const ATTRIBUTE_TENSOR: u32 = 5;
    pub(super) const ATTRIBUTE_GRAPH: u32 = 6;
    pub(super) const ATTRIBUTE_TENSORS: u32 = 10;
    pub(super) const ATTRIBUTE_GRAPHS: u32 = 11;
    pub(super) const ATTRIBUTE_SPARSE: u32 = 22;
    pub(super) const ATTRIBUTE_SPARSES: u32 = 23;
    pub(super) const TENSOR_DIMS: u32 = 1;
    pub(super) const TENSOR_TYPE: u32 = 2;
    pub(super) const TENSOR_NAME: u32 = 8;
    pub(super) const TENSOR_RAW: u32 = 9;
    pub(super) const TENSOR_EXTERNAL: u32 = 13;
    pub(super) const VALUE_NAME: u32 = 1;
    pub(super) const VALUE_TYPE: u32 = 2;
    pub(super) const TYPE_TENSOR: u32 = 1;
    pub(super) const TENSOR_TYPE_ELEMENT: u32 = 1;
    pub(super) const TENSOR_TYPE_SHAPE: u32 = 2;
    pub(super) const SHAPE_DIMENSION: u32 = 1;
    pub(super) const DIMENSION_SIZE: u32 = 1;
}

/// The inputs of a `GroupQueryAttention` node that are rotary tables: cosines and sines.
const ROTARY_INPUTS: [usize; 2] = [7, 8];
/// What takes rows of a tensor instead of all of it.
const ROW_OPERATORS: [&[u8]; 2] = [b"Gather", b"GatherBlockQuantized"];
/// Bits of a matrix in blocks that does not say.
const BLOCK_BITS_DEFAULT: u64 = 4;

/// Element types of the format.
pub mod element {
    /// 32-bit floats.
    pub const FLOAT: u64 = 1;
    /// 64-bit integers.
    pub const INT64: u64 = 7;
    /// 32-bit integers.
    pub const INT32: u64 = 6;
    /// 16-bit floats.
    pub const FLOAT16: u64 = 10;

    /// Bits of an element; 0 for texts, whose length is not in their shape. None for a type that is not known.
    pub(super) fn bits(element: u64) -> Option<u64> {
        Some(match element {
            8 => 0,
            21..=23 => 4,
            2 | 3 | 9 | 17..=20 => 8,
            4 | 5 | FLOAT16 | 16 => 16,
            FLOAT | INT32 | 12 => 32,
            INT64 | 11 | 13 | 14 => 64,
            15 => 128,
            _ => return None,
        })
    }
}

impl Outline {
    /// Reads a model file of so many bytes at most. `beside` tells the length of a file that tensors may lie in.
    ///
    /// # Errors
    /// The outer one if the file cannot be read, the inner one if it is refused.
    pub fn of_file(
        path: &Path,
        bytes_max: u64,
        beside: &dyn Fn(&str) -> Option<u64>,
    ) -> io::Result<Result<Self, Refusal>> {
        let length = std::fs::metadata(path)?.len();
        if length > bytes_max {
            return Err(io::Error::other(format!("{length} bytes are too many for a graph")));
        }
        Ok(Self::of_bytes(&Bytes::map(path)?, beside))
    }

    /// Reads a serialised model.
    ///
    /// # Errors
    /// [`Refusal`] if it is none, or one that is not loaded.
    pub fn of_bytes(model: &[u8], beside: &dyn Fn(&str) -> Option<u64>) -> Result<Self, Refusal> {
        let mut walk = Walk::of(beside);
        for field in Fields::of(model) {
            let field = field?;
            match field.number {
                number::MODEL_GRAPH => walk.graph(field.bytes()?)?,
                number::MODEL_TRAINING => return Err(Refusal::Foreign { what: "a training graph" }),
                number::MODEL_FUNCTIONS => return Err(Refusal::Foreign { what: "functions" }),
                _ => {}
            }
        }
        walk.outline.token_bytes = walk.token_bytes();
        let Walk { rows, tables, mut outline, .. } = walk;
        let of_tables = rows.iter().filter(|(name, _)| tables.contains(name)).map(|(_, rows)| *rows);
        outline.positions = of_tables.min();
        let brought: HashSet<&[u8]> = rows.iter().map(|(name, _)| *name).collect();
        outline.inputs.retain(|input| !brought.contains(input.name.as_bytes()));
        Ok(outline)
    }

    /// The input of that name.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<&Port> {
        self.inputs.iter().find(|port| port.name == name)
    }

    /// The output of that name.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<&Port> {
        self.outputs.iter().find(|port| port.name == name)
    }
}

/// A file, an offset and a length.
type Extent = (String, u64, u64);

struct Walk<'m, 'b> {
    beside: &'b dyn Fn(&str) -> Option<u64>,
    /// The first dimension of each initializer, `usize::MAX` where it has none.
    rows: Vec<(&'m [u8], usize)>,
    /// The names of rotary tables.
    tables: HashSet<&'m [u8]>,
    /// Where the bytes of each tensor beside the graph are: file, offset and length.
    extents: Vec<(&'m [u8], Extent)>,
    /// The inputs of nodes that read a tensor whole.
    whole: HashSet<&'m [u8]>,
    outline: Outline,
}

impl<'m, 'b> Walk<'m, 'b> {
    fn of(beside: &'b dyn Fn(&str) -> Option<u64>) -> Self {
        Self {
            beside,
            rows: Vec::new(),
            tables: HashSet::new(),
            extents: Vec::new(),
            whole: HashSet::new(),
            outline: Outline::default(),
        }
    }

    /// Names may share one stretch of bytes, which counts once.
    fn token_bytes(&self) -> u64 {
        let read = self.extents.iter().filter(|(name, _)| self.whole.contains(name) && !self.tables.contains(name));
        let stretches: BTreeSet<&Extent> = read.map(|(_, extent)| extent).collect();
        stretches.iter().fold(0, |sum, (_, _, length)| sum.saturating_add(*length))
    }

    fn graph(&mut self, graph: &'m [u8]) -> Result<(), Refusal> {
        for field in Fields::of(graph) {
            let field = field?;
            match field.number {
                number::GRAPH_NODE => self.node(field.bytes()?)?,
                number::GRAPH_INITIALIZER => {
                    let (name, rows) = self.tensor(field.bytes()?)?;
                    self.rows.push((name, rows));
                }
                number::GRAPH_INPUT => self.outline.inputs.push(port(field.bytes()?)?),
                number::GRAPH_OUTPUT => self.outline.outputs.push(port(field.bytes()?)?),
                number::GRAPH_SPARSE => return Err(Refusal::Foreign { what: "a sparse tensor" }),
                _ => {}
            }
        }
        Ok(())
    }

    fn node(&mut self, node: &'m [u8]) -> Result<(), Refusal> {
        let mut inputs: Vec<&[u8]> = Vec::new();
        let mut operator: &[u8] = &[];
        let (mut rows, mut columns, mut bits) = (0, 0, BLOCK_BITS_DEFAULT);
        for field in Fields::of(node) {
            let field = field?;
            match field.number {
                number::NODE_INPUT => inputs.push(field.bytes()?),
                number::NODE_OPERATOR => operator = field.bytes()?,
                number::NODE_ATTRIBUTE => match self.attribute(field.bytes()?)? {
                    (b"N", number) => rows = number,
                    (b"K", number) => columns = number,
                    (b"bits", number) => bits = number,
                    _ => {}
                },
                _ => {}
            }
        }
        match operator {
            b"GroupQueryAttention" => {
                self.tables.extend(ROTARY_INPUTS.iter().filter_map(|&at| inputs.get(at)));
            }
            b"MatMulNBits" => {
                self.outline.products.push((rows, columns));
                self.outline.bits = self.outline.bits.into_iter().chain([bits]).min();
            }
            _ => {}
        }
        if !ROW_OPERATORS.contains(&operator) {
            self.whole.extend(inputs);
        }
        Ok(())
    }

    /// The name of an attribute, and its number if it has one.
    fn attribute(&mut self, attribute: &'m [u8]) -> Result<(&'m [u8], u64), Refusal> {
        let (mut name, mut integer): (&[u8], u64) = (&[], 0);
        for field in Fields::of(attribute) {
            let field = field?;
            match field.number {
                number::ATTRIBUTE_NAME => name = field.bytes()?,
                number::ATTRIBUTE_INTEGER => integer = field.number()?,
                number::ATTRIBUTE_TENSOR | number::ATTRIBUTE_TENSORS => {
                    self.tensor(field.bytes()?)?;
                }
                number::ATTRIBUTE_GRAPH | number::ATTRIBUTE_GRAPHS => {
                    return Err(Refusal::Foreign { what: "a subgraph" });
                }
                number::ATTRIBUTE_SPARSE | number::ATTRIBUTE_SPARSES => {
                    return Err(Refusal::Foreign { what: "a sparse tensor" });
                }
                _ => {}
            }
        }
        Ok((name, integer))
    }

    /// Checks a tensor; its name and first dimension.
    fn tensor(&mut self, tensor: &'m [u8]) -> Result<(&'m [u8], usize), Refusal> {
        let (mut name, mut element): (&[u8], _) = (&[], 0);
        let mut dims: Vec<u64> = Vec::new();
        let (mut raw, mut external) = (None, External::default());
        for field in Fields::of(tensor) {
            let field = field?;
            match field.number {
                number::TENSOR_NAME => name = field.bytes()?,
                number::TENSOR_TYPE => element = field.number()?,
                number::TENSOR_DIMS => extend(&mut dims, &field)?,
                number::TENSOR_RAW => raw = Some(field.bytes()?.len() as u64),
                number::TENSOR_EXTERNAL => external.entry(field.bytes()?)?,
                _ => {}
            }
        }
        let Some(bits) = element::bits(element) else {
            return Err(Refusal::Foreign { what: "a tensor of an unknown type" });
        };
        let count = dims.iter().try_fold(1u64, |count, &dim| count.checked_mul(dim));
        let claimed = count.and_then(|count| count.checked_mul(bits)).map(|bits| bits.div_ceil(8));
        let claim = |bytes: u64| Refusal::Claim {
            name: String::from_utf8_lossy(name).into_owned(),
            claimed: claimed.map_or_else(|| "too many".to_owned(), |claimed| claimed.to_string()),
            bytes,
        };
        if external.is_there() {
            let Some(bytes) = claimed else { return Err(claim(external.length.unwrap_or(0))) };
            if let Some(length) = external.length.filter(|&length| length != bytes) {
                return Err(claim(length));
            }
            let offset = external.offset;
            let file = external.check(self.beside, bytes)?;
            self.outline.files.insert(file.clone());
            self.extents.push((name, (file, offset, bytes)));
        } else if let Some(raw) = raw {
            if claimed != Some(raw) {
                return Err(claim(raw));
            }
        } else if count.is_none_or(|count| count > tensor.len() as u64 * 2) {
            // Every number takes four bits of the message at least.
            return Err(claim(tensor.len() as u64));
        }
        self.count(element, claimed.unwrap_or(0));
        let rows = dims.first().map_or(usize::MAX, |&rows| usize::try_from(rows).unwrap_or(usize::MAX));
        Ok((name, rows))
    }

    fn count(&mut self, element: u64, bytes: u64) {
        match self.outline.bytes_of.iter_mut().find(|(of, _)| *of == element) {
            Some((_, sum)) => *sum = sum.saturating_add(bytes),
            None => self.outline.bytes_of.push((element, bytes)),
        }
    }
}

/// Dimensions come one by one or packed together.
fn extend(dims: &mut Vec<u64>, field: &Field<'_>) -> Result<(), Refusal> {
    match field.value {
        Value::Number(number) => dims.push(number),
        Value::Bytes(packed) => {
            for dim in wire::varints(packed).take(limits::GRAPH_RANK_MAX + 1) {
                dims.push(dim?);
            }
        }
    }
    if dims.len() > limits::GRAPH_RANK_MAX {
        return Err(Refusal::Foreign { what: "a tensor of very many dimensions" });
    }
    Ok(())
}

fn port(value: &[u8]) -> Result<Port, Refusal> {
    let mut port = Port { name: String::new(), element: None, dims: Vec::new() };
    for field in Fields::of(value) {
        let field = field?;
        match field.number {
            number::VALUE_NAME => port.name = String::from_utf8_lossy(field.bytes()?).into_owned(),
            number::VALUE_TYPE => {
                for field in Fields::of(field.bytes()?) {
                    let field = field?;
                    if field.number == number::TYPE_TENSOR {
                        tensor_type(field.bytes()?, &mut port)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(port)
}

fn tensor_type(tensor: &[u8], port: &mut Port) -> Result<(), Refusal> {
    for field in Fields::of(tensor) {
        let field = field?;
        match field.number {
            number::TENSOR_TYPE_ELEMENT => port.element = Some(field.number()?),
            number::TENSOR_TYPE_SHAPE => {
                for field in Fields::of(field.bytes()?) {
                    let field = field?;
                    if field.number == number::SHAPE_DIMENSION {
                        port.dims.push(dimension(field.bytes()?)?);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn dimension(dimension: &[u8]) -> Result<Option<u64>, Malformed> {
    let mut size = None;
    for field in Fields::of(dimension) {
        let field = field?;
        if field.number == number::DIMENSION_SIZE {
            size = Some(field.number()?);
        }
    }
    Ok(size)
}
