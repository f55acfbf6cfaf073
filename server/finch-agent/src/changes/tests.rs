//! What is staged, taken, left, carried over and undone.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Files = BTreeMap<PathBuf, String>;

/// An editor that does as it is told, and refuses what does not fit.
fn apply(effects: &[Effect], files: &mut Files) {
    for effect in effects {
        match effect {
            Effect::Create { path, text, .. } => {
                assert!(files.insert(path.clone(), text.to_string()).is_none(), "{path:?} is there already");
            }
            Effect::Edit { path, against, edits } => {
                let text = files.get_mut(path).unwrap();
                *text = edited(text, against, edits);
            }
            Effect::Rename { from, to, against, edits } => {
                let text = files.remove(from).unwrap();
                let text = edited(&text, against, edits);
                assert!(files.insert(to.clone(), text).is_none(), "{to:?} is there already");
            }
            Effect::Remove { path, against } => assert_eq!(files.remove(path).unwrap(), &*against.text),
        }
    }
}

fn edited(text: &str, against: &Against, edits: &[TextEdit]) -> String {
    assert_eq!(text, &*against.text, "the edit is against another text");
    let mut out = String::new();
    let mut at = 0;
    for edit in edits {
        assert!(edit.range.start >= at, "{edits:?}");
        out.push_str(&text[at..edit.range.start]);
        out.push_str(&edit.text);
        at = edit.range.end;
    }
    out + &text[at..]
}

fn base(text: Option<&str>) -> Base {
    Base { text: text.map(Into::into), ..Base::default() }
}

fn set(path: &str, before: Option<&str>, after: Option<&str>) -> ChangeSet {
    let mut set = ChangeSet::default();
    set.stage(Path::new(path), &base(before), after.map(Into::into));
    set
}

fn files(of: &[(&str, &str)]) -> Files {
    of.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect()
}

/// What becomes of a staged edit when the file changes: the new text, or the lines in conflict.
#[track_caller]
fn check_rebase(before: &str, staged: &str, now: &str, expected: Result<&str, Range<usize>>) {
    let path = Path::new("a");
    let mut changes = set("a", Some(before), Some(staged));
    let standing = changes.rebase(path, &base(Some(now)));
    let mut disk = files(&[("a", now)]);
    apply(&changes.effects(), &mut disk);
    match expected {
        Ok(expected) => assert_eq!((disk[path].as_str(), changes.conflicts().count()), (expected, 0)),
        Err(line) => {
            assert_eq!(standing, Standing::InConflict);
            assert_eq!(changes.conflicts().next().unwrap().1.lines, std::slice::from_ref(&line));
            assert_eq!(disk[path], now, "what was typed is overwritten");
            assert_eq!(changes.staged(path), None);
            assert!(changes.accept_file(path).is_err());
        }
    }
}

#[test]
fn edits_move_over_to_what_was_typed_meanwhile() {
    check_rebase("a\nb\nc\n", "A\nb\nc\n", "a\nb\nc\nd\n", Ok("A\nb\nc\nd\n"));
    check_rebase("a\nb\nc\n", "a\nb\nC\n", "x\na\nb\nc\n", Ok("x\na\nb\nC\n"));
    check_rebase("a\r\nb\r\nc", "a\r\nb\r\nC", "A\r\nb\r\nc", Ok("A\r\nb\r\nC"));
    // Both did the same.
    check_rebase("a\nb\nc\n", "A\nb\nC\n", "A\nb\nc\n", Ok("A\nb\nC\n"));
    check_rebase("a\nb\n", "A\nb\n", "A\nb\n", Ok("A\nb\n"));
}

#[test]
fn edits_that_meet_are_a_conflict_and_overwrite_nothing() {
    check_rebase("a\nb\nc\n", "a\nX\nc\n", "a\nY\nc\n", Err(1..2));
    check_rebase("a\nb\nc\n", "a\nb\nc\nX\n", "a\nb\nc\nY\n", Err(3..3));
    // Neighbouring lines may depend on each other.
    check_rebase("a\nb\nc\n", "a\nB\nc\n", "A\nb\nc\n", Err(1..2));
}

#[test]
fn a_conflict_ends_when_the_file_is_as_it_was_or_decided_about() {
    let path = Path::new("a");
    let mut changes = set("a", Some("a\n"), Some("b\n"));
    assert_eq!(changes.rebase(path, &base(Some("c\n"))), Standing::InConflict);
    assert_eq!(changes.rebase(path, &base(Some("a\n"))), Standing::Staged);
    assert_eq!(changes.rebase(path, &base(Some("c\n"))), Standing::InConflict);
    assert!(changes.accept_all().is_empty());
    changes.reject_file(path);
    assert!(changes.is_empty());
}

#[test]
fn files_that_come_and_go_meanwhile_are_conflicts() {
    for (before, after, now) in
        [(None, Some("new"), Some("another")), (Some("old"), None, Some("older")), (Some("old"), Some("new"), None)]
    {
        let mut changes = set("a", before, after);
        assert_eq!(changes.rebase(Path::new("a"), &base(now)), Standing::InConflict, "{before:?} {after:?} {now:?}");
        assert_eq!(changes.effects(), []);
    }
}

#[test]
fn a_renamed_file_is_one_step_with_its_edits() {
    let mut changes = set("a", Some("1\n2\n"), Some("1\n3\n"));
    changes.rename((Path::new("a"), &base(Some("1\n2\n"))), (Path::new("b"), &base(None))).unwrap();
    let effects = changes.effects();
    assert!(
        matches!(&effects[..], [Effect::Rename { from, to, edits, .. }]
        if from == Path::new("a") && to == Path::new("b") && edits.len() == 1),
        "{effects:?}"
    );
    let mut disk = files(&[("a", "1\n2\n")]);
    apply(&effects, &mut disk);
    assert_eq!(disk, files(&[("b", "1\n3\n")]));
    apply(&changes.reversed().effects(), &mut disk);
    assert_eq!(disk, files(&[("a", "1\n2\n")]));
    // And back again before anything was applied.
    changes.rename((Path::new("b"), &base(None)), (Path::new("a"), &base(Some("1\n2\n")))).unwrap();
    assert!(matches!(&changes.effects()[..], [Effect::Edit { .. }]), "{changes:?}");
}

#[test]
fn half_a_rename_is_none() {
    let mut changes = ChangeSet::default();
    changes.rename((Path::new("a"), &base(Some("1\n"))), (Path::new("b"), &base(None))).unwrap();
    assert_eq!(changes.rebase(Path::new("a"), &base(Some("typed\n"))), Standing::InConflict);
    assert_eq!(changes.effects(), []);
    assert!(changes.accept_all().is_empty());
    assert_eq!(changes.rebase(Path::new("a"), &base(Some("1\n"))), Standing::Staged);
    assert!(matches!(&changes.accept_all().effects()[..], [Effect::Rename { .. }]));
}

#[test]
fn a_rename_replaces_nothing() {
    let mut changes = set("b", None, Some("new"));
    let from = (Path::new("a"), &base(Some("x")));
    assert!(matches!(changes.rename(from, (Path::new("b"), &base(None))), Err(ChangeError::Exists { .. })));
    assert!(matches!(changes.rename(from, (Path::new("c"), &base(Some("y")))), Err(ChangeError::Exists { .. })));
    let gone = (Path::new("d"), &base(None));
    assert!(matches!(changes.rename(gone, (Path::new("e"), &base(None))), Err(ChangeError::Missing { .. })));
}

#[test]
fn a_change_is_shown_as_a_unified_diff() {
    let diff = |before, after| set("a", before, after).diff(Path::new("a"), "src/a");
    assert_eq!(
        diff(Some("1\n2\n"), Some("1\n3")),
        "--- a/src/a\n+++ b/src/a\n@@ -1,2 +1,2 @@\n 1\n-2\n+3\n\\ No newline at end of file\n"
    );
    assert_eq!(diff(None, Some("1\n")), "--- /dev/null\n+++ b/src/a\n@@ -0,0 +1 @@\n+1\n");
    assert_eq!(diff(None, Some("")), "--- /dev/null\n+++ b/src/a\n");
    assert_eq!(diff(Some("1\n"), None), "--- a/src/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n");
}

#[test]
fn edits_leave_alone_what_stays_the_same_in_a_line() {
    let edits = |old, new| effect::edits(old, new).into_iter().map(|e| (e.range, e.text)).collect::<Vec<_>>();
    assert_eq!(edits("let größe = 1;\n", "let größe = 2;\n"), [(14..15, "2".to_owned())]);
    assert_eq!(edits("aä\n", "aö\n"), [(1..3, "ö".to_owned())]);
    assert_eq!(edits("a\r\n", "a\n"), [(0..3, "a\n".to_owned())]);
    assert_eq!(edits("a\r\nb", "a\rb"), [(0..3, "a\r".to_owned())]);
}

#[test]
fn hunks_are_taken_and_left_one_by_one() {
    let path = Path::new("a");
    let mut changes = set("a", Some("1\n2\n3\n4\n5\n"), Some("one\n2\n3\n4\nfive\n"));
    assert_eq!(changes.hunks(path).len(), 2);
    assert!(matches!(changes.accept_hunk(path, 2), Err(ChangeError::NoHunk { .. })));
    let taken = changes.accept_hunk(path, 1).unwrap();
    let mut disk = files(&[("a", "1\n2\n3\n4\n5\n")]);
    apply(&taken.effects(), &mut disk);
    assert_eq!(disk[path], "1\n2\n3\n4\nfive\n");
    changes.reject_hunk(path, 0).unwrap();
    assert!(changes.is_empty());
}

#[test]
fn two_steps_of_a_turn_are_undone_in_one_and_typing_in_between_stays() {
    let mut disk = files(&[("a", "1\n2\n3\n4\n5\n")]);
    let mut first = set("a", Some("1\n2\n3\n4\n5\n"), Some("one\n2\n3\n4\n5\n"));
    first.stage(Path::new("b"), &base(None), Some("new\n".into()));
    apply(&first.effects(), &mut disk);
    disk.insert("a".into(), "one\n2\ntyped\n4\n5\n".to_owned());
    let mut second = set("a", Some("one\n2\ntyped\n4\n5\n"), Some("one\n2\ntyped\n4\nfive\n"));
    second.stage(Path::new("b"), &base(Some("new\n")), None);
    apply(&second.effects(), &mut disk);
    first.absorb(second).unwrap();
    apply(&first.reversed().effects(), &mut disk);
    assert_eq!(disk, files(&[("a", "1\n2\ntyped\n4\n5\n")]));
}

fn text() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec!["a\n", "b\n", "c\r\n", "\n", "d\r", "é\n", "x"]);
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

fn maybe_text() -> impl Strategy<Value = Option<String>> {
    prop::option::weighted(0.8, text())
}

proptest! {
    #[test]
    fn apply_then_undo_restores_exactly(changes in prop::collection::vec((0..6_u8, maybe_text(), maybe_text()), 1..6), rename in any::<bool>()) {
        let (mut set, mut disk) = (ChangeSet::default(), Files::new());
        for (name, before, after) in changes {
            let path = PathBuf::from(name.to_string());
            if set.files.contains_key(&path) || disk.contains_key(&path) { continue }
            if let Some(text) = &before { disk.insert(path.clone(), text.clone()); }
            set.stage(&path, &base(before.as_deref()), after.as_deref().map(Into::into));
        }
        if rename && let Some((path, text)) = disk.first_key_value() {
            // May be refused: it may be staged to go.
            drop(set.rename((path, &base(Some(text))), (Path::new("renamed"), &base(None))));
        }
        let before = disk.clone();
        apply(&set.effects(), &mut disk);
        for (path, file) in &set.files {
            prop_assert_eq!(disk.get(path).map(String::as_str), file.after.as_deref());
        }
        apply(&set.reversed().effects(), &mut disk);
        prop_assert_eq!(disk, before);
    }

    #[test]
    fn rebasing_commutes_with_what_was_typed(base_text in text(), ours in text(), theirs in text()) {
        let one = merge::merge(&base_text, &ours, &theirs);
        let other = merge::merge(&base_text, &theirs, &ours);
        prop_assert_eq!(one.is_ok(), other.is_ok());
        if let (Ok(one), Ok(other)) = (one, other) {
            prop_assert_eq!(one, other);
        }
        prop_assert_eq!(merge::merge(&base_text, &base_text, &theirs).unwrap(), theirs.clone());
        prop_assert_eq!(merge::merge(&base_text, &theirs, &theirs).unwrap(), theirs);
    }

    #[test]
    fn edits_of_parts_that_lie_apart_both_hold(parts in prop::collection::vec((text(), text()), 2..5), mask in any::<u8>()) {
        // Each part stands between lines that nobody changes.
        let join = |pick: &dyn Fn(usize) -> bool| parts.iter().enumerate().fold("==\n".to_owned(), |all, (at, (before, after))| {
            format!("{all}{}\n=={at}\n--{at}\n", if pick(at) { after } else { before })
        });
        let mine = |at: usize| mask & (1 << at) != 0;
        let merged = merge::merge(&join(&|_| false), &join(&mine), &join(&|at| !mine(at)));
        // A diff may see an edit at another place than it was made, but never merges it wrongly.
        if let Ok(merged) = merged {
            prop_assert_eq!(merged, join(&|_| true));
        }
    }

    #[test]
    fn hunks_taken_one_by_one_make_the_whole(before in maybe_text(), after in maybe_text(), order in prop::collection::vec(any::<prop::sample::Index>(), 32)) {
        let path = Path::new("a");
        let mut changes = set("a", before.as_deref(), after.as_deref());
        let mut disk: Files = before.iter().map(|text| (path.to_owned(), text.clone())).collect();
        let mut taken = ChangeSet::default();
        for pick in order {
            let count = changes.hunks(path).len();
            if count == 0 { break }
            let step = changes.accept_hunk(path, pick.index(count)).unwrap();
            apply(&step.effects(), &mut disk);
            taken.absorb(step).unwrap();
        }
        prop_assert!(changes.is_empty());
        prop_assert_eq!(disk.get(path).cloned(), after);
        apply(&taken.reversed().effects(), &mut disk);
        prop_assert_eq!(disk.get(path).cloned(), before);
    }

    #[test]
    fn hunks_left_one_by_one_leave_nothing(before in text(), after in text(), order in prop::collection::vec(any::<prop::sample::Index>(), 32)) {
        let path = Path::new("a");
        let mut changes = set("a", Some(&before), Some(&after));
        for pick in order {
            let count = changes.hunks(path).len();
            if count == 0 { break }
            changes.reject_hunk(path, pick.index(count)).unwrap();
        }
        prop_assert!(changes.is_empty());
    }
}
