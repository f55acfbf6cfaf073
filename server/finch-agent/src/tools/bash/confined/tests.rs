//! Commands in the sandbox, from the call of the tool to what is left of them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;
use crate::sandbox::tests::{helper, left};
use crate::tools::bash::{Bash, NoDocuments};
use crate::tools::testing::{Workspace, object};
use crate::{Outcome, Permit, Tool as _};

fn confined() -> Arc<Confined> {
    with(Arc::new(Sandbox::new(vec![helper().into()])))
}

fn with(sandbox: Arc<Sandbox>) -> Arc<Confined> {
    Arc::new(Confined::new(sandbox, Grants::default()))
}

fn bash() -> Bash {
    Bash::new(confined(), Arc::new(NoDocuments))
}

#[track_caller]
fn check(outcome: &Outcome, expected: Result<&str, &str>) {
    let found = if outcome.is_error { Err(outcome.text.as_str()) } else { Ok(outcome.text.as_str()) };
    assert_eq!(found, expected);
}

/// The folder that a command had for itself, from what it said of its temporary one.
fn scratch(outcome: &Outcome) -> PathBuf {
    let temporary = outcome.text.lines().find_map(|line| line.strip_prefix("TMPDIR=")).unwrap();
    PathBuf::from(temporary).parent().unwrap().to_owned()
}

async fn gone(scratch: &std::path::Path, within: Duration) {
    let began = Instant::now();
    while scratch.exists() {
        assert!(began.elapsed() < within, "{} is left", scratch.display());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_command_runs_as_before_but_in_the_sandbox() {
    let ws = Workspace::new(&[("sub/f", ""), (".git/config", "kept")]);
    let outside = tempfile::tempdir().unwrap();
    check(&ws.call(&bash(), json!({"command": "echo ü; echo oops >&2"})).await, Ok("ü\noops\n"));
    let mixed = "for i in 1 2 3; do echo $i; echo e$i >&2; done";
    check(&ws.call(&bash(), json!({"command": mixed})).await, Ok("1\ne1\n2\ne2\n3\ne3\n"));
    check(&ws.call(&bash(), json!({"command": "true"})).await, Ok("(it printed nothing)"));
    check(&ws.call(&bash(), json!({"command": "printf x; exit 3"})).await, Err("x\n(exit status: 3)"));
    check(&ws.call(&bash(), json!({"command": "exit 124"})).await, Err("(exit status: 124)"));
    check(&ws.call(&bash(), json!({"command": "ls; echo x > g", "cwd": "sub"})).await, Ok("f\n"));
    check(&ws.call(&bash(), json!({"command": "cat; read x || echo closed"})).await, Ok("closed\n"));
    assert!(ws.root().join("sub/g").exists());
    for command in [format!("echo x > {}/x", outside.path().display()), "echo x > .git/config".to_owned()] {
        assert!(ws.call(&bash(), json!({"command": command})).await.is_error, "{command}");
    }
    assert_eq!(std::fs::read_to_string(ws.root().join(".git/config")).unwrap(), "kept");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_command_has_a_temporary_folder_for_itself_and_a_clean_environment() {
    let ws = Workspace::new(&[]);
    let command =
        "echo x > $TMPDIR/x && mkdir $TMPDIR/d && chmod 0 $TMPDIR/d && env; ls $TMPDIR/..; echo x > $TMPDIR/../y";
    let outcome = ws.call(&bash(), json!({"command": command})).await;
    assert!(outcome.text.contains("NO_COLOR=1\n") && outcome.text.contains("PATH=/"), "{outcome:?}");
    assert!(!scratch(&outcome).exists(), "{outcome:?}");
    assert!(outcome.is_error, "it reached the folder around: {outcome:?}");
    let names = outcome.text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
    let own = ["FINCH_", "KEY", "TOKEN", "CARGO_MANIFEST_DIR", "AGENT_COMMAND"];
    assert_eq!(names.filter(|name| own.iter().any(|own| name.contains(own))).count(), 0, "{outcome:?}");
}

#[tokio::test]
async fn the_network_and_what_is_listed_come_with_the_permit_and_the_grants() {
    let ws = Workspace::new(&[]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let command = format!("echo x > /dev/tcp/127.0.0.1/{}", listener.local_addr().unwrap().port());
    assert!(ws.call(&bash(), json!({"command": command})).await.is_error);
    check(&ws.call(&bash(), json!({"command": command, "network": true})).await, Ok("(it printed nothing)"));
    let (cache, tools) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(tools.path().join("t"), "tool\n").unwrap();
    let grants = Grants {
        writable: vec![cache.path().canonicalize().unwrap()],
        readable: vec![tools.path().canonicalize().unwrap()],
        environment: vec!["CARGO_MANIFEST_DIR".to_owned()],
    };
    let sandbox = Arc::new(Sandbox::new(vec![helper().into()]));
    let granted = Bash::new(Arc::new(Confined::new(sandbox, grants)), Arc::new(NoDocuments));
    let (cache, tools) = (cache.path().display(), tools.path().display());
    let command = format!("echo x > {cache}/x && cat {cache}/x {tools}/t && test -n \"$CARGO_MANIFEST_DIR\"");
    check(&ws.call(&granted, json!({"command": command})).await, Ok("x\ntool\n"));
    assert!(ws.call(&bash(), json!({"command": command})).await.is_error);
    assert!(ws.call(&granted, json!({"command": format!("echo x > {tools}/t")})).await.is_error);
}

#[tokio::test]
async fn a_confined_command_out_of_time_or_stopped_is_killed_with_all_it_started() {
    let ws = Workspace::new(&[]);
    let mark = format!("finch-mark-confined-{}", std::process::id());
    let daemon = format!("setsid bash -c 'sleep 1000; : {mark}' &");
    let command = format!("echo TMPDIR=$TMPDIR; {daemon} trap '' TERM; echo x > ready; sleep 1000; : {mark}");
    let began = Instant::now();
    let outcome = ws.call(&bash(), json!({"command": command, "timeout_seconds": 3})).await;
    assert!(outcome.is_error && outcome.text.contains("killed after 3 s"), "H42: {outcome:?}");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!(left(&mark), 0, "O6");
    assert!(!scratch(&outcome).exists());
    std::fs::remove_file(ws.root().join("ready")).unwrap();
    let stop = async {
        while !ws.root().join("ready").exists() || left(&mark) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ws.context.stop.cancel();
        Instant::now()
    };
    let (bash, arguments) = (bash(), json!({"command": command}));
    let (outcome, stopped) = tokio::join!(ws.call(&bash, arguments), stop);
    assert!(outcome.text.contains("killed: the turn was stopped"), "H20: {outcome:?}");
    assert!(stopped.elapsed() < Duration::from_secs(1), "H20: {:?}", stopped.elapsed());
    assert_eq!(left(&mark), 0, "H20 O6");
    assert!(!scratch(&outcome).exists());
}

#[tokio::test]
async fn dropping_the_call_of_a_confined_command_leaves_nothing() {
    let ws = Workspace::new(&[]);
    let mark = format!("finch-mark-call-{}", std::process::id());
    let command = format!("setsid bash -c 'sleep 1000; : {mark}' & echo $TMPDIR > where; sleep 1000; : {mark}");
    let (bash, place) = (bash(), ws.root().join("where"));
    let written = async {
        while !std::fs::read_to_string(&place).is_ok_and(|text| text.ends_with('\n')) || left(&mark) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        outcome = ws.call(&bash, json!({"command": command})) => panic!("{outcome:?}"),
        () = written => {}
    }
    let began = Instant::now();
    while left(&mark) > 0 {
        assert!(began.elapsed() < Duration::from_secs(1), "H20: {} are left", left(&mark));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let temporary = PathBuf::from(std::fs::read_to_string(&place).unwrap().trim());
    gone(temporary.parent().unwrap(), Duration::from_secs(1)).await;
}

#[tokio::test]
async fn edits_that_are_reviewed_first_are_seen_and_nothing_is_written() {
    let ws = Workspace::new(&[("f", "old\n"), ("sub/gone", "x")]);
    let reviewed = Bash::reviewed(confined());
    ws.call(&crate::tools::Write, json!({"path": "new", "content": "staged\n"})).await;
    ws.call(&crate::tools::Read, json!({"path": "f"})).await;
    ws.call(&crate::tools::Edit, json!({"path": "f", "old_text": "old", "new_text": "edited"})).await;
    assert_eq!(ws.context.view.changes().paths().count(), 2);
    let command = "cat new f && echo made > made && rm sub/gone && echo x > f && ls; pwd";
    let seen = format!("staged\nedited\nf\nmade\nnew\nsub\n{}\n", ws.root().display());
    check(&ws.call(&reviewed, json!({"command": command})).await, Ok(&seen));
    assert_eq!(std::fs::read_to_string(ws.root().join("f")).unwrap(), "old\n");
    let names = ["new", "made", "sub/gone"].map(|name| ws.root().join(name).exists());
    assert_eq!(names, [false, false, true]);
    assert_eq!(ws.context.view.changes().paths().count(), 2, "they are staged still");
    let outcome = ws.call(&Bash::reviewed(Arc::new(Shell)), json!({"command": "echo x > f"})).await;
    assert!(outcome.is_error && outcome.text.contains("without a sandbox"), "{outcome:?}");
    assert_eq!(std::fs::read_to_string(ws.root().join("f")).unwrap(), "old\n");
}

/// Calls the tool with a permit that the user gave for this very call.
async fn answered(ws: &Workspace, bash: &Bash, arguments: Value) -> Outcome {
    let arguments = object(arguments);
    let access = bash.access(&arguments, &ws.context).unwrap();
    bash.call(Permit::answered_for_test(&access), arguments, &ws.context).await
}

#[tokio::test]
async fn without_a_sandbox_only_what_was_asked_about_runs() {
    let ws = Workspace::new(&[]);
    let sandbox = Arc::new(Sandbox::new(vec!["/bin/false".into()]));
    let bash = Bash::new(with(Arc::clone(&sandbox)), Arc::new(NoDocuments));
    let outcome = ws.call(&bash, json!({"command": "echo x > f"})).await;
    assert!(outcome.is_error && outcome.text.contains("there is no sandbox on this machine"), "{outcome:?}");
    assert!(!ws.root().join("f").exists());
    check(&answered(&ws, &bash, json!({"command": "echo x > f; cat f"})).await, Ok("x\n"));
    let outcome = answered(&ws, &Bash::reviewed(with(sandbox)), json!({"command": "echo x > g"})).await;
    assert!(outcome.is_error && !ws.root().join("g").exists(), "{outcome:?}");
}

#[tokio::test]
async fn a_sandbox_that_breaks_runs_nothing() {
    let ws = Workspace::new(&[]);
    for broken in ["/bin/true", "/bin/false", "/bin/cat", "/nonexistent"] {
        let sandbox = Arc::new(Sandbox::found_for_test(vec![broken.into()], Availability::Whole));
        let bash = Bash::new(with(sandbox), Arc::new(NoDocuments));
        for outcome in [
            ws.call(&bash, json!({"command": "echo x > f", "timeout_seconds": 1})).await,
            answered(&ws, &bash, json!({"command": "echo x > f", "timeout_seconds": 1})).await,
        ] {
            let told = outcome.text.contains("the command was not run") || outcome.text.contains("killed");
            assert!(outcome.is_error && told, "{broken}: {outcome:?}");
        }
    }
    assert!(!ws.root().join("f").exists());
}
