//! SHA-256 as a value: parsed, printed, compared; and of a file or a stream.
//!
//! A [`Digest`] is always 32 bytes, so a digest from a catalogue or a header can never be a path.

use std::{fmt, fs::File, io, io::Read, path::Path, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::limits;

/// A SHA-256 sum; its text is 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Reads the whole file.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let mut hasher = Hasher::default();
        hasher.update_from(&mut File::open(path)?)?;
        Ok(hasher.finish())
    }

    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return Err(BadDigest);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |hex: u8| char::from(hex).to_digit(16).ok_or(BadDigest);
            *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).map_err(|_| BadDigest)?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = BadDigest;

    fn try_from(text: String) -> Result<Self, BadDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// A text that is no SHA-256 sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sha256 is 64 hex digits")]
pub struct BadDigest;

/// A sum over what arrives piece by piece.
#[derive(Clone, Default)]
pub(crate) struct Hasher(sha2::Sha256);

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Reads to the end and returns how many bytes came.
    pub(crate) fn update_from(&mut self, reader: &mut impl Read) -> io::Result<u64> {
        let mut buffer = vec![0; limits::COPY_BUFFER_BYTES];
        let mut total = 0;
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(total),
                Ok(count) => {
                    self.update(&buffer[..count]);
                    total += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_printed_as_it_is_parsed() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of_bytes(b"abc").to_string(), abc);
        assert_eq!(abc.parse(), Ok(Digest::of_bytes(b"abc")));
        assert_eq!(abc.to_uppercase().parse(), Ok(Digest::of_bytes(b"abc")));
    }

    #[test]
    fn only_64_hex_digits_are_a_sum() {
        for text in ["", "ba78", "sha256:../../../etc/passwd", &"g".repeat(64), &"a".repeat(65), &"é".repeat(32)] {
            assert_eq!(text.parse::<Digest>(), Err(BadDigest), "{text:?}");
        }
    }
}
