//! The text of one document and the mapping between positions and byte offsets.
//!
//! Lines end at `\n`, `\r\n` and `\r`, and nowhere else. Offsets are bytes from the start. Every position and
//! every offset that comes in is clamped to the nearest one that exists, at or before the place it names, so
//! that a client which is one step behind gets a sensible answer and never a crash.

use ropey::Rope;

use crate::{Change, Position, PositionEncoding};

/// The text of a document. A clone shares its memory with the original.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    rope: Rope,
}

impl Document {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { rope: Rope::from_str(text) }
    }

    /// Bytes of text.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rope.len_bytes()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lines of text: one more than there are line ends.
    #[must_use]
    pub fn line_count(&self) -> usize {
        self.rope.len_lines()
    }

    /// The whole text, copied.
    #[must_use]
    pub fn text(&self) -> String {
        self.rope.to_string()
    }

    /// The text of line `n` without its line end, copied.
    #[must_use]
    pub fn line(&self, n: usize) -> Option<String> {
        self.line_range(n).map(|range| self.slice(range))
    }

    /// The bytes of line `n` without its line end.
    #[must_use]
    pub fn line_range(&self, n: usize) -> Option<std::ops::Range<usize>> {
        (n < self.line_count()).then(|| self.line_start(n)..self.line_end(n))
    }

    /// Where line `n` starts; the end of the text if there is no such line.
    #[must_use]
    pub fn line_start(&self, n: usize) -> usize {
        if n < self.line_count() { self.rope.line_to_byte(n) } else { self.len() }
    }

    /// The line that holds `offset`.
    #[must_use]
    pub fn line_of(&self, offset: usize) -> usize {
        self.rope.byte_to_line(offset.min(self.len()))
    }

    /// Whether the first line ends with `\r\n`: how an editor ends the lines of what it inserts.
    #[must_use]
    pub fn ends_lines_with_crlf(&self) -> bool {
        let first_end = self.line_range(0).map_or(0, |line| line.end);
        self.slice(first_end..self.line_start(1)) == "\r\n"
    }

    /// The largest offset up to `offset` that stands between two characters.
    #[must_use]
    pub fn floor(&self, offset: usize) -> usize {
        self.rope.char_to_byte(self.char_at(offset))
    }

    /// The text in `range`, copied; both ends are rounded down to the start of a character.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> String {
        self.rope.byte_slice(self.clamp(range)).to_string()
    }

    /// Whether `range` here and `other_range` in `other` hold the same text. Copies nothing.
    #[must_use]
    pub fn holds_same(&self, range: std::ops::Range<usize>, other: &Self, other_range: std::ops::Range<usize>) -> bool {
        self.rope.byte_slice(self.clamp(range)) == other.rope.byte_slice(other.clamp(other_range))
    }

    /// The offset of `position`: never beyond its line's end, never inside a character.
    #[must_use]
    pub fn offset(&self, position: Position, encoding: PositionEncoding) -> usize {
        let line = usize::try_from(position.line).unwrap_or(usize::MAX);
        let character = usize::try_from(position.character).unwrap_or(usize::MAX);
        let Some(line) = self.line_range(line) else { return self.len() };
        match encoding {
            PositionEncoding::Utf8 => self.floor(line.start.saturating_add(character).min(line.end)),
            PositionEncoding::Utf16 => {
                let start = self.utf16_before(line.start);
                let unit = start.saturating_add(character).min(self.utf16_before(line.end));
                // In the middle of a surrogate pair this is the character the pair stands for.
                self.rope.char_to_byte(self.rope.utf16_cu_to_char(unit))
            }
        }
    }

    /// The position of `offset`, rounded down to the start of a character; inside a `\r\n` it is the line's end.
    #[must_use]
    pub fn position(&self, offset: usize, encoding: PositionEncoding) -> Position {
        let n = self.line_of(offset);
        let start = self.line_start(n);
        let offset = self.floor(offset).min(self.line_end(n));
        let character = match encoding {
            PositionEncoding::Utf8 => offset - start,
            PositionEncoding::Utf16 => self.utf16_before(offset) - self.utf16_before(start),
        };
        Position { line: saturate(n), character: saturate(character) }
    }

    /// Applies one change. A range whose end stands before its start means the text between the two.
    pub fn apply(&mut self, change: &Change, encoding: PositionEncoding) {
        let Some(range) = change.range else {
            self.rope = Rope::from_str(&change.text);
            return;
        };
        let (start, end) = (self.offset(range.start, encoding), self.offset(range.end, encoding));
        self.replace(start.min(end)..start.max(end), &change.text);
    }

    /// Puts `text` in the place of the bytes in `range`; both ends are rounded down to the start of a character.
    pub fn replace(&mut self, range: std::ops::Range<usize>, text: &str) {
        let range = self.clamp(range);
        let (start, end) = (self.rope.byte_to_char(range.start), self.rope.byte_to_char(range.end));
        self.rope.remove(start..end);
        self.rope.insert(start, text);
    }

    fn line_end(&self, n: usize) -> usize {
        let start = self.line_start(n);
        let end = if n < self.line_count() { self.rope.line_to_byte(n + 1) } else { self.len() };
        // A `\r` right before a `\n` is always of the same line end.
        let byte_before = |at: usize| (at > start).then(|| self.rope.byte(at - 1));
        match byte_before(end) {
            Some(b'\n') if byte_before(end - 1) == Some(b'\r') => end - 2,
            Some(b'\n' | b'\r') => end - 1,
            Some(_) | None => end,
        }
    }

    /// The index of the character that holds `offset`.
    fn char_at(&self, offset: usize) -> usize {
        self.rope.byte_to_char(offset.min(self.len()))
    }

    fn utf16_before(&self, offset: usize) -> usize {
        self.rope.char_to_utf16_cu(self.char_at(offset))
    }

    fn clamp(&self, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let start = self.floor(range.start);
        start..self.floor(range.end).max(start)
    }
}

fn saturate(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
