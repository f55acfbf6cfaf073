//! What a command printed: its beginning and its end, whole characters only, however much it is.

use crate::limits::{OUTPUT_HEAD_BYTES, OUTPUT_TAIL_BYTES};

/// Bytes that come in pieces, as text.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// The beginning of a character whose end has not come yet.
    open: Vec<u8>,
}

impl Decoder {
    pub(super) fn text(&mut self, bytes: &[u8]) -> String {
        self.open.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.open) {
            Ok(_) => self.open.len(),
            // No length: the text ends in the middle of a character. Else the bytes are none, and shown as such.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => self.open.len() - unfinished(&self.open),
        };
        let text = String::from_utf8_lossy(&self.open[..whole]).into_owned();
        self.open.drain(..whole);
        text
    }

    /// What is left when no more comes.
    pub(super) fn rest(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.open)).into_owned()
    }
}

/// Bytes at the end that may begin a character.
fn unfinished(bytes: &[u8]) -> usize {
    (1..=3.min(bytes.len()))
        .find(|&count| {
            let tail = &bytes[bytes.len() - count..];
            std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none() && error.valid_up_to() == 0)
        })
        .unwrap_or(0)
}

/// The output as far as it is kept.
#[derive(Debug, Default)]
pub(super) struct Captured {
    head: String,
    tail: String,
    left_out: usize,
    head_is_full: bool,
}

impl Captured {
    pub(super) fn push(&mut self, text: &str) {
        let mut rest = text;
        if !self.head_is_full {
            let room = OUTPUT_HEAD_BYTES - self.head.len();
            let at = rest.floor_char_boundary(room);
            self.head.push_str(&rest[..at]);
            self.head_is_full = at < rest.len();
            rest = &rest[at..];
        }
        self.tail.push_str(rest);
        if self.tail.len() > 2 * OUTPUT_TAIL_BYTES {
            self.shorten_tail();
        }
    }

    fn shorten_tail(&mut self) {
        let at = self.tail.ceil_char_boundary(self.tail.len().saturating_sub(OUTPUT_TAIL_BYTES));
        self.tail.drain(..at);
        self.left_out += at;
    }

    pub(super) fn into_text(mut self) -> String {
        self.shorten_tail();
        if self.left_out == 0 {
            return self.head + &self.tail;
        }
        format!("{}\n[… {} bytes left out …]\n{}", self.head, self.left_out, self.tail)
    }
}

/// Printed text without what moves a cursor or colours: what is left is what a reader would see in a file.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\t' => out.push(c),
            c => out.push_str(&crate::escape::text(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out
}

fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        // Until a letter ends it.
        Some('[') => while chars.next_if(|c| !('\u{40}'..='\u{7e}').contains(c) && *c != '\n').is_some() {},
        // Until a bell or an escape ends it.
        Some(']') => while chars.next_if(|c| !matches!(c, '\u{7}' | '\u{1b}' | '\n')).is_some() {},
        _ => return,
    }
    if chars.peek().is_some_and(|c| *c != '\n' && *c != '\u{1b}') {
        chars.next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_come_in_pieces_are_put_together() {
        let mut decoder = Decoder::default();
        let pieces: Vec<String> = "aü€\u{1f600}".as_bytes().chunks(1).map(|byte| decoder.text(byte)).collect();
        assert_eq!(pieces.concat(), "aü€\u{1f600}");
        assert_eq!(decoder.text(b"x\xff\xe2\x82") + &decoder.rest(), "x\u{fffd}\u{fffd}");
    }

    #[test]
    fn the_first_and_the_last_part_are_kept() {
        let mut captured = Captured::default();
        captured.push("start ");
        for _ in 0..100_000 {
            captured.push("ü");
        }
        captured.push(" end");
        let text = captured.into_text();
        assert!(text.starts_with("start ü") && text.ends_with("ü end"), "{} bytes", text.len());
        assert!(text.contains("bytes left out"));
        assert!(text.len() < OUTPUT_HEAD_BYTES + OUTPUT_TAIL_BYTES + 100, "{} bytes", text.len());
        let mut short = Captured::default();
        short.push("all of it");
        assert_eq!(short.into_text(), "all of it");
    }

    #[test]
    fn what_moves_a_cursor_is_taken_out() {
        assert_eq!(plain("a\x1b[31mred\x1b[0m\r\n"), "ared\n");
        assert_eq!(plain("\x1b]0;title\x07x\x1b]8;;u\x1b\\y"), "xy");
        assert_eq!(plain("10%\r20%\u{8}\u{202e}"), "10%\\u{d}20%\\u{8}\\u{202e}");
    }
}
