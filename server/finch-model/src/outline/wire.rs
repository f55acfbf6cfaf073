//! The protobuf wire format, as far as walking a message needs it.
//!
//! Reads borrowed bytes and allocates nothing, so a message can make it neither slow nor large.

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A length goes past the end.
    #[error("it is cut short")]
    CutShort,
    /// A field is of a kind that has gone out of use, or of another than it should be.
    #[error("it has a field of an unknown kind")]
    Kind,
    /// A number has more than 64 bits, or is none.
    #[error("it has a number out of range")]
    Number,
}

/// One field of a message.
pub(super) struct Field<'m> {
    pub(super) number: u32,
    pub(super) value: Value<'m>,
}

/// What a field holds.
pub(super) enum Value<'m> {
    /// A varint, or a fixed number that nobody here reads.
    Number(u64),
    Bytes(&'m [u8]),
}

impl<'m> Field<'m> {
    pub(super) fn bytes(&self) -> Result<&'m [u8], Malformed> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Number(_) => Err(Malformed::Kind),
        }
    }

    pub(super) fn number(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Number(number) => Ok(number),
            Value::Bytes(_) => Err(Malformed::Kind),
        }
    }
}

/// The fields of a message, in order; ends behind the first malformed one.
pub(super) struct Fields<'m> {
    rest: &'m [u8],
}

impl<'m> Fields<'m> {
    pub(super) fn of(message: &'m [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<Field<'m>, Malformed> {
        let key = varint(&mut self.rest)?;
        let number = u32::try_from(key >> 3).map_err(|_| Malformed::Number)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut self.rest)?),
            1 => fixed(self.take(8)?),
            2 => {
                let length = usize::try_from(varint(&mut self.rest)?).map_err(|_| Malformed::CutShort)?;
                Value::Bytes(self.take(length)?)
            }
            5 => fixed(self.take(4)?),
            _ => return Err(Malformed::Kind),
        };
        Ok(Field { number, value })
    }

    fn take(&mut self, count: usize) -> Result<&'m [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed::CutShort)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'m> Iterator for Fields<'m> {
    type Item = Result<Field<'m>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

fn fixed(bytes: &[u8]) -> Value<'_> {
    Value::Number(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// The numbers of a packed list; ends behind the first malformed one.
pub(super) fn varints(mut packed: &[u8]) -> impl Iterator<Item = Result<u64, Malformed>> {
    std::iter::from_fn(move || {
        if packed.is_empty() {
            return None;
        }
        let number = varint(&mut packed);
        if number.is_err() {
            packed = &[];
        }
        Some(number)
    })
}

fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first().ok_or(Malformed::CutShort)?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Malformed::Number)
}
