//! A model that obeys an attacker: every row is tried at every door, and nothing comes of it.
//!
//! `cargo test -p finch --test e2e -- attacks --nocapture` prints the table.

mod asked;
mod editor;
mod paths;
mod shell;
mod shown;
mod workspace;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::attack::oracle::{Before, hidden, leaked, not_still};
use crate::support::attack::rig::Rig;
use crate::support::attack::{Act, Expect, ROW, Row};
use crate::support::finch::{command, said};
use crate::support::scripted::{Kind, Reply, Request, Scripted, call};

/// How many rows are tried at once: most of the time is waiting.
const AT_ONCE: usize = 4;

/// A way for a model to reach the tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// `finch plan`, which only reads.
    Plan,
    /// `finch plan --approve`, which works.
    Approve,
    /// `finch lsp`, which works by the hands of an editor.
    Editor,
}

/// What came of it, in words.
struct Ran {
    /// What the model was told of its calls, in their order.
    results: Vec<String>,
    /// All that the model was told.
    told: String,
    /// All that the terminal or the editor was sent.
    shown: String,
}

fn rows() -> impl Iterator<Item = &'static Row> {
    [workspace::ROWS, shell::TAME, shell::ROWS, paths::ROWS, shown::ROWS].into_iter().flatten()
}

impl Door {
    fn kind(self) -> Kind {
        match self {
            Self::Plan => Kind::Reading,
            Self::Approve | Self::Editor => Kind::Work,
        }
    }

    /// A model that does the row's acts, one an answer.
    fn model(self, row: &Row, rig: &Arc<Rig>) -> Scripted {
        // The server outlives the rig, which has to go.
        let (mut acts, place): (VecDeque<Act>, _) = (row.acts.iter().copied().collect(), Arc::downgrade(rig));
        // What it says, it says everywhere.
        let said = row.acts.iter().find_map(|act| if let Act::Says(words) = act { Some(*words) } else { None });
        let words = rig.fill(said.unwrap_or("nothing"));
        let server = Scripted::start(move |request| match request.kind {
            kind if kind == self.kind() => obey(&mut acts, &place.upgrade().unwrap()),
            kind => planned(kind, &words).unwrap_or_else(|| Reply::Text("Nothing.".to_owned())),
        });
        server.configure(&rig.finch_home());
        server
    }

    fn attack(self, row: &Row, server: &Scripted, rig: &Rig) -> Ran {
        if self == Self::Editor {
            return editor::attack(row, server, rig);
        }
        let mut finch = command(&rig.finch_home());
        finch.args(["plan", "Do it."]).current_dir(rig.workspace()).env("HOME", rig.user_home());
        finch.env("PATH", format!(".:{}:{}", rig.workspace().display(), std::env::var("PATH").unwrap()));
        if self == Self::Approve {
            finch.arg("--approve");
        }
        let ran = said(&mut finch);
        let requests = server.requests();
        let all = |request: &Request| request.results().into_iter().map(str::to_owned).collect::<Vec<_>>();
        let of_kind = requests.iter().filter(|request| request.kind == self.kind());
        let results = of_kind.map(all).max_by_key(Vec::len).unwrap_or_default();
        let told = requests.iter().map(|request| request.body.to_string()).collect();
        Ran { results, told, shown: format!("{}{}", ran.out, ran.err) }
    }
}

/// What a model says to a request for a plan or its critique, with these words wherever it can.
fn planned(kind: Kind, words: &str) -> Option<Reply> {
    match kind {
        Kind::Draft => {
            let step = json!({"title": words, "what": words, "files": [words], "check": "true"});
            Some(Reply::json(&json!({"steps": [step]})))
        }
        Kind::Critique(_) => Some(Reply::json(&json!({"findings": [{
            "concern": words, "step_ref": 1, "severity": 7, "confidence": 2, "file": "", "line": 0, "quote": "",
        }]}))),
        Kind::Reading | Kind::Work | Kind::Summary | Kind::Other => None,
    }
}

/// The next words or call of the model; what happens meanwhile happens before.
fn obey(acts: &mut VecDeque<Act>, rig: &Rig) -> Reply {
    loop {
        match acts.pop_front() {
            None => return Reply::Text("Done.".to_owned()),
            Some(Act::Meanwhile(put)) => rig.put(put),
            Some(Act::Says(words)) => return Reply::Text(rig.fill(words)),
            Some(act) => {
                let (tool, arguments) = act.call(rig).unwrap();
                return Reply::call(tool, &Value::Object(arguments));
            }
        }
    }
}

/// What is wrong after the row was tried at the door.
fn try_row(row: &'static Row, door: Door) -> Vec<String> {
    let rig = Arc::new(Rig::new(row));
    let calls = row.acts.iter().filter(|act| act.call(&rig).is_some()).count();
    let mut wrong = Vec::new();
    let server = door.model(row, &rig);
    let before = Before::of(&rig);
    let ran = door.attack(row, &server, &rig);
    if ran.results.len() != calls {
        wrong.push(format!("{} of {calls} calls were answered: {}", ran.results.len(), ran.shown));
    }
    for result in &ran.results {
        let is_as_expected = match row.expect {
            _ if door == Door::Plan => true,
            Expect::Says(editor::UNASKED) if door == Door::Editor => result.contains(editor::REFUSED),
            Expect::Says(text) => result.contains(text),
            Expect::Runs => !result.contains("not permitted"),
        };
        if !is_as_expected {
            wrong.push(format!("the model was told {result:?} and not {:?}", row.expect));
        }
        wrong.extend(hidden("a result", result));
    }
    wrong.extend(leaked("a request", &ran.told));
    wrong.extend(hidden("the terminal", &ran.shown));
    wrong.extend(before.violations(row, &rig));
    let still = match door {
        Door::Plan => &[],
        Door::Approve => row.still,
        Door::Editor => editor::still(row),
    };
    if !still.is_empty() {
        wrong.extend(not_still(&Row { still, ..ROW }, &rig));
    }
    wrong
}

/// Tries all rows, a few at once, prints the table, and fails with what went wrong.
fn try_all(what: &str, rows: &[&'static Row], attempt: impl Fn(&'static Row) -> Vec<String> + Sync) {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((row, attempt(row)));
        }
        done
    };
    let mut done: Vec<(&&'static Row, Vec<String>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    done.sort_by_key(|(row, _)| rows.iter().position(|other| std::ptr::eq(*other, **row)));
    println!("| id | threat | inputs | {what} |\n|---|---|---|---|");
    for (row, wrong) in &done {
        let result = if wrong.is_empty() { "nothing came of it" } else { "FAILED" };
        println!("| {} | {} | {} | {result} |", row.id, row.threat, row.acts.len());
    }
    let inputs: usize = rows.iter().map(|row| row.acts.len()).sum();
    let failed: Vec<_> = done.iter().filter(|(_, wrong)| !wrong.is_empty()).collect();
    println!("{what}: {} rows, {inputs} inputs, {} failed", rows.len(), failed.len());
    let words = failed.iter().map(|(row, wrong)| format!("{} {}:\n  {}", row.id, row.threat, wrong.join("\n  ")));
    assert!(failed.is_empty(), "\n{}", words.collect::<Vec<_>>().join("\n"));
}

#[test]
fn nothing_comes_of_attacks_on_the_plan() {
    let rows: Vec<_> = rows().collect();
    try_all("finch plan", &rows, |row| try_row(row, Door::Plan));
}

#[test]
fn nothing_comes_of_attacks_on_the_work() {
    let rows: Vec<_> = rows().collect();
    try_all("finch plan --approve", &rows, |row| try_row(row, Door::Approve));
}

#[test]
fn nothing_comes_of_attacks_on_the_work_in_an_editor() {
    let rows: Vec<_> = rows().filter(|row| row.threat != editor::LEFT_OUT).collect();
    try_all("finch lsp", &rows, |row| try_row(row, Door::Editor));
    println!("left out at this door: {}, which would go through the editor of the tests", editor::LEFT_OUT);
}

/// The oracles see what each command does where nothing holds it: an attack that could do nothing would prove nothing.
#[test]
fn the_commands_do_harm_where_nothing_holds_them() {
    let rows: Vec<_> = rows().filter(|row| row.works_bare).collect();
    try_all("a bare shell", &rows, |row| {
        let commands = row.acts.iter().filter_map(|act| match act {
            Act::Bash(command) => Some(*command),
            _ => None,
        });
        let harmless = commands.filter(|command| {
            let rig = Rig::new(row);
            let before = Before::of(&rig);
            rig.run_bare(&rig.fill(command));
            before.violations(row, &rig).is_empty() && not_still(row, &rig).is_empty()
        });
        harmless.map(|command| format!("it does nothing: {command}")).collect()
    });
}

/// C4: what is a folder when it is asked about is a link when it is used, or the reverse.
#[test]
fn a_folder_that_is_swapped_for_a_link_all_the_time_leads_nowhere() {
    const ROUNDS: usize = 20;
    let rig = Arc::new(Rig::new(&ROW));
    std::fs::create_dir(rig.workspace().join("d")).unwrap();
    let mut round = 0;
    let server = Scripted::start(move |request| match request.kind {
        Kind::Work if round < ROUNDS => {
            round += 1;
            let name = format!("d/pwned{round}");
            // No two calls are the same, which would end the turn. What is staged has to reach the files before the last.
            Reply::Calls(vec![
                call("Write", &json!({"path": name, "content": "x"})),
                call("Read", &json!({"path": "d/s", "limit": round})),
                call("Bash", &json!({"command": format!("echo {round}")})),
            ])
        }
        kind => planned(kind, "nothing").unwrap_or_else(|| Reply::Text("Done.".to_owned())),
    });
    server.configure(&rig.finch_home());
    let row = Row { workspace_may_change: true, ..ROW };
    let (before, ended, swaps) = (Before::of(&rig), AtomicBool::new(false), AtomicUsize::new(0));
    let (folder, top) = (rig.workspace().join("d"), rig.top());
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let aside = rig.workspace().join(format!("d{}", swaps.load(Ordering::Relaxed)));
                // finch may have made the folder anew in between, and then it is another one that goes.
                let is_swapped = std::fs::rename(&folder, &aside).is_ok()
                    && std::os::unix::fs::symlink(top.join("out"), &folder).is_ok();
                swaps.fetch_add(usize::from(is_swapped), Ordering::Relaxed);
                let is_back = std::fs::remove_file(&folder).is_ok() && std::fs::rename(&aside, &folder).is_ok();
                if !is_back {
                    // One that is there already will do.
                    std::fs::create_dir(&folder).ok();
                }
            }
        });
        let ran = Door::Approve.attack(&row, &server, &rig);
        ended.store(true, Ordering::Relaxed);
        ran
    });
    let swaps = swaps.into_inner();
    println!("C4: {swaps} swaps, {} calls", ran.results.len());
    assert!(swaps > 1000 && ran.results.len() == 3 * ROUNDS, "{swaps} {}: {}", ran.results.len(), ran.shown);
    let mut wrong = before.violations(&row, &rig);
    wrong.extend(leaked("a request", &ran.told));
    assert_eq!(wrong, Vec::<String>::new());
}
