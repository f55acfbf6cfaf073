//! Where one request ends and the next one begins, read strictly and before anybody else reads it.
//!
//! HTTP parsers forgive: a line that ends without CR, a length beside chunks, a second Host. Two that forgive differently
//! can be made to see different requests in the same bytes. This one forgives nothing; what it lets through has one meaning.
//! It copies no body and keeps one line at most.

use crate::limits::{CHUNK_LINE_BYTES_MAX, HEAD_BYTES_MAX, TRAILER_BYTES_MAX};

/// The bytes from this one on are no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) at: usize,
}

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Nothing of a request yet.
    Start,
    /// The first line, then headers.
    Head,
    /// A body of a known length: what is left of it.
    Body(u64),
    ChunkSize,
    Chunk(u64),
    /// The end of a chunk's line.
    ChunkEnd,
    Trailers,
    Broken,
}

/// What the headers said so far.
#[derive(Debug, Default)]
struct Said {
    has_first_line: bool,
    has_host: bool,
    length: Option<u64>,
    is_chunked: bool,
}

/// The state of one connection's bytes.
#[derive(Debug)]
pub(crate) struct Framing {
    reading: Reading,
    line: Vec<u8>,
    /// Bytes of the head or of the trailers so far.
    bytes: usize,
    said: Said,
}

impl Framing {
    pub(crate) fn new() -> Self {
        Self { reading: Reading::Start, line: Vec::new(), bytes: 0, said: Said::default() }
    }

    /// Whether a head has begun and not ended.
    pub(crate) fn is_in_head(&self) -> bool {
        self.reading == Reading::Head
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.reading == Reading::Broken
    }

    /// Whether everything that was read is whole requests.
    pub(crate) fn is_between(&self) -> bool {
        self.reading == Reading::Start
    }

    /// Reads on.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match self.reading {
                Reading::Body(left) => at += self.skip(left, rest.len(), Reading::Body, Reading::Start),
                Reading::Chunk(left) => at += self.skip(left, rest.len(), Reading::Chunk, Reading::ChunkEnd),
                Reading::Broken => return Err(Broken { at }),
                Reading::Start | Reading::Head | Reading::ChunkSize | Reading::ChunkEnd | Reading::Trailers => {
                    if self.byte(rest[0]).is_none() {
                        self.reading = Reading::Broken;
                        self.line = Vec::new();
                        return Err(Broken { at });
                    }
                    at += 1;
                }
            }
        }
        Ok(())
    }

    fn skip(&mut self, left: u64, there: usize, on: fn(u64) -> Reading, then: Reading) -> usize {
        let there_long = u64::try_from(there).unwrap_or(u64::MAX);
        self.reading = if left > there_long { on(left - there_long) } else { then };
        usize::try_from(left).unwrap_or(usize::MAX).min(there)
    }

    /// One byte of a line. None: it may not stand there.
    fn byte(&mut self, byte: u8) -> Option<()> {
        let is_after_cr = self.line.last() == Some(&b'\r');
        if byte == b'\n' {
            is_after_cr.then_some(())?;
            let mut line = std::mem::take(&mut self.line);
            line.pop();
            let next = self.end_of_line(&line);
            line.clear();
            self.line = line;
            return next;
        }
        if is_after_cr {
            return None;
        }
        if self.reading == Reading::Start && byte != b'\r' {
            self.reading = Reading::Head;
            (self.bytes, self.said) = (0, Said::default());
        }
        self.bytes += 1;
        self.line.push(byte);
        let is_within = match self.reading {
            // The parser behind this one answers what is a little too long.
            Reading::Start | Reading::Head => self.bytes <= 2 * HEAD_BYTES_MAX,
            Reading::ChunkSize | Reading::ChunkEnd => self.line.len() <= CHUNK_LINE_BYTES_MAX,
            Reading::Trailers => self.bytes <= TRAILER_BYTES_MAX,
            Reading::Body(_) | Reading::Chunk(_) | Reading::Broken => false,
        };
        is_within.then_some(())
    }

    fn end_of_line(&mut self, line: &[u8]) -> Option<()> {
        self.reading = match self.reading {
            // Empty lines before a request are nothing.
            Reading::Start => Reading::Start,
            Reading::Head if line.is_empty() => self.end_of_head()?,
            Reading::Head if !self.said.has_first_line => {
                self.said.has_first_line = true;
                Reading::Head
            }
            Reading::Head => {
                self.header(line)?;
                Reading::Head
            }
            Reading::ChunkSize => match chunk_size(line)? {
                0 => {
                    self.bytes = 0;
                    Reading::Trailers
                }
                size => Reading::Chunk(size),
            },
            Reading::ChunkEnd => line.is_empty().then_some(Reading::ChunkSize)?,
            Reading::Trailers if line.is_empty() => Reading::Start,
            Reading::Trailers => Reading::Trailers,
            Reading::Body(_) | Reading::Chunk(_) | Reading::Broken => return None,
        };
        Some(())
    }

    fn header(&mut self, line: &[u8]) -> Option<()> {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        // A folded line, or a blank before the colon.
        if name.is_empty() || name.iter().any(u8::is_ascii_whitespace) {
            return None;
        }
        let said = &mut self.said;
        let is_new = if name.eq_ignore_ascii_case(b"host") {
            !std::mem::replace(&mut said.has_host, true)
        } else if name.eq_ignore_ascii_case(b"content-length") {
            said.length.replace(number(value, 10)?).is_none()
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            value.eq_ignore_ascii_case(b"chunked").then_some(())?;
            !std::mem::replace(&mut said.is_chunked, true)
        } else {
            true
        };
        is_new.then_some(())
    }

    fn end_of_head(&mut self) -> Option<Reading> {
        match (self.said.length, self.said.is_chunked) {
            (Some(_), true) => None,
            (None, true) => Some(Reading::ChunkSize),
            (None | Some(0), false) => Some(Reading::Start),
            (Some(length), false) => Some(Reading::Body(length)),
        }
    }
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let end = line.iter().position(|byte| *byte == b';').unwrap_or(line.len());
    let is_printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    line[end..].iter().all(is_printable).then_some(())?;
    number(&line[..end], 16)
}

/// Digits and nothing else.
fn number(digits: &[u8], base: u32) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
    u64::from_str_radix(text, base).ok()
}

#[cfg(test)]
mod tests;
