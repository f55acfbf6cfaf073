//! The agent in Helix, which knows nothing of finch: code actions, messages with buttons, edits of the workspace and
//! documents of the standard protocol are enough for the whole story. The model is a scripted one.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::conformance::Side;
use crate::support::helix::Helix;
use crate::support::record::{Recording, root, utf8};
use crate::support::scripted::{Kind, Reply, Scripted};
use crate::support::todo;

/// What is offered at the TODO, in the order of the menu.
const PLAN: (&str, usize) = ("Plan this task", 0);
const DO_IT: (&str, usize) = ("Do what this comment says", 4);
/// The answer behind "Deny", which Enter alone would take.
const ALLOW_ONCE: usize = 1;
const READ_ON: usize = 1;

/// Helix with the TODO under the cursor, and finch listening.
fn open(home: &Path, recording: &Recording) -> Helix {
    let server = recording.command(&[env!("CARGO_BIN_EXE_finch").into(), "lsp".into()]);
    let helix = Helix::open(&server, &[("FINCH_HOME", utf8(home))], todo::FILE, todo::BEFORE);
    let is_open = || (recording.sent(Side::Client, "textDocument/didOpen").len() == 1).then_some(());
    helix.terminal.wait("the server", is_open);
    helix.terminal.type_text("j");
    helix
}

/// Waits for a message of finch, which a later one of Helix may have covered.
#[track_caller]
fn told(helix: &Helix, recording: &Recording, text: &str) {
    let is_it = |params: &Value| params["message"].as_str().is_some_and(|message| message.contains(text));
    helix.terminal.wait(text, || recording.sent(Side::Server, "window/showMessage").iter().any(is_it).then_some(()));
}

/// Waits for the end of so many turns: each has a progress bar, which ends with it.
#[track_caller]
fn ended(helix: &Helix, recording: &Recording, turns: usize) {
    let is_end = |params: &&Value| params["value"]["kind"] == "end";
    let ends = || recording.sent(Side::Server, "$/progress").iter().filter(is_end).count();
    helix.terminal.wait("the turn to end", || (ends() == turns).then_some(()));
}

#[test]
fn from_a_todo_to_a_checked_edit_and_back() {
    let home = tempfile::Builder::new().prefix("fh").tempdir().unwrap();
    let model = todo::model(home.path());
    let recording = Recording::new("helix-agent");
    let helix = open(home.path(), &recording);
    let on_disk = || std::fs::read_to_string(helix.path(todo::FILE)).unwrap();
    helix.take_action(PLAN.0, PLAN.1);
    helix.terminal.wait_for_screen("[ ] Drop the empty parts");
    told(&helix, &recording, "The plan is settled");
    // Helix reads no file anew by itself.
    helix.run("reload");
    helix.terminal.wait_for_screen("State: settled");
    helix.take_action("Approve and carry out", 0);
    helix.choose("finch wants to change a file", ALLOW_ONCE);
    helix.terminal.wait_for_screen("finch: save all files");
    assert_eq!(on_disk(), todo::BEFORE);
    helix.run("write-all");
    helix.choose("finch wants to run a command", ALLOW_ONCE);
    helix.terminal.wait_for_screen("finch: All steps are done");
    assert_eq!(on_disk(), todo::AFTER);
    helix.run("reload");
    helix.terminal.wait_for_screen("[x] Drop the empty parts");
    // Behind "Revise…"; there is nothing to approve any more.
    helix.take_action("Undo this turn", 1);
    helix.terminal.wait_for_screen("finch: save all files");
    helix.run("write-all");
    told(&helix, &recording, "Taken back in one file");
    assert_eq!(on_disk(), todo::BEFORE);
    assert!(model.requests().iter().any(|request| request.body.to_string().contains("TODO: drop the empty parts")));
    ended(&helix, &recording, 3);
    drop(helix);
    recording.assert_conforms();
}

#[test]
fn a_question_that_is_larger_than_the_window_is_read_in_parts() {
    let home = tempfile::Builder::new().prefix("fh").tempdir().unwrap();
    let lines: Vec<String> = (1..=60).map(|number| format!("line {number} of the file")).collect();
    let text = lines.join("\n") + "\n";
    let mut write = Some(Reply::call("Write", &json!({"path": "long.txt", "content": text})));
    let model = Scripted::start(move |request| match request.kind {
        Kind::Work => write.take().unwrap_or_else(|| Reply::Text("It is written.".to_owned())),
        _ => Reply::no_findings(),
    });
    model.configure(home.path());
    let recording = Recording::new("helix-long");
    let helix = open(home.path(), &recording);
    helix.take_action(DO_IT.0, DO_IT.1);
    let count = helix.terminal.wait("the first part", || {
        let screen = helix.terminal.screen().text();
        let (_, count) = screen.split_once("finch wants to change a file (1 of ")?;
        count.split(')').next()?.parse::<usize>().ok()
    });
    assert!(count > 5, "{count} parts");
    for number in 1..count {
        helix.choose(&format!("({number} of {count})"), READ_ON);
    }
    helix.terminal.wait_for_screen("+line 60 of the file");
    helix.choose(&format!("({count} of {count})"), ALLOW_ONCE);
    helix.terminal.wait_for_screen("finch: save all files");
    helix.run("write-all");
    told(&helix, &recording, "It is written.");
    assert_eq!(std::fs::read_to_string(helix.path("long.txt")).unwrap(), text);
    ended(&helix, &recording, 1);
    drop(helix);
    recording.assert_conforms();
}

#[test]
fn the_lines_that_a_user_adds_are_the_ones_tested() {
    let page = std::fs::read_to_string(root().join("docs/editors.md")).unwrap();
    let tested = std::fs::read_to_string(root().join("tests/support/helix/languages.toml")).unwrap();
    let (_, section) = page.split_once("## Helix").unwrap();
    let lines = section.lines().skip_while(|line| !line.starts_with("    "));
    let shown: Vec<&str> =
        lines.take_while(|line| line.is_empty() || line.starts_with("    ")).map(str::trim).collect();
    assert_eq!(shown.join("\n").trim(), tested.trim());
}
