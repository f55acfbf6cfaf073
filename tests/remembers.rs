//! The journal: what became of suggestions is there to be counted, and what people said of them is never lost.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::finch::{command, finch, fixture, home_of_its_own};

const URI: &str = "file:///project/demo.py";

fn demo() -> String {
    std::fs::read_to_string(fixture("demo.py")).unwrap()
}

/// A session with the document open, and the text of a suggestion in it.
fn suggested(home: &Path) -> (Client, String) {
    let mut client = Client::start(home);
    client.initialize();
    client.wait_until_ready();
    client.open(URI, &demo());
    let items = client.inline_completion(URI, (16, 4));
    let text = items["items"][0]["insertText"].as_str().unwrap_or_else(|| panic!("no suggestion: {items}")).to_owned();
    (client, text)
}

fn json_of(home: &Path, arguments: &[&str]) -> Value {
    let said = finch(home, arguments);
    assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.out))
}

/// Everything in the files of the journal.
fn journal(home: &Path) -> String {
    let entries = std::fs::read_dir(home.join("journal")).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    files.sort();
    files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// A journal of an editor that is gone since a minute: one suggestion that was shown.
fn one_shown(home: &Path) -> PathBuf {
    let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64 - 60_000;
    let session = format!("{at_ms}-1");
    let line = json!({
        "schema": 1, "at_ms": at_ms, "session": session, "suggestion": 4, "language": "go", "provider": "local",
        "model": "m", "source": "model", "event": "shown",
    });
    std::fs::create_dir_all(home.join("journal")).unwrap();
    let file = home.join("journal").join(format!("{session}-0.jsonl"));
    std::fs::write(&file, format!("{line}\n")).unwrap();
    file
}

#[test]
fn an_accepted_suggestion_is_counted_and_feedback_finds_it() {
    let home = home_of_its_own("");
    let home = home.path();
    let (mut client, text) = suggested(home);
    client.insert(URI, 2, (16, 4), &text);
    // Its answer says that everything before it is written too.
    let said = client.request("finch/feedback", json!({"verdict": "good", "note": "quick"}));
    assert_eq!(said["result"], json!({"id": 1, "recorded": true}), "{said}");
    let stats = json_of(home, &["stats", "--json"]);
    let all = &stats["all"];
    assert_eq!((&all["shown"], &all["accepted"]["full"], &all["rejected"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!((&all["acceptance_rate"], &all["feedback"]["good"]), (&json!(1.0), &json!(1)));
    for (by, name) in [("by_language", "python"), ("by_model", "smollm2-135m"), ("by_provider", "local")] {
        assert_eq!(stats[by][name], *all, "{by}");
    }
    let table = finch(home, &["stats"]).out;
    assert!(table.contains("language python") && table.contains("100 %"), "{table}");

    let said = finch(home, &["feedback", "bad", "--minor", "--note", "on second thought"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let list = json_of(home, &["feedback", "list", "--json"]);
    let weights: Vec<_> = list.as_array().unwrap().iter().map(|said| (&said["weight"], &said["suggestion"])).collect();
    assert_eq!(weights, [(&json!(1), &json!(1)), (&json!(-3), &json!(1))]);
    assert_eq!(json_of(home, &["stats", "--json"])["all"]["feedback"], json!({"good": 0, "bad": 0, "bad_minor": 1}));
    // By default no text but the notes is written down.
    let written = journal(home);
    assert!(!written.contains(text.trim()) && !written.contains("demo.py") && !written.contains("prefix"), "{written}");
}

#[test]
fn what_is_forgotten_is_gone_when_its_process_has_ended() {
    let home = home_of_its_own("[learning]\ncollect = \"text\"\n");
    let home = home.path();
    let (mut client, text) = suggested(home);
    client.insert(URI, 2, (16, 4), &text);
    client.request("finch/feedback", json!({"verdict": "bad", "note": "the note"}));
    assert!(journal(home).contains("the note") && journal(home).contains("offered"));
    let said = finch(home, &["feedback", "forget", "all"]);
    assert_eq!((said.code, said.out.as_str()), (0, "forgot 1\n"));
    assert!(said.err.contains("still writes to"), "{}", said.err);
    assert_eq!(json_of(home, &["feedback", "list", "--json"]), json!([]));
    client.close_input();
    assert_eq!(finch(home, &["feedback", "good"]).code, 0);
    assert_eq!(finch(home, &["feedback", "forget", "all"]).out, "forgot 1\n");
    let left = journal(home);
    assert!(!left.contains("the note") && !left.contains("offered") && left.contains("accepted"), "{left}");
    let unknown = finch(home, &["feedback", "forget", "12"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.err.contains("there is no feedback 12"), "{}", unknown.err);
}

#[test]
fn who_does_not_want_to_be_remembered_is_not() {
    let home = home_of_its_own("[learning]\nenabled = false\n");
    let (mut client, text) = suggested(home.path());
    client.insert(URI, 2, (16, 4), &text);
    let said = client.request("finch/feedback", json!({"verdict": "good"}));
    assert!(said["error"]["message"].as_str().is_some_and(|m| m.contains("learning.enabled")), "{said}");
    client.close_input();
    assert_eq!(finch(home.path(), &["feedback", "good"]).code, 1);
    assert!(!home.path().join("journal").exists());
}

#[test]
fn without_a_suggestion_there_is_nothing_to_speak_of() {
    let home = tempfile::tempdir().unwrap();
    let said = finch(home.path(), &["feedback", "good"]);
    assert!(said.code == 1 && said.err.contains("no suggestion in the journal yet"), "{}", said.err);
    assert_eq!(json_of(home.path(), &["stats", "--json"])["all"]["shown"], 0);
    one_shown(home.path());
    let said = finch(home.path(), &["feedback", "good", "--id", "9"]);
    assert!(said.code == 1 && said.err.contains("no suggestion 9"), "{}", said.err);
    assert_eq!(finch(home.path(), &["feedback", "good", "--id", "4"]).code, 0);
    assert_eq!(finch(home.path(), &["feedback", "forget", "some"]).code, 2);
}

#[test]
fn a_journal_that_was_tampered_with_weighs_no_more_than_a_person() {
    let home = tempfile::tempdir().unwrap();
    one_shown(home.path());
    let feedback = |id: u64, weight: &str| {
        let head = r#""schema":1,"at_ms":5,"session":"s","event":"feedback""#;
        format!("{{{head},\"suggestion\":{id},\"feedback\":{id},\"weight\":{weight}}}\n")
    };
    let mut lines = format!("{}{}{}", feedback(1, "1e9"), feedback(2, "-1e9"), feedback(3, "NaN"));
    lines.push_str(&format!("{}\n{}", "x".repeat(100 << 20), feedback(4, "1")));
    lines.push_str("{\"schema\":1,\"at_ms\":");
    std::fs::write(home.path().join("journal/1700000000001-1-0.jsonl"), lines).unwrap();
    let list = json_of(home.path(), &["feedback", "list", "--json"]);
    let weights: Vec<_> = list.as_array().unwrap().iter().map(|said| said["weight"].clone()).collect();
    assert_eq!(weights, [json!(1), json!(-10), json!(1)]);
    let said = finch(home.path(), &["stats"]);
    assert!(said.err.contains("1 torn, 1 too long, 1 damaged, 0 of a later version"), "{}", said.err);
}

/// `FINCH_KILLS` says how many times.
#[test]
fn what_was_acknowledged_survives_a_kill_at_any_time() {
    let home = tempfile::tempdir().unwrap();
    one_shown(home.path());
    let kills: u64 = std::env::var("FINCH_KILLS").ok().map_or(40, |kills| kills.parse().unwrap());
    let mut acknowledged = Vec::new();
    for kill in 0..kills {
        let note = format!("note-{kill}-");
        let mut child = command(home.path())
            .args(["feedback", "good", "--note", &note])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // From 0 to 200 ms, so that some die early and some late; the last one lives.
        std::thread::park_timeout(Duration::from_micros(kill * 200_000 / kills));
        if kill + 1 < kills {
            child.kill().unwrap();
        }
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        child.wait().unwrap();
        if said.contains("recorded") {
            acknowledged.push(note);
        }
    }
    let written = journal(home.path());
    for note in &acknowledged {
        assert!(written.contains(note), "{note} was lost");
    }
    let said = finch(home.path(), &["feedback", "bad"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let list = json_of(home.path(), &["feedback", "list", "--json"]);
    assert!(list.as_array().unwrap().len() > acknowledged.len());
    assert!(!acknowledged.is_empty(), "no feedback was ever acknowledged");
}

/// A file system of 64 KiB that is full, in a name space of its own.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_feedback_works_again_when_there_is_room() {
    let home = tempfile::tempdir().unwrap();
    let script = r#"
        set -e
        mkdir -p "$FINCH_HOME/journal"
        mount -t tmpfs -o size=64k none "$FINCH_HOME/journal"
        cp "$1" "$FINCH_HOME/journal/"
        head -c 100000 /dev/zero > "$FINCH_HOME/journal/filler" 2> /dev/null || true
        "$0" feedback good --note full && exit 9
        "$0" feedback list --json
        rm "$FINCH_HOME/journal/filler"
        "$0" feedback good --note room
        "$0" feedback list --json
    "#;
    let source = tempfile::tempdir().unwrap();
    let shown = one_shown(source.path());
    let output = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_finch")])
        .arg(shown)
        .env("FINCH_HOME", home.path())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(out.starts_with("[]\n") && out.contains("\"room\"") && !out.contains("\"full\""), "{out}");
    assert!(err.contains("make room or mend its permissions"), "{err}");
}
