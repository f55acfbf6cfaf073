//! The scripted model of the tests itself: finch takes what it says as it takes a real one's words, faults too.

use std::time::Duration;

use finch_agent::plan::Persona;
use serde_json::{Value, json};

use crate::support::finch::{command, said};
use crate::support::scripted::{Kind, Reply, Scripted, call};

fn read(path: &str) -> Value {
    json!({"path": path})
}

#[test]
fn every_kind_of_request_is_known_and_every_kind_of_reply_arrives() {
    let (place, mut readings) = (tempfile::tempdir().unwrap(), 0);
    let (workspace, home) = (place.path().join("ws"), place.path().join("home"));
    std::fs::create_dir_all(workspace.join(".git")).unwrap();
    std::fs::create_dir(&home).unwrap();
    std::fs::write(workspace.join("a.txt"), "the first file\n").unwrap();
    std::fs::write(workspace.join("b.txt"), "é".repeat(400)).unwrap();
    let server = Scripted::start(move |request| match request.kind {
        Kind::Reading => {
            readings += 1;
            match readings {
                1 => Reply::Error(503, "try again"),
                2 => Reply::Breaks("Half an ans".to_owned()),
                3 => Reply::Calls(vec![call("Read", &read("a.txt")), call("Read", &read("b.txt"))]),
                4 => Reply::Waits(Duration::from_millis(50), Box::new(Reply::call("Glob", &json!({"pattern": "*"})))),
                _ => Reply::Text("ä".repeat(1000)),
            }
        }
        Kind::Draft => Reply::json(&json!({"steps": [{"title": "t", "what": "w", "files": ["a.txt"], "check": ""}]})),
        Kind::Critique(Persona::EdgeCases) => Reply::json(&json!({"findings": [{
            "concern": "nothing is said of b.txt", "step_ref": 1, "severity": 7, "confidence": 3,
            "file": "", "line": 0, "quote": "",
        }]})),
        _ => Reply::no_findings(),
    });
    server.configure(&home);
    let ran = said(command(&home).args(["plan", "Do it.", "--json"]).current_dir(&workspace));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let plan: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(plan["minority_risks"][0]["persona"], "Edge Cases", "{plan}");
    let requests = server.requests();
    let count = |kind| requests.iter().filter(|request| request.kind == kind).count();
    assert_eq!((count(Kind::Reading), count(Kind::Draft), count(Kind::Other)), (5, 1, 0), "{}", ran.err);
    assert!(Persona::ALL.into_iter().all(|persona| count(Kind::Critique(persona)) == 1));
    let last = requests.iter().rfind(|request| request.kind == Kind::Reading).unwrap();
    assert_eq!(last.tools(), ["Read", "Glob", "Grep"]);
    let results = last.results();
    assert!(results[0].contains("the first file") && results[1].contains("éééé"), "{results:?}");
    assert_eq!((results.len(), results[2].contains("b.txt")), (3, true), "{results:?}");
    let draft = requests.iter().find(|request| request.kind == Kind::Draft).unwrap();
    assert!(draft.body.to_string().contains(&"ä".repeat(1000)));
}
