use finch_text::{Position, Range};

use super::*;

const URI: &str = "file:///a.rs";

fn part(start: (u32, u32), end: (u32, u32), text: &str) -> Edit {
    let position = |(line, character)| Position { line, character };
    let range = Some(Range { start: position(start), end: position(end) });
    Edit::Part(Change { range, text: text.to_owned() })
}

fn whole(text: &str) -> Edit {
    Edit::Whole(hold(text))
}

fn opened(version: i64, text: &str) -> Documents {
    let mut documents = Documents::default();
    documents.open(URI.to_owned(), Some(version), hold(text)).expect("the first opening is in order");
    documents
}

/// Changes a document of version 5 and text "abc", and looks at what is held.
#[track_caller]
fn check(changes: Vec<(Option<i64>, Vec<Edit>)>, problems: usize, held: Result<(&str, i64), Missing>) {
    let mut documents = opened(5, "abc");
    let seen = changes
        .into_iter()
        .filter(|(version, edits)| documents.change(URI, *version, edits.clone(), PositionEncoding::Utf16).is_err())
        .count();
    let snapshot = documents.snapshot(URI).map(|snapshot| (snapshot.document.text(), snapshot.version));
    assert_eq!(snapshot, held.map(|(text, version)| (text.to_owned(), version)));
    assert_eq!(seen, problems);
}

#[test]
fn changes_are_applied_in_their_order() {
    check(vec![(Some(6), vec![part((0, 3), (0, 3), "d"), part((0, 0), (0, 1), "")])], 0, Ok(("bcd", 6)));
    check(vec![(Some(9), vec![whole("x"), part((0, 1), (0, 1), "y")])], 0, Ok(("xy", 9)));
    check(vec![(None, vec![part((0, 0), (0, 0), "z")])], 0, Ok(("zabc", 6)));
    check(vec![(Some(6), vec![])], 0, Ok(("abc", 6)));
    check(vec![(Some(6), vec![part((7, 0), (u32::MAX, u32::MAX), "!")])], 0, Ok(("abc!", 6)));
}

#[test]
fn a_version_that_does_not_grow_gives_the_text_up() {
    for version in [5, 4, 0, -1, i64::MIN] {
        check(vec![(Some(version), vec![part((0, 0), (0, 0), "z")])], 1, Err(Missing::OutOfStep));
        check(vec![(Some(version), vec![whole("older")])], 1, Err(Missing::OutOfStep));
    }
}

#[test]
fn a_lost_text_comes_back_whole_and_is_complained_about_once() {
    let stale = || (Some(5), vec![part((0, 0), (0, 0), "z")]);
    check(vec![stale(), stale(), stale()], 1, Err(Missing::OutOfStep));
    check(vec![stale(), (Some(6), vec![part((0, 0), (0, 0), "y")])], 1, Err(Missing::OutOfStep));
    check(vec![stale(), (Some(6), vec![part((0, 0), (0, 0), "y"), whole("new")])], 1, Ok(("new", 6)));
}

#[test]
fn what_is_not_open_is_reported_and_stays_unknown() {
    let mut documents = Documents::default();
    let not_open = Err(Problem::NotOpen { uri: URI.to_owned() });
    assert_eq!(documents.change(URI, Some(1), vec![whole("x")], PositionEncoding::Utf8).map(drop), not_open);
    assert_eq!(documents.close(URI), not_open);
    assert_eq!(documents.snapshot(URI).err(), Some(Missing::NotOpen));
}

#[test]
fn a_second_opening_counts_and_a_second_closing_does_not() {
    let mut documents = opened(5, "abc");
    let again = documents.open(URI.to_owned(), Some(1), hold("new"));
    assert_eq!(again, Err(Problem::OpenedTwice { uri: URI.to_owned() }));
    let snapshot = documents.snapshot(URI).expect("it is open");
    assert_eq!((snapshot.document.text().as_str(), snapshot.version), ("new", 1));
    assert_eq!(documents.close(URI), Ok(()));
    assert_eq!(documents.close(URI), Err(Problem::NotOpen { uri: URI.to_owned() }));
}

#[test]
fn an_unreadable_change_gives_the_text_up() {
    let mut documents = opened(5, "abc");
    assert!(documents.lose(URI, "no text".to_owned()).is_err());
    assert_eq!(documents.lose(URI, "no text".to_owned()), Ok(()));
    assert_eq!(documents.snapshot(URI).err(), Some(Missing::OutOfStep));
}

#[test]
fn a_text_above_the_limit_is_not_held() {
    let large = "x".repeat(DOCUMENT_BYTES_MAX + 1);
    let mut documents = Documents::default();
    let opened = documents.open(URI.to_owned(), Some(1), hold(&large));
    assert_eq!(opened, Err(Problem::TooLarge { uri: URI.to_owned() }));
    assert_eq!(documents.snapshot(URI).err(), Some(Missing::TooLarge));
    assert_eq!(documents.change(URI, Some(2), vec![whole("small")], PositionEncoding::Utf8).map(drop), Ok(()));
    assert!(documents.snapshot(URI).is_ok());
    let grown = documents.change(URI, Some(3), vec![part((0, 0), (0, 0), &large)], PositionEncoding::Utf8);
    assert_eq!(grown, Err(Problem::TooLarge { uri: URI.to_owned() }));
    assert_eq!(documents.snapshot(URI).err(), Some(Missing::TooLarge));
}

#[test]
fn a_snapshot_does_not_follow_later_changes() {
    let mut documents = opened(5, "abc");
    let snapshot = documents.snapshot(URI).expect("it is open");
    documents.change(URI, Some(6), vec![part((0, 0), (0, 3), "z")], PositionEncoding::Utf8).expect("a newer version");
    assert_eq!(snapshot.document.text(), "abc");
}

#[test]
fn no_more_documents_are_held_than_the_limit() {
    let mut documents = Documents::default();
    for n in 0..DOCUMENTS_MAX {
        documents.open(format!("file:///{n}"), Some(1), Ok(Document::default())).expect("there is room");
    }
    let refused = documents.open(URI.to_owned(), Some(1), Ok(Document::default()));
    assert_eq!(refused, Err(Problem::TooMany { uri: URI.to_owned() }));
    documents.close("file:///0").expect("it is open");
    assert_eq!(documents.open(URI.to_owned(), Some(1), Ok(Document::default())), Ok(()));
}

#[track_caller]
fn check_applied(edits: Vec<Edit>, expected: Applied) {
    assert_eq!(opened(1, "one\ntwo").change(URI, Some(2), edits, PositionEncoding::Utf16), Ok(expected));
}

#[test]
fn a_change_says_what_it_did() {
    let splice = |range, text: &str| Splice { range, text: text.to_owned() };
    check_applied(vec![part((1, 0), (1, 1), "zw")], Applied::Spliced(vec![splice(4..5, "zw")]));
    check_applied(
        vec![part((0, 3), (1, 0), ""), whole("onetwo!")],
        Applied::Spliced(vec![splice(3..4, ""), splice(6..6, "!")]),
    );
    check_applied(vec![whole("one\nzwei")], Applied::Spliced(vec![splice(4..7, "zwei")]));
    check_applied(vec![Edit::Whole(Err(Missing::TooLarge))], Applied::Unknown);
    check_applied(vec![], Applied::Spliced(vec![]));
}
