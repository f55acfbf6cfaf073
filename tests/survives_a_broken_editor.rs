//! The agent at work when something around it breaks: the editor goes, is killed or stops reading, finch gets a signal. What
//! it started ends with it, files are whole, and a plan can be gone on with.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::attack::rig::Rig;
use crate::support::attack::{Put, ROW, Row};
use crate::support::finch::{command, said};
use crate::support::scripted::{Kind, Reply, Scripted};
use crate::support::text_editor::{TextEditor, uri_of};

const GONE_WITHIN: Duration = Duration::from_secs(2);
const GROWTH_MAX_MIB: u64 = 64;
const POLL_PAUSE: Duration = Duration::from_millis(5);
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Goes on for long, with somebody in the background who does not want to end.
const LONG: &str = "(trap '' TERM HUP INT; sleep 301) &\nsetsid sleep 302 &\nsleep 303";

fn rig(script: &'static str) -> Arc<Rig> {
    let files: &[Put] = Box::leak(Box::new([Put::Script("act.sh", script)]));
    Arc::new(Rig::new(&Row { files, ..ROW }))
}

#[track_caller]
fn wait_until(there: impl Fn() -> bool) {
    let end = Instant::now() + WAIT_MAX;
    while !there() {
        assert!(Instant::now() < end, "it does not come to pass");
        std::thread::sleep(POLL_PAUSE);
    }
}

/// A model that plans one step and does these things in it, one an answer.
fn model(rig: &Rig, work: Vec<Reply>) -> Scripted {
    let mut work = work.into_iter();
    let server = Scripted::start(move |request| match request.kind {
        Kind::Work => work.next().unwrap_or_else(|| Reply::Text("Done.".to_owned())),
        Kind::Draft => Reply::json(&json!({"steps": [step()]})),
        Kind::Critique(_) => Reply::no_findings(),
        Kind::Reading | Kind::Summary | Kind::Other => Reply::Text("Nothing.".to_owned()),
    });
    server.configure(&rig.finch_home());
    server
}

fn step() -> Value {
    json!({"title": "Do it", "what": "Do it.", "files": ["f"], "check": "true"})
}

fn act() -> Reply {
    Reply::call("Bash", &json!({"command": "bash act.sh"}))
}

fn finch(rig: &Rig) -> Command {
    let mut finch = command(&rig.finch_home());
    finch.current_dir(rig.workspace()).env("HOME", rig.user_home()).stderr(Stdio::null());
    finch
}

/// An editor in whose session the agent runs the long command.
fn editor_at_work(rig: &Rig, process: u32) -> TextEditor {
    let mut editor = TextEditor::of_process(&mut finch(rig), &rig.workspace(), process);
    let f = uri_of(&rig.workspace().join("f"));
    editor.open(&f, "x in a file\n");
    editor.plan_and_approve("Do it.");
    wait_until(|| sleeping(rig) >= 3);
    editor
}

/// How many of the long command's processes are there.
fn sleeping(rig: &Rig) -> usize {
    rig.processes().iter().filter(|(_, line)| line.starts_with("sleep 30")).count()
}

fn send(signal: &str, process: u32) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

#[track_caller]
fn gone_in_time(rig: &Rig, ended: Instant, what: &str) {
    while !rig.processes().is_empty() {
        assert!(ended.elapsed() < GONE_WITHIN, "{what}: still there: {:?}", rig.processes());
        std::thread::sleep(POLL_PAUSE);
    }
}

/// H20
#[test]
fn an_editor_that_closes_its_end_ends_the_agents_command() {
    let rig = rig(LONG);
    let _model = model(&rig, vec![act()]);
    let mut editor = editor_at_work(&rig, std::process::id());
    let ended = Instant::now();
    let (_, lived_on) = editor.client.close_input();
    assert!(lived_on < GONE_WITHIN, "{lived_on:?}");
    gone_in_time(&rig, ended, "closed");
}

/// H20: the pipes stay open, as when somebody else has inherited them, and nobody reads them.
#[test]
fn an_editor_that_is_killed_ends_the_agents_command() {
    for reads in [true, false] {
        let rig = rig(LONG);
        let _model = model(&rig, vec![act()]);
        let mut process =
            Command::new("sleep").arg("1000").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut editor = editor_at_work(&rig, process.id());
        let reading = editor.client.reading();
        let guard = (!reads).then(|| reading.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = Instant::now();
        process.kill().unwrap();
        let (_, lived_on) = editor.client.wait();
        process.wait().unwrap();
        assert!(lived_on < GONE_WITHIN, "reads: {reads}: {lived_on:?}");
        gone_in_time(&rig, ended, "killed");
        drop(guard);
    }
}

/// H20: of finch itself nothing is left that could tidy up.
#[test]
fn a_server_that_is_killed_leaves_no_command() {
    let rig = rig(LONG);
    let _model = model(&rig, vec![act()]);
    let mut editor = editor_at_work(&rig, std::process::id());
    let ended = Instant::now();
    send("-KILL", editor.client.id());
    editor.client.wait();
    gone_in_time(&rig, ended, "killed");
}

fn resident_mib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// H21
#[test]
fn an_editor_that_reads_nothing_while_a_turn_streams_costs_little_and_goes_on_afterwards() {
    const ROUNDS: usize = 6;
    let rig = rig("for i in $(seq 200000); do echo \"line $i of what a command has to say, again and again\"; done");
    let is_stopped = Arc::new(AtomicBool::new(false));
    let (mut round, waits_for) = (0, Arc::clone(&is_stopped));
    let long = "A word and another. ".repeat(200_000);
    let server = Scripted::start(move |request| match request.kind {
        Kind::Work if round < ROUNDS => {
            wait_until(|| waits_for.load(Ordering::Relaxed));
            round += 1;
            // No call is like the one before, which would end the turn.
            Reply::call("Bash", &json!({"command": format!("echo {round} && bash act.sh")}))
        }
        Kind::Work => Reply::Text(long.clone()),
        Kind::Draft => Reply::json(&json!({"steps": [step()]})),
        Kind::Critique(_) => Reply::no_findings(),
        Kind::Reading | Kind::Summary | Kind::Other => Reply::Text("Nothing.".to_owned()),
    });
    server.configure(&rig.finch_home());
    let mut editor = TextEditor::start(&mut finch(&rig), &rig.workspace());
    let notes = uri_of(&rig.workspace().join("notes"));
    editor.open(&notes, "Do it.\n");
    let turn = editor.plan_and_approve("Do it.");
    let work = || server.requests().iter().filter(|request| request.kind == Kind::Work).count();
    wait_until(|| work() > 0);
    let reading = editor.client.reading();
    let guard = reading.lock().unwrap_or_else(PoisonError::into_inner);
    let (before, process) = (resident_mib(editor.client.id()), editor.client.id());
    is_stopped.store(true, Ordering::Relaxed);
    let mut most = before;
    let end = Instant::now() + WAIT_MAX;
    let mut still = Instant::now();
    let mut asked = 0;
    // Until the turn is through, or waits for its reader.
    while asked <= ROUNDS && still.elapsed() < Duration::from_secs(8) && Instant::now() < end {
        most = most.max(resident_mib(process));
        let now = work();
        if now != asked {
            (asked, still) = (now, Instant::now());
        }
        std::thread::sleep(POLL_PAUSE);
    }
    drop(guard);
    println!("H21: {asked} answers of the model were asked for, {} MiB more", most - before);
    let ended = editor.ended(&turn);
    assert_eq!(ended["outcome"], "done", "{ended}");
    assert!(most - before < GROWTH_MAX_MIB, "{before} MiB, then {most} MiB");
    assert!(editor.request("finch/status", Value::Null)["result"].is_object());
    assert!(editor.client.close_input().1 < GONE_WITHIN);
}

/// `finch plan --approve`, or with the plan that is there.
fn plan(rig: &Rig, path: Option<&PathBuf>) -> Command {
    let mut finch = finch(rig);
    finch.arg("plan");
    match path {
        Some(path) => finch.arg("--plan").arg(path),
        None => finch.arg("Do it."),
    };
    finch.arg("--approve");
    finch
}

fn plan_file(rig: &Rig) -> PathBuf {
    let folders = std::fs::read_dir(rig.finch_home().join("plans")).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.filter(|path| path.is_dir()).flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut files =
        files.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|it| it == "md"));
    files.next().unwrap()
}

#[track_caller]
fn end_of(child: &mut Child, signal: &str) -> ExitStatus {
    let begun = Instant::now();
    send(signal, child.id());
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(begun.elapsed() < GONE_WITHIN, "{signal}: it goes on");
        std::thread::sleep(POLL_PAUSE);
    }
}

const SIGNALS: [&str; 3] = ["-TERM", "-INT", "-HUP"];

/// H41
#[test]
fn a_signal_during_a_step_ends_the_command_and_the_plan_is_gone_on_with() {
    for signal in SIGNALS {
        let rig = rig(LONG);
        let server = model(&rig, vec![act()]);
        let mut child = plan(&rig, None).stdout(Stdio::null()).spawn().unwrap();
        wait_until(|| sleeping(&rig) >= 3);
        let ended = Instant::now();
        let status = end_of(&mut child, signal);
        assert!(!status.success(), "{signal}: {status}");
        gone_in_time(&rig, ended, signal);
        let path = plan_file(&rig);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("## 1. [ ] Do it"), "{signal}: {text}");
        let edit = Reply::call("Edit", &json!({"path": "f", "old_text": "x in a file", "new_text": "done"}));
        drop(server);
        let _again = model(&rig, vec![edit]);
        let ran = said(&mut plan(&rig, Some(&path)));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(ran.code == 0 && text.contains("## 1. [x] Do it"), "{signal}: {} {text}", ran.out);
        assert_eq!(std::fs::read_to_string(rig.workspace().join("f")).unwrap(), "done\n", "{signal}");
    }
}

const FILES: usize = 200;

fn line(file: usize, is_new: bool) -> String {
    format!("{} {file}\n", if is_new { "new" } else { "old" })
}

/// Long, so that a part of it would be seen.
fn whole(file: usize, is_new: bool) -> String {
    line(file, is_new) + &"the rest of it\n".repeat(5_000)
}

fn patch() -> String {
    let of_file = |file: usize| {
        let (old, new) = (line(file, false), line(file, true));
        format!("--- a/src/{file}\n+++ b/src/{file}\n@@ -1,2 +1,2 @@\n-{old}+{new} the rest of it\n")
    };
    (0..FILES).map(of_file).collect()
}

/// H41
#[test]
fn a_signal_while_edits_are_written_leaves_every_file_whole() {
    for signal in SIGNALS {
        let rig = rig("true");
        let folder = rig.workspace().join("src");
        std::fs::create_dir(&folder).unwrap();
        (0..FILES).for_each(|file| std::fs::write(folder.join(file.to_string()), whole(file, false)).unwrap());
        let _model = model(&rig, vec![Reply::call("Edit", &json!({"patch": patch()}))]);
        let mut child = plan(&rig, None).stdout(Stdio::null()).spawn().unwrap();
        let is_new = |file: usize| {
            let text = std::fs::read_to_string(folder.join(file.to_string())).unwrap();
            assert!(text == whole(file, false) || text == whole(file, true), "{signal}: {file} is not whole");
            text == whole(file, true)
        };
        wait_until(|| is_new(0) || is_new(FILES - 1) || child_has_ended(&rig));
        end_of(&mut child, signal);
        let changed = (0..FILES).filter(|file| is_new(*file)).count();
        println!("H41: {signal}: {changed} of {FILES} files were written");
        let names: BTreeSet<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, (0..FILES).map(|file| file.to_string().into()).collect(), "{signal}");
    }
}

fn child_has_ended(rig: &Rig) -> bool {
    rig.processes().is_empty()
}
