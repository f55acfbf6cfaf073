use proptest::prelude::*;

use super::Utf8Stream;

fn streamed(pieces: &[&[u8]]) -> Vec<String> {
    let mut stream = Utf8Stream::default();
    let mut texts = Vec::new();
    for piece in pieces {
        let mut text = String::new();
        stream.push(piece, &mut text);
        texts.push(text);
    }
    let mut text = String::new();
    stream.finish(&mut text);
    texts.push(text);
    texts
}

#[test]
fn a_character_is_held_back_until_its_last_byte() {
    let crab = "🦀".as_bytes();
    assert_eq!(streamed(&[b"a", &crab[..1], &crab[1..3], &crab[3..], b"b"]), ["a", "", "", "🦀", "b", ""]);
}

#[test]
fn a_lone_byte_is_replaced_as_soon_as_it_cannot_become_a_character() {
    assert_eq!(streamed(&[b"\xff", b"\xe2\x82", b"x", b"\xf0\x9f"]), ["\u{fffd}", "", "\u{fffd}x", "", "\u{fffd}"]);
}

#[test]
fn a_combining_mark_is_a_character_of_its_own() {
    assert_eq!(streamed(&["e".as_bytes(), "\u{301}".as_bytes()]), ["e", "\u{301}", ""]);
}

fn fragments() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let text = prop::sample::select(vec!["fn", "é", "e\u{301}", "👩‍👩‍👧", "🦀", "\u{feff}", "\u{10ffff}", "日本", "\r\n"]);
    let whole = text.prop_map(|text| text.as_bytes().to_vec());
    let broken = prop::collection::vec(
        prop::sample::select(vec![0x00, 0x41, 0x80, 0xbf, 0xc3, 0xe2, 0xed, 0xf0, 0xf4, 0xff]),
        0..5,
    );
    prop::collection::vec(prop_oneof![whole, broken, prop::collection::vec(any::<u8>(), 0..5)], 0..12)
}

proptest! {
    #[test]
    fn pieces_put_together_are_the_whole_decoded_at_once(fragments in fragments(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let bytes = fragments.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(streamed(&pieces).concat(), String::from_utf8_lossy(&bytes));
    }
}
