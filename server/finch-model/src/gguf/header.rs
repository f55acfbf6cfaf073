//! The layout of a GGUF file before its tensor data: magic, version, metadata, tensor descriptions.
//!
//! Joins the raw bytes to [`Value`]s and [`TensorInfo`]s whose offsets and sizes are known to lie inside the file; nothing
//! after this checks them again. Arrays stay in the file and are only remembered by place. Called by `Gguf` alone.

use std::collections::BTreeMap;

use super::cursor::{Cursor, Fault, kind};
use super::tensor::{TensorInfo, TensorKind};
use crate::limits;

const MAGIC: &[u8] = b"GGUF";
const ALIGNMENT_DEFAULT: u64 = 32;

/// One metadata value. Invariant of `Array`: its elements were walked once and lie inside the file.
#[derive(Debug)]
pub(super) enum Value {
    Integer(i64),
    Float(f64),
    Flag(bool),
    Text(String),
    Array { element: u32, count: usize, start: usize },
}

type Header = (BTreeMap<String, Value>, BTreeMap<String, TensorInfo>);

pub(super) fn read(bytes: &[u8]) -> Result<Header, Fault> {
    let mut cursor = Cursor::new(bytes, 0);
    if cursor.take(MAGIC.len()).ok() != Some(MAGIC) {
        return Err(Fault::Broken("it does not begin with GGUF".to_owned()));
    }
    match cursor.u32()? {
        2 | 3 => {}
        version if version.swap_bytes() <= 3 => {
            return Err(Fault::Unsupported("it is written for big-endian machines".to_owned()));
        }
        version => return Err(Fault::Unsupported(format!("GGUF version {version}, finch reads 2 and 3"))),
    }
    // A tensor description takes at least 24 bytes, a metadata entry at least 13.
    let tensor_count = cursor.count(24, limits::GGUF_TENSORS_MAX, "tensors")?;
    let entry_count = cursor.count(13, limits::GGUF_METADATA_ENTRIES_MAX, "metadata entries")?;
    let metadata = read_metadata(&mut cursor, entry_count)?;
    let alignment = alignment(&metadata)?;
    let tensors = read_tensors(&mut cursor, tensor_count, bytes.len(), alignment)?;
    Ok((metadata, tensors))
}

fn read_metadata(cursor: &mut Cursor<'_>, count: usize) -> Result<BTreeMap<String, Value>, Fault> {
    let mut metadata = BTreeMap::new();
    for index in 0..count {
        let key = cursor
            .text(limits::GGUF_KEY_BYTES_MAX)
            .map_err(|fault| fault.within(&format!("key of metadata entry {index}")))?;
        let value = read_value(cursor).map_err(|fault| fault.within(key))?;
        if metadata.insert(key.to_owned(), value).is_some() {
            return Err(Fault::Broken(format!("metadata key {key} occurs twice")));
        }
    }
    Ok(metadata)
}

fn read_value(cursor: &mut Cursor<'_>) -> Result<Value, Fault> {
    Ok(match cursor.u32()? {
        kind::TEXT => Value::Text(cursor.text(limits::GGUF_TEXT_BYTES_MAX)?.to_owned()),
        kind::BOOL => Value::Flag(cursor.flag()?),
        float @ (kind::F32 | kind::F64) => Value::Float(cursor.float(float)?),
        kind::ARRAY => {
            let (element, count) = cursor.array_head()?;
            let start = cursor.position();
            cursor.skip_elements(element, count, 1)?;
            Value::Array { element, count, start }
        }
        integer => Value::Integer(cursor.integer(integer)?),
    })
}

fn alignment(metadata: &BTreeMap<String, Value>) -> Result<u64, Fault> {
    let alignment = match metadata.get("general.alignment") {
        None => return Ok(ALIGNMENT_DEFAULT),
        Some(Value::Integer(alignment)) => u64::try_from(*alignment).unwrap_or(0),
        Some(_) => 0,
    };
    if alignment.is_power_of_two() && alignment <= limits::GGUF_ALIGNMENT_BYTES_MAX {
        return Ok(alignment);
    }
    Err(Fault::Broken(format!(
        "general.alignment is not a power of two up to {} bytes",
        limits::GGUF_ALIGNMENT_BYTES_MAX
    )))
}

fn read_tensors(
    cursor: &mut Cursor<'_>,
    count: usize,
    file_len: usize,
    alignment: u64,
) -> Result<BTreeMap<String, TensorInfo>, Fault> {
    let mut described = Vec::with_capacity(count);
    for index in 0..count {
        let name = cursor
            .text(limits::GGUF_KEY_BYTES_MAX)
            .map_err(|fault| fault.within(&format!("name of tensor {index}")))?;
        let tensor = describe(cursor, alignment).map_err(|fault| fault.within(&format!("tensor {name}")))?;
        described.push((name, tensor));
    }
    let data_start = (cursor.position() as u64).checked_next_multiple_of(alignment);
    let mut tensors = BTreeMap::new();
    for (name, (mut info, offset)) in described {
        let start = data_start.and_then(|data| data.checked_add(offset)).and_then(|start| usize::try_from(start).ok());
        let end = start.and_then(|start| start.checked_add(info.bytes_len));
        match (start, end) {
            (Some(start), Some(end)) if end <= file_len => info.start = start,
            _ => return Err(Fault::Broken(format!("tensor {name} reaches beyond the end of the file"))),
        }
        if tensors.insert(name.to_owned(), info).is_some() {
            return Err(Fault::Broken(format!("tensor {name} occurs twice")));
        }
    }
    Ok(tensors)
}

/// Reads one description; the offset is relative to the data section, whose start is not known yet.
fn describe(cursor: &mut Cursor<'_>, alignment: u64) -> Result<(TensorInfo, u64), Fault> {
    let rank = cursor.u32()?;
    if rank == 0 || rank > limits::GGUF_DIMENSIONS_MAX {
        return Err(Fault::Broken(format!("{rank} dimensions, 1 to {} are read", limits::GGUF_DIMENSIONS_MAX)));
    }
    let mut dims = Vec::with_capacity(rank as usize);
    for _ in 0..rank {
        let raw = cursor.u64()?;
        let dim = usize::try_from(raw).ok().filter(|dim| *dim > 0);
        dims.push(dim.ok_or_else(|| Fault::Broken(format!("a dimension of {raw}")))?);
    }
    let number = cursor.u32()?;
    let kind = TensorKind::from_number(number)
        .ok_or_else(|| Fault::Unsupported(format!("tensor type {number}, finch reads {}", TensorKind::NAMES)))?;
    let offset = cursor.u64()?;
    if !offset.is_multiple_of(alignment) {
        return Err(Fault::Broken(format!("offset {offset} is not a multiple of {alignment}")));
    }
    let row_len = dims[0];
    if !row_len.is_multiple_of(kind.block_len()) {
        return Err(Fault::Broken(format!("rows of {row_len} in blocks of {}", kind.block_len())));
    }
    let rows = dims[1..].iter().try_fold(1_usize, |rows, dim| rows.checked_mul(*dim));
    let row_bytes = (row_len / kind.block_len()).checked_mul(kind.block_bytes());
    let sizes = rows.zip(row_bytes).and_then(|(rows, bytes)| Some((rows, bytes, rows.checked_mul(bytes)?)));
    let Some((rows, row_bytes, bytes_len)) = sizes else {
        return Err(Fault::Broken("its size overflows".to_owned()));
    };
    Ok((TensorInfo { kind, dims, rows, row_bytes, bytes_len, start: 0, offset: 0.0 }, offset))
}
