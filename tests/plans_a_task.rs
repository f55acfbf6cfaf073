//! A plan for a task: read around, drafted, attacked, revised, kept; and nothing in the workspace changes.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::finch::{command, finch, said};
use crate::support::llmock::Llmock;

fn workspace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join(".git")).unwrap();
    std::fs::write(folder.path().join("parse.py"), "def parse(text):\n    return text.split(' ')\n").unwrap();
    std::fs::write(folder.path().join(".env"), "KEY=CANARY-ENV\n").unwrap();
    folder
}

fn reply(text: &str) -> Value {
    json!({"type": "reply", "text": text})
}

fn draft(what: &str) -> Value {
    let step = json!({"title": "Split at tabs", "what": what, "files": ["parse.py"], "check": "python -m unittest"});
    reply(&json!({"steps": [step]}).to_string())
}

fn finds(severity: u64, quote: &str) -> Value {
    let item = json!({
        "concern": "split(' ') keeps empty parts", "step_ref": 1, "severity": severity, "confidence": 9,
        "file": "parse.py", "line": 2, "quote": quote,
    });
    reply(&json!({"findings": [item]}).to_string())
}

fn none() -> Value {
    reply("{\"findings\": []}")
}

/// Every file of the folder with its bytes.
fn tree(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_plan_is_revised_until_nothing_grave_is_open_and_is_kept() {
    let server = Llmock::start();
    let (home, folder) = (server.home(), workspace());
    let before = tree(folder.path());
    let mut replies = vec![reply("parse.py splits at spaces, in line 2."), draft("Split at tabs too.")];
    // Whoever asks first is told something grave that is there, and something that is not.
    replies.extend([finds(9, "return text.split(' ')"), finds(9, "return tabs(text)")]);
    replies.extend(std::iter::repeat_with(none).take(5));
    replies.push(draft("Split at tabs too and drop empty parts."));
    replies.extend(std::iter::repeat_with(none).take(7));
    replies.push(draft("Split at tabs too, and drop empty parts."));
    replies.extend(std::iter::repeat_with(none).take(7));
    server.queue(&replies);
    let ran = said(command(home.path()).args(["plan", "Split at tabs.", "--json"]).current_dir(folder.path()));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let plan: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&plan["task"], &plan["outcome"]), (&"Split at tabs.".into(), &"settled".into()), "{}", ran.err);
    assert_eq!(plan["steps"][0]["check"], "python -m unittest");
    assert_eq!(plan["daemon"], false);
    assert_eq!((plan["must_address"].as_array().unwrap().len(), plan["unheard"].as_array().unwrap().len()), (0, 0));
    assert!(ran.err.contains("what it says of the code is not there"), "{}", ran.err);
    let page = std::fs::read_to_string(plan["path"].as_str().unwrap()).unwrap();
    assert!(page.contains("## 1. [ ] Split at tabs") && page.contains("drop empty parts"), "{page}");
    assert_eq!(tree(folder.path()), before);
    let second = server.bodies().into_iter().map(|body| body.to_string()).find(|body| body.contains("It was attacked"));
    assert!(second.is_some_and(|body| body.contains("keeps empty parts")));
}

#[test]
fn what_the_model_reads_is_bounded_by_the_gate() {
    let server = Llmock::start();
    let (home, folder) = (server.home(), workspace());
    let call =
        |name: &str, arguments: Value| json!({"type": "reply", "tool_calls": [{"name": name, "arguments": arguments}]});
    let mut replies = vec![
        call("Read", json!({"path": ".env"})),
        call("Read", json!({"path": "/etc/passwd"})),
        call("Grep", json!({"pattern": "CANARY"})),
        reply("nothing"),
        draft("Split at tabs too."),
    ];
    replies.extend(std::iter::repeat_with(none).take(7));
    server.queue(&replies);
    let ran = said(command(home.path()).args(["plan", "Split at tabs.", "--json"]).current_dir(folder.path()));
    assert_eq!(ran.code, 0, "{}", ran.err);
    for body in server.bodies() {
        let body = body.to_string();
        assert!(!body.contains("CANARY-ENV") && !body.contains("root:x:0"), "{body}");
    }
}

#[test]
fn a_critique_that_is_none_holds_the_plan_open_and_is_said() {
    let server = Llmock::start();
    let (home, folder) = (server.home(), workspace());
    let mut replies = vec![reply("notes"), draft("Split at tabs too.")];
    replies.extend(std::iter::repeat_with(none).take(6));
    replies.extend([reply("I find it good."), reply("Really.")]);
    server.queue(&replies);
    let arguments = ["plan", "Split at tabs.", "--json", "--rounds", "1"];
    let ran = said(command(home.path()).args(arguments).current_dir(folder.path()));
    let plan: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.err));
    assert_eq!((&plan["outcome"], plan["unheard"].as_array().unwrap().len()), (&"rounds-over".into(), 1), "{plan}");
}

#[test]
fn without_anybody_who_answers_there_is_no_plan() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config.toml"), "[[providers]]\ntype = \"openai\"\napi_key = \"k\"\n").unwrap();
    let ran = finch(home.path(), &["plan", "Mend it.", "--json"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("no model is installed"), "{}", ran.err);
}
