use super::*;

#[test]
fn what_misleads_is_unwanted() {
    let bidirectional = ["\u{202a}", "\u{202e}", "\u{2066}", "\u{2069}", "\u{200e}", "\u{61c}"];
    let invisible =
        ["\u{200b}", "\u{2060}", "\u{ad}", "\u{3164}", "\u{feff}", "\u{2028}", "\u{e0041}", "\u{e007f}", "\u{e0100}"];
    let broken = ["\u{0}", "\u{1b}[31m", "\u{7f}", "\u{85}", "\u{fffd}", "\r"];
    for bad in bidirectional.iter().chain(&invisible).chain(&broken) {
        assert!(are_unwanted(&format!("a{bad}b")), "{bad:?}");
    }
}

#[test]
fn letters_that_look_like_others_are_unwanted_in_their_words() {
    for bad in ["p\u{430}ssword", "\u{410}dmin", "r\u{3bf}ot", "\u{455}cope", "a\u{200d}b", "x\u{fe0f}"] {
        assert!(are_unwanted(bad), "{bad:?}");
    }
}

#[test]
fn text_of_any_language_is_wanted() {
    for good in ["a\tb\n", "é漢字", "👩‍🚀 ❤️ 1️⃣", "Привет, мир", "Ελλάδα", "Δx + μs", "می‌خواهم", "नमस्ते", "weiß"]
    {
        assert!(!are_unwanted(good), "{good:?}");
    }
}
