//! Where a tensor says its bytes are, when they are not in the graph.
//!
//! One plain file that the caller knows, inside its length. Called by `outline` alone.

use super::Refusal;
use super::wire::{Fields, Malformed};

/// Field numbers of the pairs of texts.
const ENTRY_KEY: u32 = 1;
const ENTRY_VALUE: u32 = 2;

#[derive(Default)]
pub(super) struct External {
    entries: usize,
    location: Option<String>,
    pub(super) offset: u64,
    pub(super) length: Option<u64>,
}

impl External {
    pub(super) fn is_there(&self) -> bool {
        self.entries > 0
    }

    pub(super) fn entry(&mut self, entry: &[u8]) -> Result<(), Refusal> {
        self.entries += 1;
        let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
        for field in Fields::of(entry) {
            let field = field?;
            match field.number {
                ENTRY_KEY => key = field.bytes()?,
                ENTRY_VALUE => value = field.bytes()?,
                _ => {}
            }
        }
        let text = String::from_utf8_lossy(value);
        let decimal = || text.parse::<u64>().map_err(|_| Refusal::Malformed(Malformed::Number));
        match key {
            b"location" => match &self.location {
                Some(_) => return Err(Refusal::Foreign { what: "a tensor in two places" }),
                None => self.location = Some(text.into_owned()),
            },
            b"offset" => self.offset = decimal()?,
            b"length" => self.length = Some(decimal()?),
            // A sum over the bytes changes nothing.
            b"checksum" => {}
            _ => return Err(Refusal::Foreign { what: "a tensor stored in an unknown way" }),
        }
        Ok(())
    }

    /// The file, if it is known and `length` bytes are in it.
    pub(super) fn check(self, beside: &dyn Fn(&str) -> Option<u64>, length: u64) -> Result<String, Refusal> {
        let location = self.location.unwrap_or_default();
        let Some(bytes) = Some(&*location).filter(|location| is_plain(location)).and_then(beside) else {
            return Err(Refusal::Elsewhere { location });
        };
        let end = self.offset.saturating_add(length);
        if end > bytes {
            return Err(Refusal::Beyond { location, offset: self.offset, end, bytes });
        }
        Ok(location)
    }
}

/// True for a name that stays in its folder on every system.
fn is_plain(name: &str) -> bool {
    let first_is_plain = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    first_is_plain && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}
