//! Cuts a stream of bytes into message bodies: `Content-Length: N`, an empty line, N bytes.
//!
//! Pure: it is fed bytes in pieces of any size and knows no reader, no JSON and no server. What it holds is
//! bounded by [`HEADER_BYTES_MAX`] and [`BODY_BYTES_MAX`], whatever length a header claims: a body's memory
//! grows with the bytes that came, never with those that were promised. The pump feeds it.

use crate::limits::{BODY_BYTES_MAX, HEADER_BYTES_MAX, READ_BYTES, SKIPPED_BYTES_MAX};

/// What stood between two headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The body of one message.
    Body(Vec<u8>),
    /// A body above the limit was read past; the stream goes on behind it.
    TooLong { bytes: u64 },
}

/// The stream cannot be followed any further: nobody can tell where the next message starts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a message header is longer than {HEADER_BYTES_MAX} bytes")]
    HeaderTooLong,
    #[error("a message header is not made of `name: value` lines")]
    HeaderMalformed,
    #[error("a message header has no Content-Length")]
    LengthMissing,
    #[error("a message header's Content-Length is not one number of bytes up to {SKIPPED_BYTES_MAX}")]
    LengthMalformed,
}

/// How far the current message is.
#[derive(Debug)]
enum Part {
    Header(Vec<u8>),
    Body { body: Vec<u8>, missing: usize },
    Skipped { bytes: u64, missing: u64 },
}

/// The state between two pieces of input.
#[derive(Debug)]
pub struct Frames {
    part: Part,
}

impl Default for Frames {
    fn default() -> Self {
        Self { part: Part::Header(Vec::new()) }
    }
}

impl Frames {
    /// Takes bytes from the front of `input` until a frame is complete or `input` is empty.
    ///
    /// # Errors
    /// [`FrameError`] when the stream lost its framing. Reading on after that makes no sense.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, FrameError> {
        while !input.is_empty() {
            match &mut self.part {
                Part::Header(header) => {
                    if take_header(header, input)? {
                        self.part = body_part(header)?;
                    }
                }
                Part::Body { body, missing } => take_body(body, missing, input),
                Part::Skipped { missing, .. } => {
                    let taken = input.len().min(usize::try_from(*missing).unwrap_or(usize::MAX));
                    *input = &input[taken..];
                    *missing -= taken as u64;
                }
            }
            if let Some(frame) = self.finished() {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    /// Whether the stream may end here without cutting a message.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        matches!(&self.part, Part::Header(header) if header.is_empty())
    }

    fn finished(&mut self) -> Option<Frame> {
        let frame = match &mut self.part {
            Part::Body { body, missing: 0 } => Frame::Body(std::mem::take(body)),
            Part::Skipped { bytes, missing: 0 } => Frame::TooLong { bytes: *bytes },
            Part::Header(_) | Part::Body { .. } | Part::Skipped { .. } => return None,
        };
        self.part = Part::Header(Vec::new());
        Some(frame)
    }
}

/// Moves header bytes over; true once the empty line has come.
fn take_header(header: &mut Vec<u8>, input: &mut &[u8]) -> Result<bool, FrameError> {
    while let Some((&byte, rest)) = input.split_first() {
        *input = rest;
        header.push(byte);
        if header.ends_with(b"\r\n\r\n") {
            return Ok(true);
        }
        if header.len() >= HEADER_BYTES_MAX {
            return Err(FrameError::HeaderTooLong);
        }
    }
    Ok(false)
}

fn body_part(header: &[u8]) -> Result<Part, FrameError> {
    let bytes = content_length(header)?;
    match usize::try_from(bytes) {
        Ok(missing) if bytes <= BODY_BYTES_MAX => Ok(Part::Body { body: Vec::new(), missing }),
        Ok(_) | Err(_) if bytes <= SKIPPED_BYTES_MAX => Ok(Part::Skipped { bytes, missing: bytes }),
        Ok(_) | Err(_) => Err(FrameError::LengthMalformed),
    }
}

fn take_body(body: &mut Vec<u8>, missing: &mut usize, input: &mut &[u8]) {
    let (taken, rest) = input.split_at(input.len().min(*missing));
    if body.capacity() < body.len() + taken.len() {
        // Doubling, but never beyond what this body will hold.
        body.reserve_exact((*missing).min(body.len().max(READ_BYTES)));
    }
    body.extend_from_slice(taken);
    *missing -= taken.len();
    *input = rest;
}

/// The one Content-Length of a header. Other fields are of no interest: a body that is not UTF-8 fails as JSON.
fn content_length(header: &[u8]) -> Result<u64, FrameError> {
    let text = std::str::from_utf8(header).map_err(|_| FrameError::HeaderMalformed)?;
    let mut length = None;
    for line in text.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(FrameError::HeaderMalformed)?;
        if !name.trim().eq_ignore_ascii_case("content-length") {
            continue;
        }
        let value = value.trim();
        let digits_only = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let value: u64 = value.parse().ok().filter(|_| digits_only).ok_or(FrameError::LengthMalformed)?;
        if length.replace(value).is_some_and(|earlier| earlier != value) {
            return Err(FrameError::LengthMalformed);
        }
    }
    length.ok_or(FrameError::LengthMissing)
}

#[cfg(test)]
mod tests;
