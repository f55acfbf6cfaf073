//! A small project with a TODO, and a scripted model that does it: what the stories of the agent in editors begin with.

use std::path::Path;

use serde_json::json;

use super::scripted::{Kind, Reply, Scripted};

/// The file with the TODO, which stands in its second line.
pub(crate) const FILE: &str = "parse.py";
pub(crate) const BEFORE: &str = "def parse(text):\n    # TODO: drop the empty parts\n    return text.split(' ')\n";
pub(crate) const AFTER: &str = "def parse(text):\n    return text.split()\n";

/// The check of the one step of the plan, which the user is asked about.
const CHECK: &str = "grep -c 'split()' parse.py";

/// A model that plans and does it, configured in a FINCH_HOME.
pub(crate) fn model(home: &Path) -> Scripted {
    let step =
        json!({"title": "Drop the empty parts", "what": "Split at runs of blanks.", "files": [FILE], "check": CHECK});
    let mut has_edited = false;
    let (old, new) = (&BEFORE["def parse(text):\n".len()..], &AFTER["def parse(text):\n".len()..]);
    let edit = Reply::call("Edit", &json!({"path": FILE, "old_text": old, "new_text": new}));
    let model = Scripted::start(move |request| match request.kind {
        Kind::Draft => Reply::json(&json!({"steps": [step]})),
        Kind::Critique(_) => Reply::no_findings(),
        Kind::Work if !std::mem::replace(&mut has_edited, true) => edit.clone(),
        Kind::Work => Reply::Text("The empty parts are dropped.".to_owned()),
        Kind::Reading | Kind::Summary | Kind::Other => Reply::Text("parse.py splits at each blank.".to_owned()),
    });
    model.configure(home);
    model
}
