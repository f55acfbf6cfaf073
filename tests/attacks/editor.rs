//! The door of an editor: `finch lsp`, and an editor that does whatever the server asks of it.
//!
//! What is staged becomes the editor's edits and its saving, so an edit of a place that is out of bounds would be made
//! by somebody whom no sandbox holds. The editor has documents open whose texts are nowhere else.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Door, Ran, planned};
use crate::support::attack::oracle::{Before, hidden, leaked};
use crate::support::attack::rig::{CANARY, Rig};
use crate::support::attack::{Expect, ROW, Row};
use crate::support::finch::command;
use crate::support::scripted::{Kind, Reply, Request, Scripted};
use crate::support::text_editor::{TextEditor, uri_of};

/// What the model is told where the user said no, and where nobody is there.
pub(super) const REFUSED: &str = "the user said no";
pub(super) const UNASKED: &str = "nobody is there to ask";

/// The one row that is not tried: what a flood costs is tried with an editor that reads nothing of it.
pub(super) const LEFT_OUT: &str = "a gigabyte of output";

const GONE_WITHIN: Duration = Duration::from_secs(2);

/// The editor of a user who has the workspace open, with a text that no file has.
fn start(rig: &Rig) -> TextEditor {
    let mut finch = command(&rig.finch_home());
    finch.current_dir(rig.workspace()).env("HOME", rig.user_home()).stderr(Stdio::null());
    finch.env("PATH", format!(".:{}:{}", rig.workspace().display(), std::env::var("PATH").unwrap()));
    let mut editor = TextEditor::start(&mut finch, &rig.workspace());
    editor.open(&notes(rig), "Do it.\n");
    editor
}

fn notes(rig: &Rig) -> String {
    uri_of(&rig.workspace().join("notes"))
}

/// Tries a row. The user says no where that is what holds it, and yes where nobody can lift what does.
pub(super) fn attack(row: &Row, server: &Scripted, rig: &Rig) -> Ran {
    let mut editor = start(rig);
    let is_beyond_the_user = match row.expect {
        Expect::Says(text) => !text.is_empty() && ![UNASKED, ROW_EXPECTS].contains(&text),
        Expect::Runs => false,
    };
    editor.says(move |_| if is_beyond_the_user { "once" } else { "no" });
    ran(editor, server)
}

/// What the files of a row hold in the end, where it is not what they hold behind the other doors.
pub(super) fn still(row: &Row) -> &'static [(&'static str, Option<&'static str>)] {
    match row.id {
        // An editor would write into the file itself, so it is not asked to.
        "C5" => &[("h", Some("outside CANARY-3f9d2a-OUT\n"))],
        _ => row.still,
    }
}

/// What a row expects that does not say by what it is held.
const ROW_EXPECTS: &str = match ROW.expect {
    Expect::Says(text) => text,
    Expect::Runs => "",
};

/// One turn, from the user's words to the end of the server.
fn ran(mut editor: TextEditor, server: &Scripted) -> Ran {
    let turn = editor.plan_and_approve("Do it.");
    editor.ended(&turn);
    editor.request("shutdown", Value::Null);
    editor.client.notify("exit", Value::Null);
    let (_, lived_on) = editor.client.wait();
    let mut shown = String::new();
    editor.seen.iter().for_each(|(_, message)| texts(message, &mut shown));
    assert!(lived_on < GONE_WITHIN, "finch lsp lived on for {lived_on:?}");
    let requests = server.requests();
    let all = |request: &Request| request.results().into_iter().map(str::to_owned).collect::<Vec<_>>();
    let work = requests.iter().filter(|request| request.kind == Door::Editor.kind());
    let results = work.map(all).max_by_key(Vec::len).unwrap_or_default();
    let told = requests.iter().map(|request| request.body.to_string()).collect();
    Ran { results, told, shown }
}

/// All that an editor might show of a message: every text in it but those of edits.
fn texts(message: &Value, into: &mut String) {
    match message {
        Value::String(text) => {
            into.push_str(text);
            into.push('\n');
        }
        Value::Array(all) => all.iter().for_each(|one| texts(one, into)),
        Value::Object(all) => all.iter().filter(|(name, _)| *name != "newText").for_each(|(_, one)| texts(one, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A model that makes these calls, one an answer.
fn model(rig: &Rig, calls: Vec<(&'static str, Value)>) -> Scripted {
    let mut calls = calls.into_iter();
    let server = Scripted::start(move |request| match request.kind {
        Kind::Work => match calls.next() {
            Some((tool, arguments)) => Reply::call(tool, &arguments),
            None => Reply::Text("Done.".to_owned()),
        },
        kind => planned(kind, "nothing").unwrap_or_else(|| Reply::Text("Nothing.".to_owned())),
    });
    server.configure(&rig.finch_home());
    server
}

/// Tries calls at an editor that has these documents open. The user says no.
#[track_caller]
fn check(rig: &Rig, open: &[(&Path, &str)], calls: Vec<(&'static str, Value)>, expected: &[&str]) {
    let server = model(rig, calls);
    let before = Before::of(rig);
    let mut editor = start(rig);
    open.iter().for_each(|(path, text)| editor.open(&uri_of(path), text));
    let ran = ran(editor, &server);
    let are_as_expected = ran.results.len() == expected.len()
        && ran.results.iter().zip(expected).all(|(result, expected)| result.contains(expected));
    assert!(are_as_expected, "{:?} and not {expected:?}", ran.results);
    let mut wrong = before.violations(&ROW, rig);
    wrong.extend(leaked("a request", &ran.told));
    wrong.extend(hidden("the editor", &ran.shown));
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn what_is_open_is_no_way_to_what_is_out_of_bounds() {
    let rig = Rig::new(&ROW);
    let (top, workspace) = (rig.top(), rig.workspace());
    let secret = format!("unsaved {CANARY}\n");
    let (outside, key, head) = (top.join("out/s"), top.join("home/.ssh/id_rsa"), workspace.join(".git/HEAD"));
    let environment = workspace.join(".env");
    let open =
        [(&*outside, &*secret), (&*key, &*secret), (&*environment, &*secret), (&*head, "ref: refs/heads/main\n")];
    let edit = |path: &Path, old: &str| ("Edit", json!({"path": path, "old_text": old, "new_text": "of the model"}));
    let read = |path: &Path| ("Read", json!({ "path": path }));
    let calls = vec![
        read(&outside),
        edit(&outside, "unsaved"),
        read(&key),
        edit(&key, "unsaved"),
        read(&environment),
        // What is near a text that is not there would be shown.
        edit(&environment, "unsaved CANARX-3f9d2a"),
        edit(&head, "main"),
        ("Grep", json!({"pattern": "CANARY"})),
        ("Glob", json!({"pattern": "**/s"})),
    ];
    let (no, any) = ("not permitted", "");
    check(&rig, &open, calls, &[no, no, no, no, no, any, no, any, any]);
}

#[test]
fn a_link_that_is_open_by_its_own_name_is_not_followed() {
    let rig = Rig::new(&ROW);
    let (outside, link, folder) = (rig.top().join("out"), rig.workspace().join("l"), rig.workspace().join("d"));
    std::os::unix::fs::symlink(outside.join("s"), &link).unwrap();
    std::os::unix::fs::symlink(&outside, &folder).unwrap();
    let text = "outside\n";
    let calls = vec![
        ("Edit", json!({"path": "l", "old_text": "outside", "new_text": "of the model"})),
        ("Write", json!({"path": "l", "content": "of the model"})),
        ("Edit", json!({"path": "d/s", "old_text": "outside", "new_text": "of the model"})),
        ("Write", json!({"path": "d/new", "content": "of the model"})),
    ];
    check(&rig, &[(&link, text), (&folder.join("s"), text)], calls, &["not permitted"; 4]);
}

#[test]
fn an_edit_is_made_on_what_is_open_and_not_on_what_the_disk_has() {
    let rig = Rig::new(&ROW);
    let f = rig.workspace().join("f");
    let calls = vec![
        ("Edit", json!({"path": "f", "old_text": "x in a file", "new_text": "of the model"})),
        ("Read", json!({"path": "f"})),
    ];
    check(&rig, &[(&f, "typed and not saved\n")], calls, &["", "typed and not saved"]);
}

/// C4 and G9: between the edit and its way into the files another file is put in the place, which a saving editor would
/// write to.
#[test]
fn a_file_that_becomes_a_link_after_its_edit_is_not_written_through() {
    let rig = Arc::new(Rig::new(&ROW));
    let (f, outside) = (rig.workspace().join("f"), rig.top().join("out/s"));
    // The editor finds what it expects on the disk and saves.
    std::fs::write(&outside, "x in a file\n").unwrap();
    let (place, target) = (f.clone(), outside.clone());
    let mut said = 0;
    let server = Scripted::start(move |request| {
        if let Some(reply) = planned(request.kind, "nothing") {
            return reply;
        }
        said += usize::from(request.kind == Kind::Work);
        match said {
            0 => Reply::Text("Nothing.".to_owned()),
            1 => Reply::call("Edit", &json!({"path": "f", "old_text": "x in a file", "new_text": "of the model"})),
            2 => {
                std::fs::remove_file(&place).unwrap();
                std::os::unix::fs::symlink(&target, &place).unwrap();
                Reply::call("Bash", &json!({"command": "echo applied"}))
            }
            _ => Reply::Text("Done.".to_owned()),
        }
    });
    server.configure(&rig.finch_home());
    let mut editor = start(&rig);
    editor.open(&uri_of(&f), "x in a file\n");
    let before = Before::of(&rig);
    let ran = ran(editor, &server);
    let row = Row { workspace_may_change: true, ..ROW };
    assert_eq!(before.violations(&row, &rig), Vec::<String>::new(), "{:?}", ran.results);
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "x in a file\n");
}
