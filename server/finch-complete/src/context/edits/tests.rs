use super::*;

const TEXT: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";

/// Each change takes the first text that is there and puts the second in its place.
#[track_caller]
fn check(changes: &[(&str, &str)], expected: &[&str]) {
    let mut edits = Edits::default();
    let mut text = TEXT.to_owned();
    for (old, new) in changes {
        let before = Document::new(&text);
        let at = text.find(old).expect("the text is there");
        text.replace_range(at..at + old.len(), new);
        edits.changed("a", &before, &Document::new(&text), at..at + old.len(), new.len());
    }
    let hunks: Vec<String> = edits.hunks().map(|hunk| hunk.text).collect();
    assert_eq!(hunks, expected);
}

#[test]
fn what_was_changed_is_shown_as_a_difference() {
    check(&[("two", "2")], &["-two\n+2\n"]);
    check(&[("two\nthree\n", "")], &["-two\n-three\n"]);
}

#[test]
fn changes_near_each_other_are_one_edit() {
    check(
        &[("two", "tw"), ("tw\n", "t\n"), ("t\nth", "zwei\nth"), ("three", "drei")],
        &["-two\n-three\n+zwei\n+drei\n"],
    );
}

#[test]
fn changes_far_from_each_other_are_edits_of_their_own_the_last_one_first() {
    check(&[("two", "2"), ("eight", "8")], &["-eight\n+8\n", "-two\n+2\n"]);
    check(
        &[("seven", "7"), ("one\n", "a\nb\nc\n"), ("7", "sept")],
        &["-7\n+sept\n", "-one\n+a\n+b\n+c\n", "-seven\n+7\n"],
    );
}

#[test]
fn what_was_only_added_or_taken_back_is_no_edit() {
    check(&[("two", "two\nnew")], &[]);
    check(&[("two", "2"), ("2", "two")], &[]);
    check(&[], &[]);
}

#[test]
fn a_large_edit_is_not_shown() {
    check(&[(TEXT, &"x\n".repeat(EDIT_LINES_MAX))], &[]);
}

#[test]
fn edits_of_a_closed_document_are_forgotten_and_old_ones_too() {
    let mut edits = Edits::default();
    let (before, after) = (Document::new("a\nb"), Document::new("x\nb"));
    for number in 0..EDITS_MAX + 3 {
        edits.changed(&number.to_string(), &before, &after, 0..1, 1);
    }
    assert_eq!(edits.hunks().count(), EDITS_MAX);
    edits.lost(&(EDITS_MAX + 2).to_string());
    assert_eq!(edits.hunks().count(), EDITS_MAX - 1);
}
