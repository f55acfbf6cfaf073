//! Server-Sent Events: bytes in, events out, whatever way the bytes are cut.
//!
//! Pure and push-based: whoever reads the connection hands its bytes over. Lines end with LF, CR or CRLF; a byte order
//! mark, comments and unknown fields are skipped; a line or an event that is too long is an error. Says nothing of what
//! the events mean: that is a dialect's matter.

use memchr::{memchr, memchr2};

use crate::limits::SSE_EVENT_BYTES_MAX;

const BYTE_ORDER_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The value of `event:`; empty if the server named none.
    pub name: String,
    /// The `data:` lines, joined by line feeds.
    pub data: String,
    /// The last `id:` up to here.
    pub id: String,
}

/// A line or an event that no provider sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is longer than {SSE_EVENT_BYTES_MAX} bytes")]
pub struct SseTooLong;

/// What was read of a stream so far.
#[derive(Debug, Default)]
pub struct SseParser {
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    event: SseEvent,
    has_data: bool,
    /// The last line ended with CR, so a LF that follows belongs to its end.
    ended_with_cr: bool,
    has_begun: bool,
}

impl SseParser {
    /// Reads more bytes and appends the events that are whole by now.
    ///
    /// # Errors
    /// [`SseTooLong`] ends the stream: what comes after it is not to be read.
    pub fn push(&mut self, mut bytes: &[u8], events: &mut Vec<SseEvent>) -> Result<(), SseTooLong> {
        if self.ended_with_cr && !bytes.is_empty() {
            self.ended_with_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = memchr2(b'\n', b'\r', bytes) {
            let (line, rest) = bytes.split_at(end);
            self.end_line(line, events)?;
            bytes = match rest {
                [b'\r', b'\n', rest @ ..] => rest,
                [b'\r'] => {
                    self.ended_with_cr = true;
                    &[]
                }
                [_, rest @ ..] => rest,
                [] => &[],
            };
        }
        self.hold(bytes)
    }

    /// The stream has ended: the last event, if the server forgot the blank line behind it.
    ///
    /// # Errors
    /// [`SseTooLong`], as in [`SseParser::push`].
    pub fn finish(mut self, events: &mut Vec<SseEvent>) -> Result<(), SseTooLong> {
        if !self.line.is_empty() {
            self.end_line(b"", events)?;
        }
        self.end_event(events);
        Ok(())
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), SseTooLong> {
        if self.line.len() + bytes.len() > SSE_EVENT_BYTES_MAX {
            return Err(SseTooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, tail: &[u8], events: &mut Vec<SseEvent>) -> Result<(), SseTooLong> {
        if self.line.is_empty() {
            return self.line(tail, events);
        }
        self.hold(tail)?;
        let mut line = std::mem::take(&mut self.line);
        self.line(&line, events)?;
        line.clear();
        self.line = line;
        Ok(())
    }

    fn line(&mut self, mut line: &[u8], events: &mut Vec<SseEvent>) -> Result<(), SseTooLong> {
        if !std::mem::replace(&mut self.has_begun, true) {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        if line.len() > SSE_EVENT_BYTES_MAX {
            return Err(SseTooLong);
        }
        if line.is_empty() {
            self.end_event(events);
            return Ok(());
        }
        let (field, value) = match memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => self.data(value),
            b"event" => {
                self.event.name = String::from_utf8_lossy(value).into_owned();
                Ok(())
            }
            // The standard asks to ignore such an id.
            b"id" if memchr(0, value).is_none() => {
                self.event.id = String::from_utf8_lossy(value).into_owned();
                Ok(())
            }
            // A comment has an empty field.
            _ => Ok(()),
        }
    }

    fn data(&mut self, value: &[u8]) -> Result<(), SseTooLong> {
        if self.event.data.len() + value.len() > SSE_EVENT_BYTES_MAX {
            return Err(SseTooLong);
        }
        if self.has_data {
            self.event.data.push('\n');
        }
        self.has_data = true;
        self.event.data.push_str(&String::from_utf8_lossy(value));
        Ok(())
    }

    fn end_event(&mut self, events: &mut Vec<SseEvent>) {
        let name = std::mem::take(&mut self.event.name);
        let data = std::mem::take(&mut self.event.data);
        if std::mem::take(&mut self.has_data) {
            events.push(SseEvent { name, data, id: self.event.id.clone() });
        }
    }
}

#[cfg(test)]
mod tests;
