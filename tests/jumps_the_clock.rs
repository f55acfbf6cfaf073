//! The daemon under a system clock that is wrong, or jumps while it runs: row H37.
//!
//! libfaketime stands between it and the date, by a file that says which date it is; the clock that counts durations is
//! left as it is, as a system leaves it. Files have true times all the same.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::daemon::Daemon;
use crate::support::finch::{command, finch, home_of_its_own, said};

/// No single wait of these tests is longer.
const WAIT_MAX: Duration = Duration::from_secs(30);
const DAY_S: u64 = 86_400;

/// A date as libfaketime reads it, and how many seconds behind 1970 that is, given the true ones.
#[derive(Clone, Copy)]
struct Clock {
    name: &'static str,
    says: fn(u64) -> u64,
}

const TRUE: Clock = Clock { name: "+0", says: |now| now };
const DAY_AHEAD: Clock = Clock { name: "+1d", says: |now| now + DAY_S };
const DAY_BEHIND: Clock = Clock { name: "-1d", says: |now| now - DAY_S };
const TEN_YEARS_AHEAD: Clock = Clock { name: "+3650d", says: |now| now + 3650 * DAY_S };
const OF_1970: Clock = Clock { name: "@1970-01-02 00:00:00", says: |_| DAY_S };

/// A date that can be set.
struct Date(PathBuf);

impl Date {
    fn of(home: &Path) -> Self {
        Self(home.join("date"))
    }

    fn set(&self, clock: Clock) {
        // At once, or half of a date would be read.
        let new = self.0.with_extension("new");
        std::fs::write(&new, format!("{}\n", clock.name)).unwrap();
        std::fs::rename(new, &self.0).unwrap();
    }

    /// `finch` of that home under that date.
    fn command(&self, home: &Path) -> Command {
        let mut command = command(home);
        command.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", &self.0).envs([
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ]);
        command
    }
}

/// Where Debian's package `libfaketime` has it.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path().join("faketime"));
    let found = folders.map(|folder| folder.join("libfaketimeMT.so.1")).find(|library| library.is_file());
    found.expect("run tests/support/install-tools.sh first")
}

fn ask(daemon: &Daemon) -> Value {
    let messages = json!([{"role": "user", "content": "What is the capital of Italy?"}]);
    daemon.post("/v1/chat/completions", &json!({"messages": messages, "max_tokens": 4})).good()
}

/// Whether the daemon has that date, answers, and can be asked how it is.
#[track_caller]
fn serves(daemon: &Daemon, clock: Clock) {
    let answer = ask(daemon);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (created, expected) = (answer["created"].as_u64().unwrap(), (clock.says)(now));
    // 1970 in any time zone.
    assert!(created.abs_diff(expected) <= DAY_S / 2 + 3600, "{}: {created}, not {expected}", clock.name);
    assert!(answer["usage"]["completion_tokens"].as_u64() > Some(0), "{answer}");
    let said = finch(daemon.home(), &["daemon", "status"]);
    assert_eq!(said.code, 0, "{}: {}", clock.name, said.err);
    assert!(said.out.contains(&format!("process {}", daemon.pid())), "{}", said.out);
}

/// Says something of an answer, and gives back the number of what was said.
#[track_caller]
fn feedback(daemon: &Daemon) -> u64 {
    daemon.post("/v1/feedback", &json!({"verdict": "good"})).good()["id"].as_u64().unwrap()
}

/// The numbers of all that was said. They are listed by date; here the least comes first.
fn listed(home: &Path) -> Vec<u64> {
    let list: Value = serde_json::from_str(&finch(home, &["feedback", "list", "--json"]).out).unwrap();
    let mut numbers: Vec<u64> = list.as_array().unwrap().iter().map(|one| one["id"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_daemon_begins_serves_and_ends_whatever_the_date_is() {
    // One home for all, so that each finds what the others wrote.
    let home = home_of_its_own("[daemon]\nport = 0\n");
    let (date, mut told) = (Date::of(home.path()), Vec::new());
    for clock in [DAY_AHEAD, DAY_BEHIND, TEN_YEARS_AHEAD, OF_1970, TRUE] {
        date.set(clock);
        let mut daemon = Daemon::spawn(home.path(), &mut date.command(home.path()));
        serves(&daemon, clock);
        told.push(feedback(&daemon));
        // A client of another date is let in, and so is one of the same.
        let of_the_same = said(date.command(home.path()).args(["daemon", "status"]));
        assert_eq!(of_the_same.code, 0, "{}: {}", clock.name, of_the_same.err);
        assert!(daemon.is_running());
        let said = daemon.interrupt();
        assert_eq!(said.code, 0, "{}: {}", clock.name, said.err);
    }
    told.sort_unstable();
    assert_eq!(listed(home.path()), told);
}

/// Asks for a suggestion in a document of that name; true if the model answered, be it that it has nothing to add.
fn is_answered(editor: &mut Client, name: &str) -> bool {
    let uri = format!("file:///project/{name}.py");
    editor.open(&uri, "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return");
    editor.inline_completion(&uri, (5, 10));
    editor.explain_last()["generated_tokens"].as_u64() > Some(0)
}

#[test]
fn a_jump_of_the_clock_ends_nothing_and_loses_nothing() {
    let home = home_of_its_own("[daemon]\nport = 0\n");
    let date = Date::of(home.path());
    date.set(TRUE);
    let started = Instant::now();
    let mut daemon = Daemon::spawn(home.path(), &mut date.command(home.path()));
    let mut editor = Client::start_with_daemon(home.path());
    editor.initialize();
    editor.wait_until_ready();
    let keep = |daemon: &Daemon| -> String {
        let body = json!({"input": "My name is Ada.", "store": true, "max_output_tokens": 2});
        daemon.post("/v1/responses", &body).good()["id"].as_str().unwrap().to_owned()
    };
    let mut kept = vec![keep(&daemon)];
    let is_kept = |daemon: &Daemon, id: &str| {
        let status = daemon.get(&format!("/v1/responses/{id}")).status;
        assert!([200, 404].contains(&status), "{status}");
        status == 200
    };
    let mut told = Vec::new();
    let jumps = [DAY_AHEAD, DAY_BEHIND, OF_1970, DAY_AHEAD, TEN_YEARS_AHEAD, OF_1970, TEN_YEARS_AHEAD, TRUE];
    for (round, clock) in jumps.into_iter().enumerate() {
        date.set(clock);
        serves(&daemon, clock);
        told.push(feedback(&daemon));
        assert!(is_answered(&mut editor, &format!("a{round}")), "{}: {}", clock.name, editor.explain_last());
        let is_too_old = clock.name == TEN_YEARS_AHEAD.name;
        for id in &kept {
            assert_eq!(is_kept(&daemon, id), !is_too_old, "{} {round}", clock.name);
        }
        // Within the 30 days one more is kept and gone on from; beyond them what is older would be tidied away.
        if !is_too_old {
            let more = json!({"input": "And?", "previous_response_id": kept[0], "max_output_tokens": 2});
            daemon.post("/v1/responses", &more).good();
            kept.push(keep(&daemon));
        }
        let status = daemon.get("/v1/status").good();
        assert!(status["uptime_s"].as_u64().unwrap() <= started.elapsed().as_secs(), "{}: {status}", clock.name);
        assert!(status["tokens_per_second"].as_f64().is_some_and(|rate| (0.0..10_000.0).contains(&rate)), "{status}");
        let clients = status["clients"].as_array().unwrap();
        assert!(clients.contains(&json!(format!("lsp-{}", editor.id()))), "{}: {status}", clock.name);
    }
    assert!(told.is_sorted_by(|one, next| one < next), "the next one has the greater number: {told:?}");
    assert_eq!(listed(home.path()), told);
    assert!(daemon.is_running() && kept.iter().all(|id| is_kept(&daemon, id)));
    // Keeping one more in ten years' time removes what is too old by then.
    date.set(TEN_YEARS_AHEAD);
    keep(&daemon);
    date.set(TRUE);
    serves(&daemon, TRUE);
    assert!(!kept.iter().any(|id| is_kept(&daemon, id)));
}

#[test]
fn an_answer_that_is_being_given_outlives_jumps() {
    let home = home_of_its_own("[daemon]\nport = 0\n");
    let date = Date::of(home.path());
    date.set(TRUE);
    let daemon = Daemon::spawn(home.path(), &mut date.command(home.path()));
    let body = json!({
        "messages": [{"role": "user", "content": "Write a long story about a finch."}],
        "max_tokens": 120, "temperature": 1, "seed": 7, "stream": true, "stream_options": {"include_usage": true},
    });
    let jumps = std::thread::scope(|scope| {
        let asked = scope.spawn(|| daemon.post("/v1/chat/completions", &body));
        let mut jumps = 0;
        while !asked.is_finished() {
            for clock in [DAY_AHEAD, TEN_YEARS_AHEAD, OF_1970, DAY_BEHIND] {
                date.set(clock);
                jumps += 1;
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
        let answer = asked.join().unwrap();
        assert!(answer.status == 200 && answer.body.contains("data: [DONE]"), "{answer:?}");
        assert!(answer.body.contains("\"completion_tokens\":"), "{answer:?}");
        jumps
    });
    assert!(jumps > 8, "it was over too soon: {jumps}");
}

/// How long a daemon is there whose clock jumps once nobody asks any more.
fn idle_time_with(jump: Clock) -> Duration {
    let home = home_of_its_own("[daemon]\nport = 0\nidle_minutes = 0.1\n");
    let date = Date::of(home.path());
    date.set(TRUE);
    let mut daemon = Daemon::spawn(home.path(), &mut date.command(home.path()));
    ask(&daemon);
    let left = Instant::now();
    date.set(jump);
    while daemon.is_running() {
        assert!(left.elapsed() < WAIT_MAX, "it does not end");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    left.elapsed()
}

#[test]
fn time_without_a_client_is_not_counted_by_the_date() {
    for jump in [DAY_AHEAD, TEN_YEARS_AHEAD, DAY_BEHIND, OF_1970] {
        let waited = idle_time_with(jump).as_secs_f64();
        assert!((5.0..30.0).contains(&waited), "{}: {waited} s, and 6 were said", jump.name);
    }
}
