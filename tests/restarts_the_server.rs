//! finch has itself started anew in the middle of a task: the model asks for it, the user agrees, the editor does it, and
//! the new server offers to go on with the task and does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::finch::command;
use crate::support::scripted::{Kind, Reply, Scripted};
use crate::support::text_editor::{TextEditor, is_event, uri_of};
use crate::support::workbench::allow;

const CHECK: &str = "grep -c new f";
const REASON: &str = "its settings have changed";

/// Plans one step, restarts the server in it, and edits when it is asked again afterwards.
fn model(is_restarted: Arc<AtomicBool>) -> Scripted {
    let step = json!({"title": "Renew it", "what": "Make it new.", "files": ["f"], "check": CHECK});
    let mut has_edited = false;
    Scripted::start(move |request| match request.kind {
        Kind::Draft => Reply::json(&json!({"steps": [step]})),
        Kind::Critique(_) => Reply::no_findings(),
        Kind::Work if !is_restarted.load(Ordering::Relaxed) => Reply::call("Restart", &json!({"reason": REASON})),
        Kind::Work if !std::mem::replace(&mut has_edited, true) => {
            Reply::call("Edit", &json!({"path": "f", "old_text": "old", "new_text": "new"}))
        }
        Kind::Work => Reply::Text("It is new.".to_owned()),
        Kind::Reading | Kind::Summary | Kind::Other => Reply::Text("f is old.".to_owned()),
    })
}

#[test]
fn a_task_that_restarts_the_server_is_gone_on_with_by_the_next_one() {
    let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = folder.path().canonicalize().unwrap();
    std::fs::write(folder.join("f"), "old\n").unwrap();
    allow(home.path(), &[CHECK]);
    let is_restarted = Arc::new(AtomicBool::new(false));
    let model = model(Arc::clone(&is_restarted));
    model.configure(home.path());
    let mut first = TextEditor::start(&mut command(home.path()), &folder);
    first.says(|question| if question["effect"].as_str().unwrap().contains(REASON) { "once" } else { "no" });
    let working = first.plan_and_approve("Renew f.");
    let wanted = first.until(|message| message["method"] == "finch/restart");
    assert_eq!((&wanted["params"]["reason"], wanted.get("id")), (&REASON.into(), None));
    let question = first.questions()[0].clone();
    assert_eq!(question["choices"].as_array().unwrap().len(), 2, "only a no and a yes for once: {question}");
    is_restarted.store(true, Ordering::Relaxed);
    // As editors do it.
    first.request("shutdown", Value::Null);
    first.client.notify("exit", Value::Null);
    let (_, lived_on) = first.client.wait();
    assert!(lived_on < Duration::from_secs(2), "{lived_on:?}");
    assert_eq!(std::fs::read_to_string(folder.join("f")).unwrap(), "old\n");
    drop(first);

    let mut second = TextEditor::start(&mut command(home.path()), &folder);
    second.presses("Go on");
    let offered = second.until(|message| message["method"] == "window/showMessageRequest");
    let text = offered["params"]["message"].as_str().unwrap();
    assert!(text.contains("interrupted") && text.contains("Renew f."), "{text}");
    assert_eq!(offered["params"]["actions"][0]["title"], "Not now");
    let ended = second.ended(&working);
    assert_eq!(ended["outcome"], "done", "{ended}");
    assert_eq!(second.text(&uri_of(&folder.join("f"))), Some("new\n"));
    assert_eq!(std::fs::read_to_string(folder.join("f")).unwrap(), "new\n");
    let plan = second.seen_or_until(|message| is_event(message, "plan"))["params"]["uri"].clone();
    let page = std::fs::read_to_string(plan.as_str().unwrap().strip_prefix("file://").unwrap()).unwrap();
    assert!(page.contains("## 1. [x] Renew it"), "{page}");
    let again = json!({"command": "finch.resume", "arguments": [{ "turn": working }]});
    let refused = second.request("workspace/executeCommand", again)["error"]["message"].clone();
    assert!(refused.as_str().is_some_and(|why| why.contains("nothing was interrupted")), "{refused}");
}
