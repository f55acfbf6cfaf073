//! What the agent lets its user wait for at an editor: a question after the model's call, the undoing of a large turn, the
//! code actions of a long file.
//!
//! `finch lsp` as it is, with a scripted model on this machine and an editor that keeps documents and saves. Each figure
//! stands beside what it has to stay below.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::scripted::{Kind, Reply, Scripted};
use crate::text_editor::{TextEditor, uri_of};

const QUESTIONS: usize = 20;
const QUESTION_GOAL: Duration = Duration::from_millis(50);

const FILES: usize = 200;
const LINES_OF_A_FILE: usize = 200;
const UNDOINGS: usize = 5;
const UNDO_GOAL: Duration = Duration::from_secs(1);

const LONG_FILE_LINES: usize = 10_000;
const ACTIONS: usize = 2_000;
const ACTION_GOAL: Duration = Duration::from_millis(5);

const WRITES: &str = "[[rules]]\nverdict = \"allow\"\nwrite = \"**\"\n";

pub(crate) fn print() -> Result<()> {
    let command = |number: usize| Reply::call("Bash", &json!({"command": format!("touch file{number}")}));
    questions("to run a command", command)?;
    let edit = |number: usize| {
        let new = format!("line 5 of file 0, for the {number}th time");
        Reply::call("Edit", &json!({"path": "src/part0.txt", "old_text": "line 5 of file 0", "new_text": new}))
    };
    questions("to change a file", edit)?;
    undoings()?;
    actions()
}

/// A folder with files, and what is finch's own beside it.
struct Place {
    folder: tempfile::TempDir,
    home: tempfile::TempDir,
}

impl Place {
    fn new(rules: &str) -> Result<Self> {
        let place = Self { folder: tempfile::tempdir()?, home: tempfile::tempdir()? };
        std::fs::write(place.home.path().join("permissions.toml"), rules)?;
        std::fs::create_dir_all(place.workspace()?.join("src"))?;
        std::fs::create_dir_all(place.workspace()?.join(".git"))?;
        (0..FILES)
            .try_for_each(|file| std::fs::write(place.file(file)?, text(file)).context("a file cannot be made"))?;
        Ok(place)
    }

    fn workspace(&self) -> Result<std::path::PathBuf> {
        Ok(self.folder.path().canonicalize()?)
    }

    fn file(&self, number: usize) -> Result<std::path::PathBuf> {
        Ok(self.workspace()?.join(name(number)))
    }

    fn editor(&self) -> Result<TextEditor> {
        let mut finch = Command::new(env!("CARGO_BIN_EXE_finch"));
        finch.env("FINCH_HOME", self.home.path());
        Ok(TextEditor::start(&mut finch, &self.workspace()?))
    }
}

fn name(number: usize) -> String {
    format!("src/part{number}.txt")
}

fn text(number: usize) -> String {
    (1..=LINES_OF_A_FILE).map(|line| format!("line {line} of file {number}\n")).collect()
}

/// From the moment in which the model begins to say its call, until the editor has the question.
fn questions(what: &str, call: impl Fn(usize) -> Reply + Send + 'static) -> Result<()> {
    let place = Place::new("")?;
    let called: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let said = Arc::clone(&called);
    let model = Scripted::start(move |request| {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if request.kind != Kind::Work || said.len() == QUESTIONS {
            return otherwise(request.kind);
        }
        let reply = call(said.len());
        said.push(Instant::now());
        reply
    });
    model.configure(place.home.path());
    let mut editor = place.editor()?;
    let turn = editor.plan_and_approve("Do it.");
    let ended = editor.ended(&turn);
    ensure!(ended["outcome"] == "done", "{ended}");
    let asked = editor.seen.iter().filter(|(_, message)| message["method"] == "finch/approve").map(|(at, _)| *at);
    let called = called.lock().unwrap_or_else(PoisonError::into_inner);
    let times: Vec<Duration> = asked.zip(called.iter()).map(|(asked, called)| asked - *called).collect();
    ensure!(times.len() == QUESTIONS, "{} questions", times.len());
    report(&format!("a question whether {what} is permitted, after the model's call"), times, QUESTION_GOAL, 100);
    Ok(())
}

/// What the model says when it does not work: a plan of one step, and nothing against it.
fn otherwise(kind: Kind) -> Reply {
    match kind {
        Kind::Draft => {
            let step = json!({"title": "Do it", "what": "Do it.", "files": [name(0)], "check": "true"});
            Reply::json(&json!({"steps": [step]}))
        }
        Kind::Critique(_) => Reply::no_findings(),
        Kind::Reading | Kind::Work | Kind::Summary | Kind::Other => Reply::Text("Done.".to_owned()),
    }
}

/// From the command to the last event, when the documents and the disk are as before.
fn undoings() -> Result<()> {
    let place = Place::new(WRITES)?;
    let model = Scripted::start(move |request| match request.kind {
        Kind::Work if request.results().is_empty() => Reply::call("Edit", &json!({"patch": patch()})),
        kind => otherwise(kind),
    });
    model.configure(place.home.path());
    let mut times = Vec::new();
    for _ in 0..UNDOINGS {
        let mut editor = place.editor()?;
        let turn = editor.plan_and_approve("Do it.");
        let ended = editor.ended(&turn);
        ensure!(ended["outcome"] == "done" && changed(&place)? == FILES, "{} files: {ended}", changed(&place)?);
        let begun = Instant::now();
        editor.seen.clear();
        let undoing = editor.command("finch.undoTurn", json!({ "turn": turn }));
        let ended = editor.ended(&undoing);
        times.push(begun.elapsed());
        ensure!(ended["outcome"] == "done" && changed(&place)? == 0, "{} files: {ended}", changed(&place)?);
    }
    report(&format!("undoing a turn that changed {FILES} files"), times, UNDO_GOAL, 100);
    Ok(())
}

/// A change in two places of every file.
fn patch() -> String {
    let hunk = |file: usize, line: usize| {
        let of = |line: usize| format!("line {line} of file {file}");
        let (before, now, after) = (of(line - 1), of(line), of(line + 1));
        format!("@@ -{},3 +{},3 @@\n {before}\n-{now}\n+{now}, changed\n {after}\n", line - 1, line - 1)
    };
    let of_file = |file: usize| {
        let name = name(file);
        format!("--- a/{name}\n+++ b/{name}\n{}{}", hunk(file, 20), hunk(file, 150))
    };
    (0..FILES).map(of_file).collect()
}

fn changed(place: &Place) -> Result<usize> {
    let mut changed = 0;
    for file in 0..FILES {
        changed += usize::from(std::fs::read_to_string(place.file(file)?)? != text(file));
    }
    Ok(changed)
}

/// A request and its answer, in places all over the file: with nothing selected, with lines selected, on a diagnostic.
fn actions() -> Result<()> {
    let place = Place::new("")?;
    let mut editor = place.editor()?;
    let uri = uri_of(&Path::new(&place.workspace()?).join("long.rs"));
    editor.open(&uri, &code());
    let mut times = Vec::new();
    for number in 0..ACTIONS {
        let line = number * 7_919 % LONG_FILE_LINES;
        let at = |line: usize| json!({"line": line, "character": 4});
        let (end, diagnostics) = match number % 3 {
            0 => (line, json!([])),
            1 => (line + 12, json!([])),
            _ => (line, json!([{"range": {"start": at(line), "end": at(line)}, "message": "it is wrong"}])),
        };
        let range = json!({"start": at(line), "end": at(end)});
        let params = json!({"textDocument": {"uri": uri}, "range": range, "context": {"diagnostics": diagnostics}});
        let begun = Instant::now();
        let answer: Value = editor.request("textDocument/codeAction", params);
        times.push(begun.elapsed());
        ensure!(answer["result"].as_array().is_some_and(|actions| !actions.is_empty()), "{answer}");
    }
    report(&format!("code actions in a file of {LONG_FILE_LINES} lines"), times, ACTION_GOAL, 99);
    Ok(())
}

/// Functions of twenty lines, some with something to be done.
fn code() -> String {
    let line = |number: usize| match number % 20 {
        0 => format!("pub fn step{number}(rest: u64) -> u64 {{\n"),
        7 => format!("    // TODO: think of overflow {number}\n"),
        18 => "    rest\n}\n".to_owned(),
        19 => "\n".to_owned(),
        _ => format!("    let rest = rest + {number};\n"),
    };
    (0..LONG_FILE_LINES).map(line).collect()
}

/// The figure is the one at this percentage: the worst at 100.
fn report(what: &str, mut times: Vec<Duration>, goal: Duration, percent: usize) {
    times.sort();
    let (count, ms) = (times.len(), |time: Duration| time.as_secs_f64() * 1e3);
    let high = times[(count * percent / 100).min(count - 1)];
    let name = if percent == 100 { format!("worst of {count}") } else { format!("p{percent} of {count}") };
    println!(
        "{what}: median {:.1} ms, {name} {:.1} ms; the goal is {:.0} ms",
        ms(times[count / 2]),
        ms(high),
        ms(goal)
    );
}
