//! A bounded reader over the bytes of a GGUF file.
//!
//! Every read is checked against what is left, and every array against what it must at least occupy, before anything is
//! allocated. Knows the primitive encodings of GGUF and nothing of its layout; used by `header` and by array access.

use super::CheckpointError;
use crate::limits;

/// What is wrong, before the file's name is known.
#[derive(Debug)]
pub(super) enum Fault {
    Broken(String),
    Unsupported(String),
}

impl Fault {
    pub(super) fn within(self, place: &str) -> Fault {
        match self {
            Fault::Broken(what) => Fault::Broken(format!("{place}: {what}")),
            Fault::Unsupported(what) => Fault::Unsupported(format!("{place}: {what}")),
        }
    }

    pub(super) fn in_file(self, file: &str) -> CheckpointError {
        let file = file.to_owned();
        match self {
            Fault::Broken(what) => CheckpointError::Broken { file, what },
            Fault::Unsupported(what) => CheckpointError::Unsupported { file, what },
        }
    }
}

/// The type numbers of metadata values.
pub(super) mod kind {
    pub(in crate::gguf) const U8: u32 = 0;
    pub(in crate::gguf) const I8: u32 = 1;
    pub(in crate::gguf) const U16: u32 = 2;
    pub(in crate::gguf) const I16: u32 = 3;
    pub(in crate::gguf) const U32: u32 = 4;
    pub(in crate::gguf) const I32: u32 = 5;
    pub(in crate::gguf) const F32: u32 = 6;
    pub(in crate::gguf) const BOOL: u32 = 7;
    pub(in crate::gguf) const TEXT: u32 = 8;
    pub(in crate::gguf) const ARRAY: u32 = 9;
    pub(in crate::gguf) const U64: u32 = 10;
    pub(in crate::gguf) const I64: u32 = 11;
    pub(in crate::gguf) const F64: u32 = 12;
}

pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            return Err(Fault::Broken(format!("{len} bytes wanted at byte {}, {} left", self.at, self.left())));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count of things that take at least `bytes_each`, which the rest of the file must be able to hold.
    pub(super) fn count(&mut self, bytes_each: usize, max: usize, things: &str) -> Result<usize, Fault> {
        let raw = self.u64()?;
        let count = usize::try_from(raw).ok().filter(|count| *count <= max);
        let Some(count) = count else {
            return Err(Fault::Broken(format!("{raw} {things}, at most {max} are read")));
        };
        match count.checked_mul(bytes_each) {
            Some(bytes) if bytes <= self.left() => Ok(count),
            _ => Err(Fault::Broken(format!("{count} {things} do not fit in the {} bytes left", self.left()))),
        }
    }

    pub(super) fn text(&mut self, max: usize) -> Result<&'a str, Fault> {
        let len = self.count(1, max, "bytes of text")?;
        let start = self.at;
        std::str::from_utf8(self.take(len)?).map_err(|_| Fault::Broken(format!("text at byte {start} is not UTF-8")))
    }

    pub(super) fn float(&mut self, kind: u32) -> Result<f64, Fault> {
        match kind {
            kind::F32 => Ok(f64::from(f32::from_le_bytes(self.array()?))),
            kind::F64 => Ok(f64::from_le_bytes(self.array()?)),
            other => Err(Fault::Broken(format!("value type {other} is not a floating-point number"))),
        }
    }

    /// A whole number of any width; an unsigned one above `i64::MAX` is damage, nothing in a model is that large.
    pub(super) fn integer(&mut self, kind: u32) -> Result<i64, Fault> {
        Ok(match kind {
            kind::U8 => i64::from(u8::from_le_bytes(self.array()?)),
            kind::I8 => i64::from(i8::from_le_bytes(self.array()?)),
            kind::U16 => i64::from(u16::from_le_bytes(self.array()?)),
            kind::I16 => i64::from(i16::from_le_bytes(self.array()?)),
            kind::U32 => i64::from(u32::from_le_bytes(self.array()?)),
            kind::I32 => i64::from(i32::from_le_bytes(self.array()?)),
            kind::U64 => {
                let raw = self.u64()?;
                i64::try_from(raw).map_err(|_| Fault::Broken(format!("the number {raw} is out of range")))?
            }
            kind::I64 => i64::from_le_bytes(self.array()?),
            other => return Err(Fault::Broken(format!("value type {other} is not a whole number"))),
        })
    }

    pub(super) fn flag(&mut self) -> Result<bool, Fault> {
        match self.array::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(Fault::Broken(format!("{other} is not a truth value"))),
        }
    }

    /// Steps over the elements of an array whose count is already known to fit.
    pub(super) fn skip_elements(&mut self, element: u32, count: usize, depth: usize) -> Result<(), Fault> {
        match (element, fixed_size(element)) {
            (_, Some(size)) => {
                // The count was checked against the bytes left with this very size.
                self.take(count.saturating_mul(size)).map(|_| ())
            }
            (kind::TEXT, _) => {
                for _ in 0..count {
                    let len = self.count(1, limits::GGUF_TEXT_BYTES_MAX, "bytes of text")?;
                    self.take(len)?;
                }
                Ok(())
            }
            (kind::ARRAY, _) if depth < limits::GGUF_ARRAY_DEPTH_MAX => {
                for _ in 0..count {
                    let (element, count) = self.array_head()?;
                    self.skip_elements(element, count, depth + 1)?;
                }
                Ok(())
            }
            (kind::ARRAY, _) => Err(Fault::Broken(format!("arrays nest deeper than {}", limits::GGUF_ARRAY_DEPTH_MAX))),
            (other, _) => Err(Fault::Broken(format!("unknown value type {other}"))),
        }
    }

    /// Element type and count of an array.
    pub(super) fn array_head(&mut self) -> Result<(u32, usize), Fault> {
        let element = self.u32()?;
        let bytes_each = match element {
            kind::TEXT => 8,
            kind::ARRAY => 12,
            other => fixed_size(other).ok_or_else(|| Fault::Broken(format!("unknown value type {other}")))?,
        };
        let count = self.count(bytes_each, limits::GGUF_ARRAY_ELEMENTS_MAX, "array elements")?;
        Ok((element, count))
    }

    pub(super) fn text_array(&mut self, element: u32, count: usize) -> Result<Vec<&'a str>, Fault> {
        if element != kind::TEXT {
            return Err(Fault::Broken(format!("its elements have value type {element}")));
        }
        (0..count).map(|_| self.text(limits::GGUF_TEXT_BYTES_MAX)).collect()
    }

    pub(super) fn float_array(&mut self, element: u32, count: usize) -> Result<Vec<f64>, Fault> {
        (0..count).map(|_| self.float(element)).collect()
    }

    pub(super) fn integer_array(&mut self, element: u32, count: usize) -> Result<Vec<i64>, Fault> {
        (0..count).map(|_| self.integer(element)).collect()
    }
}

fn fixed_size(kind: u32) -> Option<usize> {
    match kind {
        kind::U8 | kind::I8 | kind::BOOL => Some(1),
        kind::U16 | kind::I16 => Some(2),
        kind::U32 | kind::I32 | kind::F32 => Some(4),
        kind::U64 | kind::I64 | kind::F64 => Some(8),
        _ => None,
    }
}
