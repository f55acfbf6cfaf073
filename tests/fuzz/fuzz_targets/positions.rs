//! Any change at any position: the document never panics, and what it answers is consistent with its text.
//!
//! The input is a text, a NUL, and then changes: two positions of 4 bytes each and the text to put between them.

#![no_main]

use finch_text::{Change, Document, Position, PositionEncoding, Range};
use libfuzzer_sys::fuzz_target;

const CHANGE_BYTES: usize = 16;
const CHANGES_MAX: usize = 64;

fuzz_target!(|data: &[u8]| {
    let split = data.iter().position(|&byte| byte == 0).unwrap_or(data.len());
    let (text, changes) = data.split_at(split);
    let text = String::from_utf8_lossy(text);
    for encoding in [PositionEncoding::Utf8, PositionEncoding::Utf16] {
        let mut document = Document::new(&text);
        check(&document, Position::default(), encoding);
        for bytes in changes.chunks_exact(CHANGE_BYTES).take(CHANGES_MAX) {
            let change = change(bytes);
            let Some(range) = change.range else { continue };
            document.apply(&change, encoding);
            check(&document, range.start, encoding);
            check(&document, range.end, encoding);
        }
    }
});

fn change(bytes: &[u8]) -> Change {
    let position = |at: usize| Position {
        // A high byte of 255 is the largest number there is; clients do send it.
        line: if bytes[at] == 255 { u32::MAX } else { u32::from(bytes[at]) },
        character: if bytes[at + 1] == 255 { u32::MAX } else { u32::from(bytes[at + 1]) },
    };
    let text = String::from_utf8_lossy(&bytes[4..]).into_owned();
    Change { range: Some(Range { start: position(0), end: position(2) }), text }
}

fn check(document: &Document, asked: Position, encoding: PositionEncoding) {
    let text = document.text();
    let offset = document.offset(asked, encoding);
    assert!(text.is_char_boundary(offset));
    let found = document.position(offset, encoding);
    assert!(found <= asked);
    assert_eq!(document.offset(found, encoding), offset);
    assert_eq!(document.len(), text.len());
    for line in 0..document.line_count() {
        let content = document.line(line).expect("the line is in the document");
        assert!(!content.contains(['\n', '\r']));
        assert_eq!(document.line_of(document.line_start(line)), line);
    }
    assert_eq!(document.line(document.line_count()), None);
}
