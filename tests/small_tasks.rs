//! The small projects with a bug each are what they say: broken before the scripted work, whole after it, and as before
//! when it is undone.

use std::collections::BTreeSet;

use finch_agent::plan::Plan;
use serde_json::{Value, json};

use crate::support::finch::{command, said};
use crate::support::scripted::{Kind, Reply, Scripted};
use crate::support::tasks::{SmallTask, tree};
use crate::support::undo::undo;
use crate::support::workbench::{Workbench, allow};

#[test]
fn there_are_twenty_and_they_use_every_form_of_a_call() {
    let tasks = SmallTask::all();
    let rust = tasks.iter().filter(|task| task.is_rust()).count();
    assert_eq!((tasks.len() - rust, rust), (12, 8));
    let mut forms = BTreeSet::new();
    for call in tasks.iter().flat_map(|task| (1..=task.steps.len()).flat_map(|step| task.calls(step))) {
        forms.insert(call.tool.as_str());
        let patch = call.arguments.get("patch").map(|patch| patch.as_str().unwrap());
        let has = |mark: &str| patch.is_some_and(|patch| patch.contains(mark));
        let of = [
            ("exact", call.arguments.contains_key("old_text")),
            ("everywhere", call.arguments.contains_key("replace_all")),
            ("patch", patch.is_some()),
            ("patch of two files", patch.is_some_and(|patch| patch.matches("\n+++ ").count() > 1)),
            ("removed", has("+++ /dev/null")),
            ("renamed", has("rename to")),
            ("failing command", call.fails),
        ];
        forms.extend(of.into_iter().filter(|(_, is_so)| *is_so).map(|(form, _)| form));
    }
    let expected = [
        "Bash",
        "Edit",
        "Glob",
        "Grep",
        "Read",
        "Write",
        "everywhere",
        "exact",
        "failing command",
        "patch",
        "patch of two files",
        "removed",
        "renamed",
    ];
    assert_eq!(forms.into_iter().collect::<Vec<_>>(), expected);
}

/// The work of a task by finch's own tools, step by step with the checks, and its undoing.
async fn check(task: &SmallTask) {
    let (name, place) = (task.name(), tempfile::tempdir().unwrap());
    let plan = Plan::from_answer(&task.task, &task.plan()).unwrap();
    let read_back = Plan::from_markdown(&plan.to_markdown());
    assert_eq!(read_back.as_ref(), Ok(&plan), "{name}: the plan is another one in its file");
    let (workspace, home) = (place.path().join("ws"), place.path().join("home"));
    task.copy_to(&workspace);
    std::fs::create_dir(&home).unwrap();
    allow(&home, &task.commands());
    let before = tree(&workspace);
    let bench = Workbench::new(&workspace, &home);
    let broken = bench.run(&task.check).await;
    assert!(broken.is_error && !broken.text.contains("not permitted"), "{name} is not broken: {}", broken.text);
    for (number, step) in (1..).zip(&task.steps) {
        let red = bench.run(&step.check).await;
        assert!(red.is_error && !red.text.contains("not permitted"), "{name}: {}: {}", step.title, red.text);
        for call in task.calls(number) {
            let outcome = bench.call(&call.tool, &call.arguments).await;
            assert_eq!(outcome.is_error, call.fails, "{name}: {call:?}: {}", outcome.text);
        }
        let green = bench.run(&step.check).await;
        assert!(!green.is_error, "{name}: {}: {}", step.title, green.text);
    }
    let whole = bench.run(&task.check).await;
    assert!(!whole.is_error, "{name}: {}", whole.text);
    assert_ne!(tree(&workspace), before, "{name}: nothing has changed");
    bench.undo().await;
    assert_eq!(tree(&workspace), before, "{name}: it is not undone");
    println!("{name}: {}", task.title);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_tasks_can_be_done_and_undone() {
    for task in SmallTask::all().iter().filter(|task| !task.is_rust()) {
        check(task).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rust_tasks_can_be_done_and_undone() {
    for task in SmallTask::all().iter().filter(|task| task.is_rust()) {
        check(task).await;
    }
}

#[test]
fn a_scripted_model_plans_each_of_them() {
    for task in SmallTask::all() {
        let (name, place) = (task.name(), tempfile::tempdir().unwrap());
        let (workspace, home) = (place.path().join("ws"), place.path().join("home"));
        task.copy_to(&workspace);
        std::fs::create_dir(&home).unwrap();
        let before = tree(&workspace);
        Scripted::start(task.script()).configure(&home);
        let ran = said(command(&home).args(["plan", &task.task, "--json"]).current_dir(&workspace));
        assert_eq!(ran.code, 0, "{name}: {}", ran.err);
        let plan: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((&plan["outcome"], &plan["task"]), (&"settled".into(), &task.task.as_str().into()), "{name}");
        let page = std::fs::read_to_string(plan["path"].as_str().unwrap()).unwrap();
        assert_eq!(Plan::from_markdown(&page), Plan::from_answer(&task.task, &task.plan()), "{name}");
        assert_eq!(tree(&workspace), before, "{name}: planning changed it");
    }
}

/// What a user does: a task in words, the plan approved, every effect by a rule; the tests pass, and it is taken back.
async fn carry_out(task: &SmallTask) -> Result<(), String> {
    let place = tempfile::tempdir().unwrap();
    let (workspace, home) = (place.path().join("ws"), place.path().join("home"));
    task.copy_to(&workspace);
    std::fs::create_dir(&home).unwrap();
    allow(&home, &task.commands());
    let before = tree(&workspace);
    Scripted::start(task.script()).configure(&home);
    let mut finch = command(&home);
    finch.args(["plan", &task.task, "--approve", "--json"]).current_dir(&workspace);
    let ran = tokio::task::spawn_blocking(move || said(&mut finch)).await.unwrap();
    let report: Value = serde_json::from_str(&ran.out).map_err(|error| format!("{error}: {}", ran.err))?;
    let page = std::fs::read_to_string(report["path"].as_str().unwrap()).unwrap();
    let is_ticked = Plan::from_markdown(&page).is_ok_and(|plan| plan.steps.iter().all(|step| step.is_done));
    if (ran.code, &report["work"]["ended"]) != (0, &"done".into()) || !is_ticked {
        return Err(format!("{}: {}", report["work"], ran.err));
    }
    let whole = Workbench::new(&workspace, &home).run(&task.check).await;
    if whole.is_error {
        return Err(format!("its check fails: {}", whole.text));
    }
    let changed = tree(&workspace);
    let paths = undo(&workspace, &home).await;
    if tree(&workspace) != before || changed == before {
        return Err(format!("it is not taken back: {paths:?}"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn finch_plans_does_checks_and_takes_back_each_of_them() {
    let (tasks, mut problems) = (SmallTask::all(), Vec::new());
    for task in &tasks {
        let done = carry_out(task).await;
        println!("{}: {}", task.name(), if done.is_ok() { "done and taken back" } else { "FAILED" });
        problems.extend(done.err().map(|problem| format!("{}: {problem}", task.name())));
    }
    println!("{} of {} tasks are done and taken back", tasks.len() - problems.len(), tasks.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_removed_comes_back_in_its_encoding() {
    let place = tempfile::tempdir().unwrap();
    let (workspace, home) = (place.path().join("ws"), place.path().join("home"));
    std::fs::create_dir_all(workspace.join(".git")).unwrap();
    std::fs::create_dir(&home).unwrap();
    let utf16 = "\u{feff}Grüße 🌞\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    std::fs::write(workspace.join("wide.txt"), utf16).unwrap();
    std::fs::write(workspace.join("marked.txt"), "\u{feff}a\n").unwrap();
    allow(&home, &[]);
    let before = tree(&workspace);
    let patch = "--- a/wide.txt\n+++ /dev/null\n--- a/marked.txt\n+++ /dev/null\n";
    let mut work = vec![Reply::Text("Done.".to_owned()), Reply::call("Edit", &json!({"patch": patch}))];
    let server = Scripted::start(move |request| match request.kind {
        Kind::Draft => Reply::json(&json!({"steps": [{"title": "t", "what": "w", "files": [], "check": "true"}]})),
        Kind::Critique(_) => Reply::no_findings(),
        Kind::Work => work.pop().unwrap(),
        Kind::Reading | Kind::Summary | Kind::Other => Reply::Text("Two files.".to_owned()),
    });
    server.configure(&home);
    let mut finch = command(&home);
    finch.args(["plan", "Remove both.", "--approve"]).current_dir(&workspace);
    let ran = tokio::task::spawn_blocking(move || said(&mut finch)).await.unwrap();
    assert_eq!((ran.code, tree(&workspace).len()), (0, 0), "{}", ran.err);
    undo(&workspace, &home).await;
    assert_eq!(tree(&workspace), before);
}
