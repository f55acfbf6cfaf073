use finch_learn::record::About;

use super::*;

fn standing(replaced: &str, text: &str) -> Standing {
    let origin = Arc::new(Origin { id: 1, about: About::default(), texts: None });
    let offer = Offer { origin, uri: "a".into(), start: 10, replaced: replaced.into(), text: text.into() };
    Standing::new(offer, Instant::now())
}

/// The suggestion begins at byte 10; `done` of its bytes are in the text in the end.
#[track_caller]
fn check((replaced, text): (&str, &str), changes: &[(std::ops::Range<usize>, &str)], last: Move, done: usize) {
    let mut standing = standing(replaced, text);
    let mut seen = Move::Elsewhere;
    for (range, text) in changes {
        seen = standing.follow(&Splice { range: range.clone(), text: (*text).to_owned() });
    }
    assert_eq!((seen, standing.done), (last, done), "{text:?} {changes:?}");
}

use AcceptedKind::{Full, Line, Word};

#[test]
fn all_of_it_at_once_is_accepted() {
    check(("", "price * count;"), &[(10..10, "price * count;")], Move::Inserted(Full), 14);
    check(("", "one\n  two"), &[(10..10, "one\n  two")], Move::Inserted(Full), 9);
    check(("", "price;"), &[(10..10, "p"), (11..11, "rice;")], Move::Inserted(Full), 6);
    // Editors replace the range they were given.
    check(("ret", "return 1"), &[(13..13, "urn 1")], Move::Inserted(Full), 8);
    check(("call()", "call(a, b) + 1"), &[(15..15, "a, b"), (20..20, " + 1")], Move::Inserted(Full), 14);
    check(("call()", "call(a, b) + 1"), &[(15..16, "a, b) + 1")], Move::Inserted(Full), 14);
}

#[test]
fn a_line_or_a_word_at_once_is_accepted_in_part() {
    check(("", "one;\n  two;\n"), &[(10..10, "one;")], Move::Inserted(Line), 4);
    check(("", "one;\n  two;\n"), &[(10..10, "one;\n")], Move::Inserted(Line), 5);
    check(("", "one;\n  two;\n  three"), &[(10..10, "one;"), (14..14, "\n  two;")], Move::Inserted(Line), 11);
    check(("", "price * count;"), &[(10..10, "price")], Move::Inserted(Word), 5);
    check(("", "price * count;"), &[(10..10, "price ")], Move::Inserted(Word), 6);
    check(("", "price * count;"), &[(10..10, "price"), (15..15, " *"), (17..17, " count")], Move::Inserted(Word), 13);
}

#[test]
fn what_a_person_could_have_typed_is_typed() {
    check(("", "price;"), &[(10..10, "p")], Move::Typed, 1);
    check(("", "price;"), &[(10..10, "pr")], Move::Typed, 2);
    check(("", "price;"), &[(10..10, "pric")], Move::Typed, 4);
    check(("", "price * count"), &[(10..10, "price * co")], Move::Typed, 10);
    check(("", ");"), &[(10..10, ");")], Move::Typed, 2);
    check(("", "\n    x"), &[(10..10, "\n    ")], Move::Typed, 5);
    check(("", "(a, b)"), &[(10..10, "()")], Move::Typed, 1);
    check(("", "(a, b)"), &[(10..10, "()"), (11..11, "a")], Move::Typed, 2);
    check(("", "price;"), &[(10..10, "p"), (10..11, "")], Move::Typed, 0);
    check(("", "größe"), &[(10..10, "g"), (11..11, "r"), (12..12, "ö")], Move::Typed, 4);
}

#[test]
fn anything_else_in_its_place_is_typed_over() {
    check(("", "price;"), &[(10..10, "x")], Move::Over("x".into()), 0);
    check(("", "price;"), &[(10..10, "p"), (11..11, "x")], Move::Over("px".into()), 1);
    check(("", "price;"), &[(10..10, "(")], Move::Over("(".into()), 0);
    check(("", "price;"), &[(8..12, "new")], Move::Over("new".into()), 0);
    check(("call()", "call(a)"), &[(15..16, "b")], Move::Over("call(b".into()), 5);
}

#[test]
fn changes_elsewhere_move_it_or_are_nothing_to_it() {
    check(("", "price;"), &[(0..0, "use a;\n"), (17..17, "price;")], Move::Inserted(Full), 6);
    check(("", "price;"), &[(0..4, ""), (6..6, "price;")], Move::Inserted(Full), 6);
    check(("", "price;"), &[(50..60, "x")], Move::Elsewhere, 0);
    check(("", "price;"), &[(50..60, "x"), (10..10, "p")], Move::Typed, 1);
    check(("call()", "call(a)"), &[(16..16, ";")], Move::Elsewhere, 5);
}

#[test]
fn a_suggestion_that_is_offered_again_counts_on() {
    let mut standing = standing("", "größe 𝄞;");
    standing.follow(&Splice { range: 10..10, text: "größe".into() });
    assert_eq!((standing.length(), standing.whole_length()), (5, 9));
    let again = |start, text: &str| Offer {
        origin: Arc::clone(&standing.origin),
        uri: "a".into(),
        start,
        replaced: String::new(),
        text: text.into(),
    };
    let (same, moved) = (again(17, " 𝄞;"), again(40, " 𝄞;"));
    standing.offered_again(same);
    assert_eq!((standing.start, standing.done, standing.length()), (10, 7, 5));
    standing.offered_again(moved);
    assert_eq!((standing.start, standing.length(), standing.whole_length()), (40, 5, 9));
}
