//! The rope against the reference: random edits, every answer compared, no difference allowed.

use super::reference::Reference;
use crate::{Change, Document, Position, PositionEncoding, Range};

const PIECES: [&str; 24] = [
    "a",
    "fn ",
    "    ",
    "\n",
    "\n",
    "\r\n",
    "\r\n",
    "\r",
    "\n\r",
    "é",
    "漢",
    "🦀",
    "👩‍🚀",
    "e\u{301}",
    "\u{b}",
    "\u{c}",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\t",
    "{",
    "}\n",
    "\u{feff}",
    "",
];

/// A small generator with a fixed seed: a difference shows again in the next run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn text(&mut self, pieces_max: usize) -> String {
        (0..self.roll(pieces_max + 1)).map(|_| PIECES[self.roll(PIECES.len())]).collect()
    }

    /// Mostly places that exist, sometimes beyond a line, beyond the text, or at the largest number.
    fn position(&mut self, line_count: usize) -> Position {
        let beyond = |value: usize, roll: usize| if roll == 0 { u32::MAX } else { u32::try_from(value).unwrap() };
        Position {
            line: beyond(self.roll(line_count + 2), self.roll(40)),
            character: beyond(self.roll(14), self.roll(20)),
        }
    }
}

/// How large the text may grow before it is edited down again.
struct Size {
    bytes_max: usize,
    pieces_max: usize,
}

#[track_caller]
fn check(edits: usize, encoding: PositionEncoding, size: &Size, seed: u64) {
    let mut dice = Dice(seed);
    let mut reference = Reference { text: String::new() };
    let mut document = Document::default();
    for edit in 0..edits {
        let change = next_change(&mut dice, &reference, size);
        let before = reference.text.clone();
        reference.apply(&change, encoding);
        document.apply(&change, encoding);
        assert_eq!(document.text(), reference.text, "edit {edit}: {change:?} on {before:?}");
        assert_eq!(document.line_count(), reference.line_count(), "lines of {:?}", reference.text);
        let asked = dice.position(reference.line_count());
        let offset = reference.offset(asked, encoding);
        assert_eq!(document.offset(asked, encoding), offset, "{asked:?} in {:?}", reference.text);
        let anywhere = reference.text.floor_char_boundary(dice.roll(reference.text.len() + 1));
        let position = reference.position(anywhere, encoding);
        assert_eq!(document.position(anywhere, encoding), position, "{anywhere} in {:?}", reference.text);
    }
}

fn next_change(dice: &mut Dice, reference: &Reference, size: &Size) -> Change {
    if dice.roll(500) == 0 {
        return Change { range: None, text: dice.text(size.pieces_max) };
    }
    let lines = reference.line_count();
    let start = dice.position(lines);
    let shrink = reference.text.len() > size.bytes_max;
    let end = if shrink || dice.roll(3) == 0 {
        dice.position(lines)
    } else {
        Position { line: start.line, character: start.character.saturating_add(u32::from(dice.roll(2) == 0)) }
    };
    Change { range: Some(Range { start, end }), text: if shrink { String::new() } else { dice.text(size.pieces_max) } }
}

const SMALL: Size = Size { bytes_max: 120, pieces_max: 5 };
/// Larger than a leaf of the rope, so that line ends and characters meet the borders between leaves.
const LARGE: Size = Size { bytes_max: 12_000, pieces_max: 150 };

#[test]
fn a_hundred_thousand_edits_in_utf8_match_the_reference() {
    check(100_000, PositionEncoding::Utf8, &SMALL, 0x9e37_79b9_7f4a_7c15);
}

#[test]
fn a_hundred_thousand_edits_in_utf16_match_the_reference() {
    check(100_000, PositionEncoding::Utf16, &SMALL, 0xd1b5_4a32_d192_ed03);
}

#[test]
fn edits_across_the_leaves_of_the_rope_match_the_reference() {
    check(600, PositionEncoding::Utf8, &LARGE, 0x2545_f491_4f6c_dd1d);
    check(600, PositionEncoding::Utf16, &LARGE, 0xda94_2042_e4dd_58b5);
}
