use proptest::prelude::*;

use super::*;
use crate::Range;

mod differential;
mod reference;

const UTF8: PositionEncoding = PositionEncoding::Utf8;
const UTF16: PositionEncoding = PositionEncoding::Utf16;

fn at(line: u32, character: u32) -> Position {
    Position { line, character }
}

/// `$0` in the text marks where the position must land.
#[track_caller]
fn check_offset(marked: &str, position: Position, encoding: PositionEncoding) {
    let expected = marked.find("$0").expect("the text has a $0");
    let document = Document::new(&marked.replacen("$0", "", 1));
    assert_eq!(document.offset(position, encoding), expected, "{position:?} in {marked:?}");
}

/// `$0` in the text marks the offset whose position is wanted, and the position leads back to it.
#[track_caller]
fn check_position(marked: &str, encoding: PositionEncoding, expected: Position) {
    let offset = marked.find("$0").expect("the text has a $0");
    let document = Document::new(&marked.replacen("$0", "", 1));
    assert_eq!(document.position(offset, encoding), expected, "in {marked:?}");
    assert_eq!(document.offset(expected, encoding), offset, "back from {expected:?} in {marked:?}");
}

#[track_caller]
fn check_apply(before: &str, range: (Position, Position), text: &str, after: &str) {
    for encoding in [UTF8, UTF16] {
        let mut document = Document::new(before);
        let change = Change { range: Some(Range { start: range.0, end: range.1 }), text: text.into() };
        document.apply(&change, encoding);
        assert_eq!(document.text(), after);
    }
}

#[test]
fn positions_map_to_offsets() {
    check_offset("a$0b\ncd", at(0, 1), UTF8);
    check_offset("ab\n$0cd", at(1, 0), UTF8);
    check_offset("ab\r\nc$0d", at(1, 1), UTF16);
    check_offset("ab\r$0cd", at(1, 0), UTF16);
    check_offset("é$0x", at(0, 2), UTF8);
    check_offset("é$0x", at(0, 1), UTF16);
    check_offset("🦀$0x", at(0, 4), UTF8);
    check_offset("🦀$0x", at(0, 2), UTF16);
    check_offset("e\u{301}$0x", at(0, 2), UTF16);
}

#[test]
fn a_character_beyond_the_line_is_the_lines_end() {
    for encoding in [UTF8, UTF16] {
        for end in ["\n", "\r\n", "\r"] {
            check_offset(&format!("ab$0{end}cd"), at(0, 3), encoding);
            check_offset(&format!("ab$0{end}cd"), at(0, u32::MAX), encoding);
            check_offset(&format!("$0{end}cd"), at(0, 1), encoding);
        }
        check_offset("ab\ncd$0", at(1, u32::MAX), encoding);
    }
}

#[test]
fn a_line_beyond_the_document_is_the_documents_end() {
    for encoding in [UTF8, UTF16] {
        check_offset("ab\ncd$0", at(2, 0), encoding);
        check_offset("ab\n$0", at(u32::MAX, u32::MAX), encoding);
        check_offset("$0", at(7, 7), encoding);
    }
}

#[test]
fn a_position_inside_a_character_is_its_start() {
    check_offset("a$0é", at(0, 2), UTF8);
    check_offset("$0🦀", at(0, 1), UTF8);
    check_offset("$0🦀", at(0, 3), UTF8);
    check_offset("$0🦀", at(0, 1), UTF16);
    check_offset("🦀$0🦀", at(0, 3), UTF16);
}

#[test]
fn offsets_map_to_positions_and_back() {
    check_position("$0", UTF16, at(0, 0));
    check_position("ab\ncd$0", UTF8, at(1, 2));
    check_position("é🦀$0x", UTF8, at(0, 6));
    check_position("é🦀$0x", UTF16, at(0, 3));
    check_position("ab\r\n$0", UTF16, at(1, 0));
    check_position("ab\r\r$0x", UTF16, at(2, 0));
}

#[test]
fn an_offset_inside_a_line_end_is_the_lines_end() {
    let document = Document::new("ab\r\ncd");
    for encoding in [UTF8, UTF16] {
        assert_eq!(document.position(3, encoding), at(0, 2));
    }
}

#[test]
fn an_offset_beyond_the_document_is_its_end() {
    let document = Document::new("ab\ncd");
    assert_eq!(document.position(usize::MAX, UTF8), at(1, 2));
    assert_eq!(document.line_of(usize::MAX), 1);
    assert_eq!(document.floor(usize::MAX), 5);
    assert_eq!(document.slice(3..usize::MAX), "cd");
}

#[test]
fn only_the_three_line_ends_of_the_protocol_end_a_line() {
    let document = Document::new("a\u{b}b\u{c}c\u{85}d\u{2028}e\u{2029}f\ng\r\nh\ri");
    assert_eq!(document.line_count(), 4);
    let lines: Vec<_> = (0..5).map(|n| document.line(n)).collect();
    let first = "a\u{b}b\u{c}c\u{85}d\u{2028}e\u{2029}f";
    assert_eq!(lines, [Some(first.into()), Some("g".into()), Some("h".into()), Some("i".into()), None]);
}

#[test]
fn a_slice_never_starts_or_ends_inside_a_character() {
    let document = Document::new("a🦀b");
    assert_eq!(document.slice(0..3), "a");
    assert_eq!(document.slice(3..6), "🦀b");
    assert_eq!(document.slice(2..4), "");
    #[expect(clippy::reversed_empty_ranges, reason = "a caller may compute one")]
    let reversed = document.slice(5..1);
    assert_eq!(reversed, "");
}

#[test]
fn changes_replace_a_range() {
    check_apply("ab\ncd", (at(0, 1), at(1, 1)), "X", "aXd");
    check_apply("ab\ncd", (at(0, 2), at(0, 2)), "\r", "ab\r\ncd");
    check_apply("ab\r\ncd", (at(0, 2), at(1, 0)), "", "abcd");
    check_apply("ab\r\ncd", (at(0, u32::MAX), at(0, u32::MAX)), "!", "ab!\r\ncd");
    check_apply("ab", (at(0, 2), at(9, 9)), "c", "abc");
    check_apply("", (at(0, 0), at(0, 0)), "x", "x");
}

#[test]
fn a_reversed_range_is_swapped() {
    check_apply("ab\ncd", (at(1, 1), at(0, 1)), "X", "aXd");
    check_apply("ab\ncd", (at(u32::MAX, u32::MAX), at(0, 0)), "X", "X");
}

#[test]
fn a_change_without_a_range_replaces_everything() {
    let mut document = Document::new("ab\ncd");
    document.apply(&Change { range: None, text: "x\r\ny".into() }, UTF16);
    assert_eq!((document.text(), document.line_count()), ("x\r\ny".into(), 2));
}

#[test]
fn a_snapshot_keeps_its_text() {
    let mut document = Document::new("ab");
    let snapshot = document.clone();
    document.replace(1..1, "X");
    assert_eq!((snapshot.text(), document.text()), ("ab".into(), "aXb".into()));
}

#[test]
fn equal_ranges_of_two_documents_hold_the_same() {
    let (a, b) = (Document::new("one two"), Document::new("two three"));
    assert!(a.holds_same(4..7, &b, 0..3));
    assert!(!a.holds_same(3..7, &b, 0..3));
    assert!(!a.holds_same(0..3, &b, 0..3));
}

proptest! {
    #[test]
    fn every_position_lands_on_a_character_of_its_line(
        text in "[a-c\\n\\ré🦀\u{301}\u{85}\u{2028}]{0,40}", line in 0u32..12, character in 0u32..24,
    ) {
        let document = Document::new(&text);
        for encoding in [UTF8, UTF16] {
            let offset = document.offset(at(line, character), encoding);
            prop_assert!(text.is_char_boundary(offset));
            let back = document.position(offset, encoding);
            prop_assert!(back <= at(line, character));
            prop_assert_eq!(document.offset(back, encoding), offset);
        }
    }

    #[test]
    fn positions_grow_with_offsets(text in "[a\\n\\ré🦀]{0,40}") {
        let document = Document::new(&text);
        for encoding in [UTF8, UTF16] {
            let positions: Vec<_> = (0..=text.len()).map(|offset| document.position(offset, encoding)).collect();
            prop_assert!(positions.is_sorted());
        }
    }
}

#[test]
fn the_first_line_tells_how_lines_end() {
    for (text, expected) in [("a\r\nb\n", true), ("a\nb\r\n", false), ("a\rb", false), ("a", false), ("", false)] {
        assert_eq!(Document::new(text).ends_lines_with_crlf(), expected, "{text:?}");
    }
}
