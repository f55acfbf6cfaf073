//! `finch plan --approve`: an approved plan is carried out, each effect is permitted or is not, and the steps are ticked.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::finch::{Said, command, said};
use crate::support::llmock::Llmock;

const CHECK: &str = "python3 -m unittest -q";

/// A home with one cloud and these rules.
fn home(server: &Llmock, rules: &str) -> tempfile::TempDir {
    let home = server.home();
    std::fs::write(home.path().join("permissions.toml"), rules).unwrap();
    home
}

fn workspace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join(".git")).unwrap();
    std::fs::write(folder.path().join("parse.py"), "def parse(text):\n    return text.split(' ')\n").unwrap();
    let test = "import unittest\nfrom parse import parse\n\n\nclass Parses(unittest.TestCase):\n    def test_it(self):\n        \
                self.assertEqual(parse('a  b'), ['a', 'b'])\n";
    std::fs::write(folder.path().join("test_parse.py"), test).unwrap();
    folder
}

fn rules(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap().display().to_string();
    format!(
        "[[rules]]\nverdict = \"allow\"\nworkspace = \"{folder}\"\nwrite = \"**\"\n\n\
         [[rules]]\nverdict = \"allow\"\nworkspace = \"{folder}\"\nexact = \"{CHECK}\"\ncwd = \"{folder}\"\n"
    )
}

fn reply(text: &str) -> Value {
    json!({"type": "reply", "text": text})
}

fn call(name: &str, arguments: Value) -> Value {
    json!({"type": "reply", "tool_calls": [{"name": name, "arguments": arguments}]})
}

fn edit(old: &str, new: &str) -> Value {
    call("Edit", json!({"path": "parse.py", "old_text": old, "new_text": new}))
}

/// What the model says until there is a plan of one step.
fn planning() -> Vec<Value> {
    let step = json!({"title": "Split at blanks", "what": "Drop empty parts.", "files": ["parse.py"], "check": CHECK});
    let mut replies = vec![reply("parse.py splits at spaces."), reply(&json!({"steps": [step]}).to_string())];
    replies.extend(std::iter::repeat_with(|| reply("{\"findings\": []}")).take(7));
    replies
}

struct Ran {
    code: i32,
    err: String,
    report: Value,
}

fn run(home: &Path, folder: &Path, arguments: &[&str]) -> Ran {
    let ran = said(command(home).arg("plan").args(arguments).arg("--json").current_dir(folder));
    let report = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.err));
    Ran { code: ran.code, err: ran.err, report }
}

fn text(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_plan_is_carried_out_checked_and_ticked() {
    let server = Llmock::start();
    let folder = workspace();
    let home = home(&server, &rules(folder.path()));
    let mut replies = planning();
    // The first try does not do it, which its check shows.
    replies.extend([edit("split(' ')", "split('-')"), reply("Done.")]);
    replies.extend([edit("split('-')", "split()"), reply("Now it is done.")]);
    server.queue(&replies);
    let ran = run(home.path(), folder.path(), &["Split at blanks.", "--approve"]);
    assert_eq!((ran.code, &ran.report["work"]["ended"]), (0, &"done".into()), "{}", ran.err);
    assert_eq!(text(folder.path().join("parse.py")), "def parse(text):\n    return text.split()\n");
    let plan = text(ran.report["path"].as_str().unwrap());
    assert!(plan.contains("## 1. [x] Split at blanks") && plan.contains("State: carried out"), "{plan}");
    let told = server.bodies().into_iter().any(|body| body.to_string().contains("The step is not done"));
    assert!(told, "the model was not told that the check failed");
}

/// Carries out a plan that changes parse.py.
fn carried_out(server: &Llmock, home: &Path, folder: &Path) -> Ran {
    let mut replies = planning();
    replies.extend([edit("split(' ')", "split()"), reply("Done.")]);
    server.queue(&replies);
    run(home, folder, &["Split at blanks.", "--approve"])
}

fn undo(home: &Path, folder: &Path, arguments: &[&str]) -> Said {
    said(command(home).arg("undo").args(arguments).current_dir(folder))
}

#[test]
fn what_was_carried_out_is_taken_back_once() {
    let server = Llmock::start();
    let folder = workspace();
    let home = home(&server, &rules(folder.path()));
    let before = text(folder.path().join("parse.py"));
    let ran = carried_out(&server, home.path(), folder.path());
    assert_ne!(text(folder.path().join("parse.py")), before, "{}", ran.err);
    let undone = undo(home.path(), folder.path(), &["--json"]);
    let report: Value = serde_json::from_str(&undone.out).unwrap();
    let expected = json!({"id": ran.report["id"], "task": "Split at blanks.", "restored": ["parse.py"]});
    assert_eq!((undone.code, report), (0, expected), "{}", undone.err);
    assert_eq!(text(folder.path().join("parse.py")), before);
    for arguments in [&[][..], &[ran.report["id"].as_str().unwrap()]] {
        let again = undo(home.path(), folder.path(), arguments);
        assert!(again.code == 3 && again.err.contains("is left to take back"), "{}: {}", again.code, again.err);
    }
}

#[test]
fn an_undo_keeps_what_was_changed_elsewhere_and_refuses_what_was_changed_at_its_place() {
    let server = Llmock::start();
    let folder = workspace();
    let home = home(&server, &rules(folder.path()));
    let path = folder.path().join("parse.py");
    let before = text(&path);
    let ran = carried_out(&server, home.path(), folder.path());
    let after = text(&path);
    let meeting = after.replace("split()", "split(None)");
    std::fs::write(&path, &meeting).unwrap();
    let refused = undo(home.path(), folder.path(), &[ran.report["id"].as_str().unwrap()]);
    assert_eq!((refused.code, text(&path)), (1, meeting), "{}", refused.err);
    assert!(refused.err.contains("parse.py changed meanwhile where the task had"), "{}", refused.err);
    std::fs::write(&path, format!("LIMIT = 3\n\n\n{after}")).unwrap();
    let elsewhere = undo(home.path(), workspace().path(), &[ran.report["id"].as_str().unwrap()]);
    assert!(elsewhere.code == 1 && elsewhere.err.contains("changed another folder"), "{}", elsewhere.err);
    let undone = undo(home.path(), folder.path(), &[]);
    assert_eq!((undone.code, undone.out.as_str()), (0, "restored parse.py\n"), "{}", undone.err);
    assert!(undone.err.contains("Split at blanks."), "{}", undone.err);
    assert_eq!(text(&path), format!("LIMIT = 3\n\n\n{before}"));
}

#[test]
fn what_no_rule_allows_is_denied_where_nobody_can_be_asked() {
    let server = Llmock::start();
    let folder = workspace();
    let home = home(&server, "");
    let before = text(folder.path().join("parse.py"));
    let mut replies = planning();
    replies.extend([edit("split(' ')", "split()"), reply("I may not.")]);
    server.queue(&replies);
    let ran = run(home.path(), folder.path(), &["Split at blanks.", "--approve"]);
    assert_eq!((ran.code, &ran.report["work"]["ended"]), (1, &"not-done".into()), "{}", ran.err);
    assert_eq!(text(folder.path().join("parse.py")), before);
    assert!(ran.err.contains("nobody is there to ask"), "{}", ran.err);
}

#[test]
fn a_plan_that_was_made_before_goes_on_where_it_stopped() {
    let server = Llmock::start();
    let folder = workspace();
    let home = home(&server, &rules(folder.path()));
    server.queue(&planning());
    let planned = run(home.path(), folder.path(), &["Split at blanks."]);
    let path = PathBuf::from(planned.report["path"].as_str().unwrap());
    let first = "\n## 1. [x] Look\n\nLook around.\n";
    std::fs::write(&path, text(&path).replacen("\n## 1. [ ]", &format!("{first}\n## 2. [ ]"), 1)).unwrap();
    server.queue(&[edit("split(' ')", "split()"), reply("Done.")]);
    let ran = run(home.path(), folder.path(), &["--plan", path.to_str().unwrap(), "--approve"]);
    assert_eq!((ran.code, &ran.report["work"]["ended"]), (0, &"done".into()), "{}", ran.err);
    assert!(text(&path).contains("## 2. [x] Split at blanks"));
    assert!(!ran.err.contains("step 1:"), "{}", ran.err);
}
