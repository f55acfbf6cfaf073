//! Commands, their output, and that nothing is left of them.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use serde_json::json;

use super::*;
use crate::{
    changes::{ChangeSet, Effect},
    tools::testing::{Workspace, assert_gone, object},
};

fn bash() -> Bash {
    Bash::new(Arc::new(Shell), Arc::new(NoDocuments))
}

#[track_caller]
fn check(outcome: &Outcome, expected: Result<&str, &str>) {
    let found = if outcome.is_error { Err(outcome.text.as_str()) } else { Ok(outcome.text.as_str()) };
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_command_gives_what_it_printed_and_how_it_ended() {
    let ws = Workspace::new(&[("sub/f", "")]);
    check(&ws.call(&bash(), json!({"command": "echo ü; echo oops >&2"})).await, Ok("ü\noops\n"));
    let mixed = "for i in 1 2 3; do echo $i; echo e$i >&2; done";
    check(&ws.call(&bash(), json!({"command": mixed})).await, Ok("1\ne1\n2\ne2\n3\ne3\n"));
    check(&ws.call(&bash(), json!({"command": "true"})).await, Ok("(it printed nothing)"));
    check(&ws.call(&bash(), json!({"command": "printf x; exit 3"})).await, Err("x\n(exit status: 3)"));
    check(&ws.call(&bash(), json!({"command": "ls", "cwd": "sub"})).await, Ok("f\n"));
    check(&ws.call(&bash(), json!({"command": "cat; read x || echo closed"})).await, Ok("closed\n"));
    check(
        &ws.call(&bash(), json!({"command": "ls", "cwd": "/"})).await,
        Err("/ is not within the workspace; a command runs there"),
    );
    check(&ws.call(&bash(), json!({"command": " "})).await, Err("the command is empty"));
    check(
        &ws.call(&bash(), json!({"command": "a", "timeout_seconds": 0})).await,
        Err("timeout_seconds goes from 1 to 1800"),
    );
}

#[tokio::test]
async fn a_command_is_permitted_as_it_is_and_where() {
    let ws = Workspace::new(&[]);
    let arguments = object(json!({"command": "touch pwned"}));
    let run = |command: &str, network| Access::Run { command: command.to_owned(), cwd: ws.root().to_owned(), network };
    assert_eq!(bash().access(&arguments, &ws.context).unwrap(), [run("touch pwned", Network::Off)]);
    for other in [run("touch pwned ", Network::Off), run("touch pwned", Network::On)] {
        let outcome = bash().call(Permit::for_test(&[other]), arguments.clone(), &ws.context).await;
        assert!(outcome.is_error && outcome.text.starts_with("nothing was done"));
    }
    assert!(!ws.root().join("pwned").exists());
}

#[tokio::test]
async fn a_command_out_of_time_is_killed_with_all_it_started() {
    let ws = Workspace::new(&[]);
    let command = "sleep 1000 & echo $! > child; setsid sh -c 'echo $$ > daemon; exec sleep 1000' & trap '' TERM; wait";
    let start = Instant::now();
    let outcome = ws.call(&bash(), json!({"command": command, "timeout_seconds": 1})).await;
    assert!(outcome.is_error && outcome.text.contains("killed after 1 s"), "{outcome:?}");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    for name in ["child", "daemon"] {
        assert_gone(&std::fs::read_to_string(ws.root().join(name)).unwrap(), Duration::from_secs(1));
    }
}

#[tokio::test]
async fn what_a_command_leaves_behind_is_killed_at_its_end() {
    let ws = Workspace::new(&[]);
    let start = Instant::now();
    check(
        &ws.call(&bash(), json!({"command": "sleep 1000 & echo $! | tee child > /dev/null; echo done"})).await,
        Ok("done\n"),
    );
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_gone(&std::fs::read_to_string(ws.root().join("child")).unwrap(), Duration::from_secs(1));
}

#[tokio::test]
async fn endless_output_is_cut_in_the_middle() {
    let ws = Workspace::new(&[]);
    let outcome = ws.call(&bash(), json!({"command": "echo first; yes ü", "timeout_seconds": 1})).await;
    assert!(outcome.text.starts_with("first\nü\n"), "{}", &outcome.text[..20]);
    assert!(outcome.text.contains("bytes left out") && outcome.text.contains("killed after 1 s"));
    assert!(outcome.text.len() < 64 * 1024, "{}", outcome.text.len());
}

#[tokio::test]
async fn a_command_sees_no_secrets() {
    struct WithSecrets;
    impl Runner for WithSecrets {
        fn prepare<'a>(&'a self, job: &'a Job) -> Preparing<'a> {
            Box::pin(async {
                let mut prepared = Shell.prepare(job).await?;
                prepared.command.env("SET_BY_RUNNER", "1");
                Ok(prepared)
            })
        }
    }
    let ws = Workspace::new(&[]);
    let bash = Bash::new(Arc::new(WithSecrets), Arc::new(NoDocuments));
    let outcome = ws.call(&bash, json!({"command": "env"})).await;
    assert!(outcome.text.contains("SET_BY_RUNNER=1\n") && outcome.text.contains("TERM=dumb\n"), "{}", outcome.text);
    let names = outcome.text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
    assert_eq!(names.filter(|name| name.contains("KEY") || name.starts_with("FINCH_")).count(), 0, "{}", outcome.text);
}

#[tokio::test]
async fn staged_edits_reach_the_files_before_a_command() {
    struct Disk(Mutex<usize>);
    impl Documents for Disk {
        fn apply<'a>(&'a self, changes: &'a ChangeSet) -> Settled<'a> {
            for effect in changes.effects() {
                let Effect::Create { path, text, .. } = effect else { panic!("{effect:?}") };
                std::fs::write(path, &*text).unwrap();
                *self.0.lock().unwrap() += 1;
            }
            Box::pin(async { Ok(()) })
        }
    }
    let ws = Workspace::new(&[]);
    let disk = Arc::new(Disk(Mutex::new(0)));
    let bash = Bash::new(Arc::new(Shell), Arc::clone(&disk) as _);
    ws.call(&crate::tools::Write, json!({"path": "f", "content": "staged\n"})).await;
    check(&ws.call(&bash, json!({"command": "cat f"})).await, Ok("staged\n"));
    check(&ws.call(&bash, json!({"command": "cat f"})).await, Ok("staged\n"));
    assert_eq!(*disk.0.lock().unwrap(), 1);
    assert!(ws.context.view.changes().is_empty());
    ws.call(&crate::tools::Write, json!({"path": "g", "content": "x"})).await;
    let outcome = ws.call(&super::Bash::new(Arc::new(Shell), Arc::new(NoDocuments)), json!({"command": "ls"})).await;
    assert!(outcome.is_error && outcome.text.contains("no editor that could apply them"), "{outcome:?}");
}
