//! The agent in VS Code: what a user of the extension sees of it and answers, in the real workbench. One story has a
//! scripted server in the place of finch, so that every question and event is known, the other finch and a scripted
//! model. `tests/support/vscode/agent.mjs` and `todo.mjs` tell them; pictures stay in `target/test-artefacts`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::finch::home_of_its_own;
use crate::support::neovim::FakeServer;
use crate::support::process::run_within;
use crate::support::record::{Recording, artefacts, root, utf8};
use crate::support::tasks::tree;
use crate::support::todo;
use crate::support::vscode::{chromium, node, package, tools};

/// The whole story takes half a minute; this is for a busy machine.
const STORY_MAX: Duration = Duration::from_secs(600);

/// What would be a link that runs a command, if it were Markdown.
const HOSTILE: &str = "[read this](command:workbench.action.closeAllEditors) <b>&</b> **x**";

fn question(id: &str, title: &str, effect: &str) -> Value {
    let choices = json!([{ "id": "no", "label": "Deny" }, { "id": "once", "label": "Allow once" }]);
    let params =
        json!({ "turn": "t1", "id": id, "title": title, "effect": effect, "why": "it is new", "choices": choices });
    request(id, "finch/approve", params)
}

fn request(id: &str, method: &str, params: Value) -> Value {
    json!({ "send": { "id": id, "method": method, "params": params } })
}

fn notification(method: &str, params: &Value) -> Value {
    json!({ "send": { "method": method, "params": params } })
}

fn event(mut rest: Value) -> Value {
    rest["turn"] = "t1".into();
    notification("finch/turnEvent", &rest)
}

/// A change of a file, longer than a dialog shows.
fn long() -> String {
    let lines: Vec<String> = (1..=60).map(|line| format!("+line {line}")).collect();
    format!("Change /app/a\n--- a\n+++ b\n@@ -0,0 +1,60 @@\n{}", lines.join("\n"))
}

/// What the server does, step by step.
fn script(plan: &str) -> Value {
    let uri = format!("file://{plan}");
    let start = json!({ "line": 0, "character": 0 });
    let edit = json!({ "range": { "start": start, "end": start }, "newText": "print(1)\n" });
    let questions =
        json!([{ "text": "Which cache?", "options": ["memory", "disk"] }, { "text": "How large?", "options": [] }]);
    let failed = format!("it failed: {HOSTILE}");
    let lens = |title: &str, command: &str, argument: &Value| json!({ "line": 0, "title": title, "command": command, "arguments": [argument] });
    json!({
        "status": { "state": "ready", "model": "scripted", "provider": "local" },
        "commands": ["finch.plan", "finch.approve", "finch.revise", "finch.stop", "finch.resume", "finch.explain", "finch.showLog"],
        "lenses": { "task.md": [
            lens("Approve and carry out", "finch.approve", &json!({ "uri": uri, "hash": "h2" })),
            lens("Revise…", "finch.revise", &json!({ "uri": uri })),
        ] },
        "on": {
            "finch.plan": [
                event(json!({ "kind": "began", "title": "speed it up", "task": "plan" })),
                question("q1", "finch wants to run a command", &format!("Run in /app, without the network:\necho '{HOSTILE}'")),
            ],
            "answer q1": [question("q2", "the second", "Run in /app:\nls")],
            "answer q2": [question("q3", "the third", &long())],
            "answer q3": [question("q4", "the fourth", &long())],
            "answer q4": [question("q5", "the fifth", &long())],
            "finch.stop": [notification("$/cancelRequest", &json!({ "id": "q5" }))],
            "answer q5": [question("q6", "the sixth", &long())],
            "answer q6": [request("a1", "finch/askUser", json!({ "turn": "t1", "questions": questions }))],
            "answer a1": [request("s1", "window/showDocument", json!({ "uri": uri, "takeFocus": false }))],
            "answer s1": [
                { "write": [plan, "# Round two\n\n- [ ] Step\n"] },
                event(json!({ "kind": "plan", "uri": uri, "hash": "h2", "round": 2, "state": "settled", "open": 0 })),
            ],
            "finch.approve": [request("e1", "workspace/applyEdit", json!({ "edit": { "changes": { "ROOT/main.py": [edit] } } }))],
            "answer e1": [request("v1", "finch/save", json!({ "uris": ["ROOT/main.py", "ROOT/gone.py"] }))],
            "answer v1": [request("d1", "finch/diagnostics", json!({ "uris": ["ROOT/main.py"] }))],
            "answer d1": [event(json!({ "kind": "ended", "outcome": "failed", "message": failed }))],
            "finch.resume": [notification("window/showMessage", &json!({ "type": 3, "message": format!("a message of the server {HOSTILE}") }))],
            "finch.explain": [notification("finch/restart", &json!({ "reason": "a new model" }))],
        },
    })
}

#[test]
fn questions_are_shown_whole_answered_and_taken_back() {
    let home = tempfile::Builder::new().prefix("vsagent").tempdir().unwrap();
    let path = |name: &str| home.path().canonicalize().unwrap().join(name);
    let (file, vsix, plan) = (path("project/main.py"), path("finch.vsix"), path("finch/plans/project/task.md"));
    for folder in [file.parent().unwrap(), plan.parent().unwrap()] {
        std::fs::create_dir_all(folder).unwrap();
    }
    std::fs::write(&file, "a = 1\n").unwrap();
    std::fs::write(&plan, "# Round one\n").unwrap();
    let server = FakeServer::new(&script(&utf8(&plan)));
    package(&server.program(), &vsix);
    let setup = json!({
        "tools": tools(), "home": home.path(), "vsix": vsix, "file": file, "chromium": chromium(), "settings": {},
        "artefacts": artefacts(), "plan": plan, "hostile": HOSTILE,
    });
    let mut story = node(&root().join("tests/support/vscode/agent.mjs"));
    run_within(STORY_MAX, story.arg(setup.to_string()), &artefacts().join("vscode-agent.log"));

    let answer = |id: &str| server.answer(id).unwrap_or_else(|| panic!("no answer to {id}"));
    assert_eq!(answer("q1"), json!({ "id": "q1", "choice": "no" }));
    assert_eq!(answer("q2"), json!({ "id": "q2", "choice": "once" }));
    assert_eq!(answer("q3"), json!({ "id": "q3", "choice": "once" }));
    assert_eq!(answer("q4"), json!({ "id": "q4", "choice": "no", "reason": "too slow" }));
    assert_eq!(answer("q5"), Value::Null);
    assert_eq!(answer("q6"), Value::Null);
    assert_eq!(answer("a1"), json!({ "answers": ["disk", "10 MB"] }));
    let failed = &answer("v1")["failed"];
    assert!(failed[0]["uri"].as_str().unwrap().ends_with("/gone.py") && failed[1].is_null(), "{failed}");
    assert_eq!(answer("d1"), json!({ "diagnostics": [] }));
    let commands = server.received("workspace/executeCommand");
    let sent = |name: &str| &commands.iter().find(|sent| sent["command"] == name).unwrap()["arguments"][0];
    assert_eq!(sent("finch.plan")["task"], "speed it up");
    let uri = format!("file://{}", utf8(&plan));
    assert_eq!(*sent("finch.revise"), json!({ "uri": uri, "direction": "smaller steps" }));
    assert_eq!(*sent("finch.approve"), json!({ "uri": uri, "hash": "h2" }));
    assert_eq!(*sent("finch.resume"), json!({ "turn": "t1" }));
    let client = &server.received("initialize")[0]["initializationOptions"]["finch"]["client"];
    assert_eq!(client.as_object().map(|all| all.values().filter(|can| **can == true).count()), Some(6));
    assert_eq!(server.received("initialize").len(), 2, "the server is started anew when it asks for it");
}

/// A folder with the project, and beside it all that an editor and finch keep.
struct Place {
    home: tempfile::TempDir,
    file: PathBuf,
}

impl Place {
    fn new() -> Self {
        let home = tempfile::Builder::new().prefix("vstodo").tempdir().unwrap();
        let project = home.path().canonicalize().unwrap().join("project");
        std::fs::create_dir_all(project.join(".git")).unwrap();
        let file = project.join(todo::FILE);
        std::fs::write(&file, todo::BEFORE).unwrap();
        Self { home, file }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().canonicalize().unwrap().join(name)
    }

    /// Packs the extension with a program that runs this one.
    fn vsix(&self, words: &[String]) -> PathBuf {
        let (program, vsix) = (self.path("finch.sh"), self.path("finch.vsix"));
        std::fs::write(&program, format!("#!/bin/sh\nexec '{}' \"$@\"\n", words.join("' '"))).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        package(&program, &vsix);
        vsix
    }

    /// Lets the workbench tell a story, with this FINCH_HOME; what it printed.
    fn tell(&self, story: &str, finch_home: &Path, vsix: &Path) -> String {
        let setup = json!({
            "tools": tools(), "home": self.home.path(), "vsix": vsix, "file": self.file, "chromium": chromium(),
            "settings": { "finch.server.env": { "FINCH_HOME": finch_home, "FINCH_DAEMON": "off" } },
            "artefacts": artefacts(), "after": todo::AFTER,
        });
        let log = artefacts().join(format!("vscode-{story}.log"));
        let mut node = node(&root().join(format!("tests/support/vscode/{story}.mjs")));
        run_within(STORY_MAX, node.arg(setup.to_string()), &log);
        std::fs::read_to_string(log).unwrap()
    }
}

#[test]
fn from_a_todo_to_a_checked_edit_and_back() {
    let place = Place::new();
    let finch_home = place.path("finch");
    std::fs::create_dir(&finch_home).unwrap();
    let model = todo::model(&finch_home);
    let recording = Recording::new("vscode-agent");
    let vsix = place.vsix(&recording.command(&[env!("CARGO_BIN_EXE_finch").to_owned()]));
    place.tell("todo", &finch_home, &vsix);
    assert_eq!(std::fs::read_to_string(&place.file).unwrap(), todo::BEFORE);
    assert!(model.requests().iter().any(|request| request.body.to_string().contains("TODO: drop the empty parts")));
    recording.assert_conforms();
}

/// A small model plans poorly, but nothing breaks, and nothing is done that nobody permitted.
#[test]
fn a_real_model_plans_and_works_as_well_as_it_can() {
    let (place, finch_home) = (Place::new(), home_of_its_own(""));
    let vsix = place.vsix(&[env!("CARGO_BIN_EXE_finch").to_owned()]);
    println!("{}", place.tell("real", finch_home.path(), &vsix));
    let files = tree(place.file.parent().unwrap());
    assert_eq!(files, [(todo::FILE.into(), format!("{}# still here", todo::BEFORE).into())].into());
}
