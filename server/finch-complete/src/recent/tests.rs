use super::*;

fn entry(marked: &str, text: &str) -> Entry {
    let offset = marked.find("$0").expect("the text has a $0");
    Entry {
        id: 7,
        path: Some("a.py".into()),
        document: Document::new(&marked.replacen("$0", "", 1)),
        offset,
        text: text.into(),
        provider: "local".into(),
        model: "m".into(),
    }
}

fn rest_of(recent: &mut Recent, marked: &str) -> Option<(String, Typed)> {
    let offset = marked.find("$0").expect("the text has a $0");
    let document = Document::new(&marked.replacen("$0", "", 1));
    recent.rest(Some("a.py"), &document, offset).map(|rest| (rest.text, rest.typed))
}

/// `text` was suggested at `$0` in `then`; `now` is the document as the user has it.
#[track_caller]
fn check(then: &str, text: &str, now: &str, rest: Option<(&str, Typed)>) {
    let mut recent = Recent::default();
    recent.remember(entry(then, text));
    assert_eq!(rest_of(&mut recent, now), rest.map(|(text, typed)| (text.to_owned(), typed)), "{now:?}");
}

#[test]
fn what_the_user_types_is_taken_off_the_suggestion() {
    let (then, text) = ("return $0\nend", "a + b");
    check(then, text, "return $0\nend", Some(("a + b", Typed::Nothing)));
    check(then, text, "return a$0\nend", Some((" + b", Typed::Some)));
    check(then, text, "return a + $0\nend", Some(("b", Typed::Some)));
    check(then, text, "return a + b$0\nend", None);
}

#[test]
fn what_differs_from_the_suggestion_is_no_match() {
    let (then, text) = ("return $0\nend", "a + b");
    for now in ["return b$0\nend", "return a$0;\nend", "return a$0\nEnd", "Return a$0\nend", "returns a$0\nend", "a$0"]
    {
        check(then, text, now, None);
    }
    check(then, text, "return$0 \nend", None);
    check(then, text, "return$0\nend", None);
    check(then, text, "return  a$0\nend", None);
}

#[test]
fn line_ends_are_typed_as_the_document_has_them() {
    check("if x:$0\r\n", "\n    y()\n    z()", "if x:\r\n    y$0\r\n", Some(("()\n    z()", Typed::Some)));
    check("if x:$0\n", "\n    y()", "if x:\n    $0\n", Some(("y()", Typed::Some)));
}

#[test]
fn a_rest_of_whitespace_is_none() {
    check("a$0", "b c", "ab$0", Some((" c", Typed::Some)));
    check("a$0", "b  ", "ab$0", None);
}

#[test]
fn another_file_is_another_document() {
    let mut recent = Recent::default();
    recent.remember(entry("x = $0", "1"));
    let document = Document::new("x = ");
    assert_eq!(recent.rest(Some("b.py"), &document, 4), None);
    assert_eq!(recent.rest(None, &document, 4), None);
}

#[test]
fn the_latest_suggestion_for_a_place_is_used() {
    let mut recent = Recent::default();
    recent.remember(entry("x = $0", "1"));
    recent.remember(entry("x = $0", "2"));
    assert_eq!(rest_of(&mut recent, "x = $0"), Some(("2".into(), Typed::Nothing)));
}

#[test]
fn the_least_recently_used_suggestion_is_forgotten_first() {
    let mut recent = Recent::default();
    for n in 0..RECENT_MAX {
        recent.remember(entry(&format!("x{n} = $0"), "1"));
    }
    assert!(rest_of(&mut recent, "x0 = $0").is_some());
    recent.remember(entry("y = $0", "1"));
    assert!(rest_of(&mut recent, "x0 = $0").is_some());
    assert!(rest_of(&mut recent, "x1 = $0").is_none());
    assert!(rest_of(&mut recent, "x2 = $0").is_some());
}
