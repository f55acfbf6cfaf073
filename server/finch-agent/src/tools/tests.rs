//! What the tools tell the model, and what they do only with a permit.

use serde_json::{Value, json};

use super::{
    testing::{Workspace, object},
    *,
};
use crate::{Access, Outcome, Permit, Tool};

/// What a call says, whole.
#[track_caller]
fn check(outcome: &Outcome, expected: Result<&str, &str>) {
    let found = if outcome.is_error { Err(outcome.text.as_str()) } else { Ok(outcome.text.as_str()) };
    assert_eq!(found, expected);
}

/// A part of what a call says.
#[track_caller]
fn check_part(outcome: &Outcome, part: &str) {
    assert!(outcome.text.contains(part), "{}", outcome.text);
}

/// A door that gives what it is made of.
struct Door<T>(T);

impl ask_user::User for Door<Vec<&'static str>> {
    fn ask(&self, questions: Vec<ask_user::Question>) -> ask_user::Answers<'_> {
        assert!(questions.iter().all(|question| question.text.ends_with('?')), "{questions:?}");
        let answers: Vec<String> = self.0.iter().map(|answer| (*answer).to_owned()).collect();
        let nobody = || ask_user::Unanswered("the editor was closed".to_owned());
        Box::pin(async move { if answers.is_empty() { Err(nobody()) } else { Ok(answers) } })
    }
}

impl restart::Restarter for Door<Result<&'static str, &'static str>> {
    fn restart(&self, reason: &str) -> restart::Restarting<'_> {
        assert_eq!(reason, "new settings");
        Box::pin(async { self.0.map(str::to_owned).map_err(str::to_owned) })
    }
}

/// A door behind which nothing happens.
struct Stuck;

impl restart::Restarter for Stuck {
    fn restart(&self, _reason: &str) -> restart::Restarting<'_> {
        Box::pin(std::future::pending())
    }
}

impl diagnostics::Reports for Door<Vec<diagnostics::Diagnostic>> {
    fn diagnostics<'a>(&'a self, _path: &'a std::path::Path) -> diagnostics::Reported<'a> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

fn all() -> Vec<Box<dyn Tool>> {
    let ask = AskUser::new(std::sync::Arc::new(Door(vec!["yes"])));
    let diagnostics = Diagnostics::new(std::sync::Arc::new(Door(Vec::<diagnostics::Diagnostic>::new())));
    let bash = Bash::new(std::sync::Arc::new(bash::Shell), std::sync::Arc::new(bash::NoDocuments));
    let plain: [Box<dyn Tool>; 5] = [Box::new(Read), Box::new(Glob), Box::new(Grep), Box::new(Edit), Box::new(Write)];
    let restart = Restart::new(std::sync::Arc::new(Stuck));
    let others: [Box<dyn Tool>; 5] =
        [Box::new(ask), Box::new(diagnostics), Box::new(bash), Box::new(restart), Box::new(WebFetch::default())];
    plain.into_iter().chain(others).collect()
}

#[tokio::test]
async fn a_question_is_answered_or_said_not_to_be() {
    let ws = Workspace::new(&[]);
    let ask = |answers: &[&'static str]| AskUser::new(std::sync::Arc::new(Door(answers.to_vec())));
    let two = json!({"questions": [{"question": "Which?", "options": ["a", "b"]}, {"question": "Why?"}]});
    check(&ws.call(&ask(&["a", "so"]), two.clone()).await, Ok("Which?\n→ a\n\nWhy?\n→ so"));
    check(&ws.call(&ask(&["a"]), two.clone()).await, Err("nobody answered all questions; go on with what you know"));
    check(&ws.call(&ask(&[]), two).await, Err("nobody answered: the editor was closed"));
    check(&ws.call(&ask(&[]), json!({"questions": []})).await, Err("ask 1 to 4 questions"));
    check_part(&ws.call(&ask(&[]), json!({"questions": [{"question": " "}]})).await, "1 to 2000 characters");
}

#[tokio::test(start_paused = true)]
async fn a_restart_has_a_reason_and_an_end() {
    let ws = Workspace::new(&[]);
    let tool = |answer| Restart::new(std::sync::Arc::new(Door(answer)));
    let reason = json!({"reason": " new settings\n"});
    check(&ws.call(&tool(Ok("finch runs again")), reason.clone()).await, Ok("finch runs again"));
    let no = "finch was not restarted: the editor has a question open";
    check(&ws.call(&tool(Err("the editor has a question open")), reason.clone()).await, Err(no));
    check_part(&ws.call(&Restart::new(std::sync::Arc::new(Stuck)), reason).await, "not restarted within 30 s");
    for bad in [json!({}), json!({"reason": " "}), json!({"reason": "x".repeat(501)})] {
        assert!(ws.call(&tool(Ok("")), bad).await.is_error);
    }
    // What is started cannot be named.
    let other = json!({"reason": "new settings", "program": "/tmp/other"});
    check_part(&ws.call(&tool(Ok("")), other).await, "unknown field `program`");
    let elsewhere = Permit::for_test(&[Access::Restart { reason: "another".to_owned() }]);
    let outcome = tool(Ok("")).call(elsewhere, object(json!({"reason": "new settings"})), &ws.context).await;
    check_part(&outcome, "nothing was done");
}

#[tokio::test]
async fn diagnostics_come_worst_first_and_only_those_permitted() {
    use diagnostics::{Diagnostic, Severity};
    let ws = Workspace::new(&[("src/a", "")]);
    let one = |path: &str, line, severity, message: &str| Diagnostic {
        path: ws.root().join(path),
        line,
        column: 2,
        severity,
        message: message.to_owned(),
        source: Some("rustc".to_owned()),
    };
    let found = vec![
        one("src/a", 1, Severity::Warning, "unused\x1b[2J"),
        one("src/a", 9, Severity::Error, "expected\nfound"),
        one("b", 1, Severity::Error, "elsewhere"),
    ];
    let tool = Diagnostics::new(std::sync::Arc::new(Door(found)));
    check(
        &ws.call(&tool, json!({"path": "src"})).await,
        Ok("src/a:9:2: error: expected found [rustc]\nsrc/a:1:2: warning: unused\\u{1b}[2J [rustc]\n"),
    );
    check(&ws.call(&tool, json!({"path": "none"})).await, Ok("The editor reports nothing.\n"));
}

#[test]
fn every_tool_and_argument_is_documented() {
    let page = include_str!("../../../../docs/tools.md");
    for tool in all() {
        let spec = tool.spec();
        assert!(page.contains(&format!("## {}\n", spec.name)), "{}", spec.name);
        let section = page.split("\n## ").find(|part| part.starts_with(&spec.name)).unwrap();
        assert_eq!(spec.parameters["additionalProperties"], json!(false), "{}", spec.name);
        for name in object(spec.parameters["properties"].clone()).keys() {
            assert!(section.contains(&format!("`{name}`")), "{}: {name}", spec.name);
        }
    }
}

#[tokio::test]
async fn what_is_not_permitted_is_not_done() {
    let ws = Workspace::new(&[("a", "secret\n")]);
    let calls: [(&dyn Tool, Value); 6] = [
        (&Read, json!({"path": "a"})),
        (&Glob, json!({"pattern": "*"})),
        (&Grep, json!({"pattern": "secret"})),
        (&Edit, json!({"path": "a", "old_text": "secret", "new_text": "x"})),
        (&Edit, json!({"path": "a", "old_text": "none of it", "new_text": "x"})),
        (&Write, json!({"path": "b", "content": "x"})),
    ];
    for (tool, arguments) in calls {
        let elsewhere = Permit::for_test(&[Access::Read { path: "/elsewhere".into() }]);
        let outcome = tool.call(elsewhere, object(arguments), &ws.context).await;
        assert!(outcome.is_error && outcome.text.starts_with("nothing was done"), "{outcome:?}");
    }
    assert!(ws.context.view.changes().is_empty());
}

#[tokio::test]
async fn bad_arguments_are_said_and_never_taken_for_none() {
    let ws = Workspace::new(&[]);
    for tool in all() {
        for arguments in
            [json!({"path": 1, "command": 1}), json!({"path": "a", "pattern": "a", "content": "", "more": 1})]
        {
            assert!(tool.access(&object(arguments.clone()), &ws.context).is_err(), "{} {arguments}", tool.spec().name);
        }
    }
    check(&ws.call(&Read, json!({"path": "a", "offset": 0})).await, Err("offset and limit count from 1"));
    check_part(&ws.call(&Grep, json!({"pattern": "("})).await, "no regular expression");
    check_part(&ws.call(&Glob, json!({"pattern": "[a"})).await, "cannot be used");
    check_part(&ws.call(&Edit, json!({"path": "a", "patch": "x"})).await, "either path");
}

#[tokio::test]
async fn reading_numbers_lines_and_says_what_is_left() {
    let ws = Workspace::new(&[("a", "one\ntwo\r\nthree"), ("empty", "")]);
    check(
        &ws.call(&Read, json!({"path": "a"})).await,
        Ok("     1\tone\n     2\ttwo\n     3\tthree\n(lines end with CRLF)\n"),
    );
    check(
        &ws.call(&Read, json!({"path": "a", "offset": 2, "limit": 1})).await,
        Ok("     2\ttwo\n(a has 3 lines; these are 2 to 2: read on with offset 3)\n(lines end with CRLF)\n"),
    );
    check(&ws.call(&Read, json!({"path": "a", "offset": 4})).await, Err("a has 3 lines; offset 4 is beyond its end"));
    check(&ws.call(&Read, json!({"path": "empty"})).await, Ok("(empty is empty)"));
    check(&ws.call(&Read, json!({"path": "none"})).await, Err("none does not exist"));
    check(&ws.call(&Read, json!({"path": "."})).await, Err(". is a folder"));
}

#[tokio::test]
async fn long_lines_are_cut_at_characters_and_other_files_are_noted() {
    let ws = Workspace::new(&[("long", &"ü".repeat(1500)), ("many", &"x\n".repeat(50_000))]);
    ws.put("p.png", b"\x89PNG\r\n\x1a\nxxxx");
    ws.put("b", b"a\0b");
    ws.put("u", b"\xff\xfea\0\n\0");
    check_part(&ws.call(&Read, json!({"path": "long"})).await, "ü… (500 more characters)\n");
    check_part(&ws.call(&Read, json!({"path": "many"})).await, "these are 1 to 2000: read on with offset 2001");
    check(
        &ws.call(&Read, json!({"path": "p.png"})).await,
        Err("p.png is a picture (PNG, 12 bytes), which is not shown"),
    );
    check(
        &ws.call(&Read, json!({"path": "b"})).await,
        Err("b is no text in UTF-8 or UTF-16 (3 bytes), and is not shown"),
    );
    check(&ws.call(&Read, json!({"path": "u"})).await, Ok("     1\ta\n(UTF-16, little-endian)\n"));
}

#[tokio::test]
async fn an_edit_is_staged_and_seen_and_reaches_no_file() {
    let ws = Workspace::new(&[("src/a", "one\r\ntwo\r\n")]);
    let edit = json!({"path": "src/a", "old_text": "one\ntwo", "new_text": "1\n2\n3"});
    let access = Edit.access(&object(edit.clone()), &ws.context).unwrap();
    let diff = "--- a/src/a\n+++ b/src/a\n@@ -1,2 +1,3 @@\n-one\r\n-two\r\n+1\r\n+2\r\n+3\r\n".to_owned();
    assert_eq!(access, [Access::Write { path: ws.root().join("src/a"), diff }]);
    check(&ws.call(&Edit, edit).await, Ok("Edited src/a: 3 lines in, 2 lines out."));
    assert_eq!(std::fs::read(ws.root().join("src/a")).unwrap(), b"one\r\ntwo\r\n");
    check_part(&ws.call(&Read, json!({"path": "src/a"})).await, "     3\t3\n");
    check_part(&ws.call(&Grep, json!({"pattern": "^3$"})).await, "src/a:3:3\n");
    ws.apply();
    assert_eq!(std::fs::read(ws.root().join("src/a")).unwrap(), b"1\r\n2\r\n3\r\n");
}

#[tokio::test]
async fn a_file_that_changed_after_the_permit_is_not_edited() {
    let ws = Workspace::new(&[("a", "one\ntwo\n")]);
    let edit = object(json!({"path": "a", "old_text": "two", "new_text": "2"}));
    let permit = Permit::for_test(&Edit.access(&edit, &ws.context).unwrap());
    ws.put("a", b"other\ntwo\n");
    check_part(&Edit.call(permit, edit, &ws.context).await, "nothing was done");
    assert!(ws.context.view.changes().is_empty());
}

#[tokio::test]
async fn a_miss_reads_the_file_and_is_permitted_as_such() {
    let ws = Workspace::new(&[("a", "  one\ntwo\n")]);
    let edit = json!({"path": "a", "old_text": "one\ntwo", "new_text": "2"});
    let exact = json!({"path": "a", "old_text": "one\n  two", "new_text": "2"});
    assert!(matches!(&Edit.access(&object(edit), &ws.context).unwrap()[..], [Access::Write { .. }]));
    let access = Edit.access(&object(exact.clone()), &ws.context).unwrap();
    assert_eq!(access, [Access::Read { path: ws.root().join("a") }]);
    check(
        &ws.call(&Edit, exact).await,
        Err(
            "a: old_text is not in the file. It differs in white space only. What stands there:\n     1\t  one\n     2\ttwo\n",
        ),
    );
}

#[tokio::test]
async fn a_patch_changes_makes_removes_and_renames() {
    let ws = Workspace::new(&[("a", "1\n2\n"), ("old", "x\n"), ("from", "y\n")]);
    let patch = "--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n 1\n-2\n+two\n--- /dev/null\n+++ b/new/b\n@@ -0,0 +1 @@\n+new\n--- a/old\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n";
    let outcome = ws.call(&Edit, json!({"patch": patch})).await;
    check(&outcome, Ok("Edited a: 1 lines in, 1 lines out.\nMade new/b.\nRemoved old."));
    let rename = "--- a/from\n+++ b/to\n@@ -1 +1 @@\n-y\n+z\n";
    check(&ws.call(&Edit, json!({"patch": rename})).await, Ok("Removed from.\nMade to."));
    check_part(&ws.call(&Edit, json!({"patch": rename})).await, "from does not exist");
    ws.apply();
    let text = |name: &str| std::fs::read_to_string(ws.root().join(name)).ok();
    let found = ["a", "new/b", "old", "from", "to"].map(text);
    assert_eq!(found.each_ref().map(Option::as_deref), [Some("1\ntwo\n"), Some("new\n"), None, None, Some("z\n")]);
    // One that does not fit leaves all as they are.
    let broken = "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+one\n--- a/to\n+++ b/to\n@@ -1 +1 @@\n-q\n+z\n";
    check_part(&ws.call(&Edit, json!({"patch": broken})).await, "to: hunk 1 does not fit");
    assert!(ws.context.view.changes().is_empty());
}

#[tokio::test]
async fn writing_makes_a_file_or_replaces_its_text() {
    let ws = Workspace::new(&[("crlf", "a\r\nb\r\n")]);
    ws.put("bin", b"\0");
    check(&ws.call(&Write, json!({"path": "new/f", "content": "x"})).await, Ok("Made new/f."));
    check(
        &ws.call(&Write, json!({"path": "crlf", "content": "a\nc\n"})).await,
        Ok("Edited crlf: 1 lines in, 1 lines out."),
    );
    check_part(&ws.call(&Write, json!({"path": "crlf", "content": "a\nc\n"})).await, "has this text already");
    check_part(&ws.call(&Write, json!({"path": "bin", "content": ""})).await, "is not replaced");
    check_part(&ws.call(&Glob, json!({"pattern": "new/*"})).await, "new/f\n");
    ws.apply();
    assert_eq!(std::fs::read(ws.root().join("crlf")).unwrap(), b"a\r\nc\r\n");
}

#[cfg(unix)]
#[tokio::test]
async fn searches_leave_out_what_git_ignores_what_is_linked_and_what_is_denied() {
    let mut ws = Workspace::new(&[
        (".gitignore", "target/\n"),
        ("target/x.rs", "needle\n"),
        (".git/config", "needle\n"),
        ("src/a.rs", "// needle\nlet x\u{1b}[2J = needle;\n"),
        ("src/.hidden.rs", "needle\n"),
        ("b.py", "NEEDLE\n"),
        (".env", "needle=1\n"),
    ]);
    std::fs::write(ws.folder.path().join("outside.rs"), "needle\n").unwrap();
    std::os::unix::fs::symlink("../../outside.rs", ws.root().join("src/link.rs")).unwrap();
    std::os::unix::fs::symlink("../..", ws.root().join("src/up")).unwrap();
    ws.put("src/odd\n.rs", b"needle\n");
    ws.put("src/bin.rs", b"\0needle\n");
    ws.context.leave_out = std::sync::Arc::new(|path| path.ends_with(".env"));
    check(
        &ws.call(&Grep, json!({"pattern": "needle"})).await,
        Ok(
            "src/.hidden.rs:1:needle\nsrc/a.rs:1:// needle\nsrc/a.rs:2:let x\\u{1b}[2J = needle;\nsrc/odd\\u{a}.rs:1:needle\n",
        ),
    );
    check(&ws.call(&Glob, json!({"pattern": "**/a*"})).await, Ok("src/a.rs\n"));
    check(&ws.call(&Glob, json!({"pattern": "*.{py,toml}"})).await, Ok("b.py\n"));
    check(&ws.call(&Glob, json!({"pattern": "*.rs", "path": "target"})).await, Ok("target/x.rs\n"));
    check(&ws.call(&Glob, json!({"pattern": "*.js"})).await, Ok("No file below . fits.\n"));
    check(
        &ws.call(&Grep, json!({"pattern": "needle", "glob": "*.py", "ignore_case": true})).await,
        Ok("b.py:1:NEEDLE\n"),
    );
    check(
        &ws.call(&Grep, json!({"pattern": "=", "path": "src/a.rs", "context": 1})).await,
        Ok("src/a.rs-1-// needle\nsrc/a.rs:2:let x\\u{1b}[2J = needle;\n"),
    );
    check(&ws.call(&Grep, json!({"pattern": "--pre=./x"})).await, Ok("Nothing fits.\n"));
    check(&ws.call(&Grep, json!({"pattern": "a", "path": "none"})).await, Err("none does not exist"));
}

#[tokio::test]
async fn a_result_knows_the_files_it_has_text_of() {
    let ws = Workspace::new(&[("a", "needle\n"), ("b", "needle\n"), ("c", "x\n")]);
    let calls: [(&dyn Tool, Value, &[&str]); 7] = [
        (&Read, json!({"path": "c"}), &["c"]),
        (&Read, json!({"path": "none"}), &[]),
        (&Grep, json!({"pattern": "needle"}), &["a", "b"]),
        (&Glob, json!({"pattern": "*"}), &[]),
        (&Edit, json!({"path": "c", "old_text": "none", "new_text": "y"}), &["c"]),
        (&Edit, json!({"path": "c", "old_text": "x", "new_text": "y"}), &["c"]),
        (&Write, json!({"path": "d", "content": "x"}), &["d"]),
    ];
    for (tool, arguments, expected) in calls {
        let files = ws.call(tool, arguments.clone()).await.files;
        let names: Vec<String> = files.iter().map(|path| ws.context.name(path)).collect();
        assert_eq!(names, expected, "{arguments}");
    }
}

#[tokio::test]
async fn small_files_and_large_ones_are_searched_alike() {
    use crate::limits::GREP_SMALL_BYTES_MAX;
    let ws = Workspace::new(&[("empty", ""), ("one", "needle")]);
    let padded = |bytes: usize, end: &[u8]| [&vec![b'\n'; bytes - end.len()], end].concat();
    ws.put("a", &padded(GREP_SMALL_BYTES_MAX - 1, b"needle"));
    ws.put("b", &padded(GREP_SMALL_BYTES_MAX, b"needle"));
    ws.put("c", &padded(GREP_SMALL_BYTES_MAX + 1, b"needle"));
    ws.put("d", &padded(4 * GREP_SMALL_BYTES_MAX, b"needle\r\n"));
    ws.put("marked", "\u{feff}needle\n".as_bytes());
    ws.put("wide", &"\u{feff}needle\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    ws.put("binary", b"\0needle\n");
    ws.put("binary-behind", b"needle\n\0");
    let (a, b, c, d) = (65530, 65531, 65532, 262137);
    let found = format!(
        "a:{a}:needle\nb:{b}:needle\nc:{c}:needle\nd:{d}:needle\nmarked:1:needle\none:1:needle\nwide:1:needle\n"
    );
    check(&ws.call(&Grep, json!({"pattern": "^needle$"})).await, Ok(&found));
}

#[tokio::test]
async fn a_search_is_bounded_and_says_so() {
    let ws =
        Workspace::new(&[("a", &"needle\n".repeat(1000)), ("wide", &format!("{}needle\n", "x".repeat(5_000_000)))]);
    let outcome = ws.call(&Grep, json!({"pattern": "needle"})).await;
    assert_eq!(outcome.text.matches("needle").count(), 200);
    check_part(&outcome, "(there may be more");
    check_part(&ws.call(&Grep, json!({"pattern": "needle", "path": "wide"})).await, "1 files were not searched: wide");
}

#[tokio::test]
async fn lines_with_crlf_match_at_their_ends() {
    let ws = Workspace::new(&[("a", "needle\r\n")]);
    check(&ws.call(&Grep, json!({"pattern": "needle$"})).await, Ok("a:1:needle\n"));
}
