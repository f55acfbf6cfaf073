//! A document as slow and as plain as possible: a `String` that is read from the start for every position.
//!
//! Written from the protocol's text, not from the rope's code, so that the two can disagree.

use crate::{Change, Position, PositionEncoding};

#[derive(Debug)]
pub(super) struct Reference {
    pub(super) text: String,
}

impl Reference {
    pub(super) fn offset(&self, position: Position, encoding: PositionEncoding) -> usize {
        let (mut line, mut units) = (0_u32, 0_u32);
        let mut characters = self.text.char_indices().peekable();
        while let Some((offset, character)) = characters.next() {
            let ends_line = character == '\n' || character == '\r';
            if line == position.line {
                let width = match encoding {
                    PositionEncoding::Utf8 => character.len_utf8(),
                    PositionEncoding::Utf16 => character.len_utf16(),
                };
                let after = units + u32::try_from(width).unwrap();
                if ends_line || after > position.character {
                    return offset;
                }
                units = after;
            }
            if character == '\r' && characters.peek().is_some_and(|&(_, next)| next == '\n') {
                characters.next();
            }
            if ends_line {
                line += 1;
            }
        }
        self.text.len()
    }

    /// The position of `offset`, which stands between two characters.
    pub(super) fn position(&self, offset: usize, encoding: PositionEncoding) -> Position {
        let before = &self.text[..offset];
        let in_line_end = before.ends_with('\r') && self.text[offset..].starts_with('\n');
        let before = if in_line_end { &before[..before.len() - 1] } else { before };
        let mut position = Position::default();
        let mut previous = ' ';
        for character in before.chars() {
            match (previous, character) {
                ('\r', '\n') => {}
                (_, '\r' | '\n') => position = Position { line: position.line + 1, character: 0 },
                _ => {
                    position.character += match encoding {
                        PositionEncoding::Utf8 => u32::try_from(character.len_utf8()).unwrap(),
                        PositionEncoding::Utf16 => u32::try_from(character.len_utf16()).unwrap(),
                    }
                }
            }
            previous = character;
        }
        position
    }

    pub(super) fn line_count(&self) -> usize {
        self.text.replace("\r\n", "\n").matches(['\r', '\n']).count() + 1
    }

    pub(super) fn apply(&mut self, change: &Change, encoding: PositionEncoding) {
        match change.range {
            None => self.text.clone_from(&change.text),
            Some(range) => {
                let mut ends = [self.offset(range.start, encoding), self.offset(range.end, encoding)];
                ends.sort_unstable();
                self.text.replace_range(ends[0]..ends[1], &change.text);
            }
        }
    }
}
