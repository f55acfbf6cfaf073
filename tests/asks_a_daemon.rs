//! Commands in a terminal where a daemon runs: its model answers them, and they answer all the same when it is gone.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::finch::{Said, command, finch, fixture, home_of_its_own, said};

const WAIT_MAX: Duration = Duration::from_secs(60);
const POLL_PAUSE: Duration = Duration::from_millis(5);
const QUESTION: [&str; 4] = ["ask", "Name the capital of Italy.", "--tokens", "12"];
/// What is said on stderr where the daemon answered.
const BY_DAEMON: &str = "finch: the daemon answered (smollm2-135m)\n";

/// A FINCH_HOME with a model, whose daemon ends with it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(home_of_its_own("[daemon]\nport = 0\n"))
    }

    fn with_a_daemon() -> Self {
        let home = Self::new();
        assert_eq!(home.finch(&["daemon", "start"]).code, 0);
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn finch(&self, arguments: &[&str]) -> Said {
        finch(self.path(), arguments)
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let said = self.finch(&[arguments, &["--json"]].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        serde_json::from_str(&said.out).unwrap()
    }

    fn status(&self) -> Value {
        self.json(&["daemon", "status"])
    }

    fn count(&self, of: &str, name: &str) -> u64 {
        self.status()[of][name].as_u64().unwrap()
    }

    /// Waits until the daemon has this client.
    fn wait_for_client(&self, name: &str) {
        let started = Instant::now();
        while !self.status()["clients"].as_array().unwrap().contains(&json!(name)) {
            assert!(started.elapsed() < WAIT_MAX, "no {name}: {}", self.status());
            std::thread::park_timeout(POLL_PAUSE);
        }
    }

    fn kill_the_daemon(&self) {
        let endpoint = std::fs::read(self.path().join("daemon/endpoint.json")).unwrap();
        let endpoint: Value = serde_json::from_slice(&endpoint).unwrap();
        assert!(Command::new("kill").args(["-9", &endpoint["pid"].to_string()]).status().unwrap().success());
    }

    fn start(&self, arguments: &[&str]) -> Child {
        command(self.path()).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.finch(&["daemon", "stop", "--now"]);
    }
}

#[test]
fn a_question_is_answered_by_the_daemon_that_runs() {
    let home = Home::with_a_daemon();
    // It is still loading its model, and is waited for.
    let by_daemon = home.finch(&QUESTION);
    assert_eq!((by_daemon.code, by_daemon.err.as_str()), (0, BY_DAEMON));
    let (requests, tokens) = (home.count("requests", "total"), home.count("tokens", "generated"));
    assert!(tokens > 0);
    let json = home.json(&QUESTION);
    assert_eq!(
        (&json["daemon"], &json["provider"], &json["model"]),
        (&true.into(), &"local".into(), &"smollm2-135m".into())
    );
    assert!(json["usage"]["cached_tokens"].as_u64() > Some(0), "the daemon has seen this question before: {json}");
    assert!(json["ms"]["decode"].as_f64() > Some(0.0), "{json}");
    // Handshakes, the link, the question, and two looks at the status.
    assert!(home.count("requests", "total") >= requests + 4);
    assert_eq!(home.count("tokens", "generated"), tokens + json["usage"]["generated_tokens"].as_u64().unwrap());

    let alone = said(command(home.path()).args(QUESTION).env("FINCH_DAEMON", "off"));
    assert_eq!((alone.code, alone.err.as_str(), alone.out), (0, "", by_daemon.out));
    assert_eq!(home.status()["clients"], json!([]), "who has its answer has left");
}

#[test]
fn two_questions_at_once_do_not_take_each_others_place() {
    let home = Home::with_a_daemon();
    let children: Vec<Child> = (0..2).map(|_| home.start(&QUESTION)).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), err.as_str()), (Some(0), BY_DAEMON));
    }
}

#[test]
fn a_completion_and_a_plan_are_the_daemons_too() {
    let home = Home::with_a_daemon();
    let place = format!("{}:17:5", fixture("demo.py").display());
    let json = home.json(&["complete", &place]);
    assert_eq!((&json["daemon"], &json["model"]), (&true.into(), &"smollm2-135m".into()));
    assert!(json["generated_tokens"].as_u64() > Some(0), "{json}");
    let shown = home.finch(&["complete", &place]);
    assert_eq!((shown.code, shown.out.trim_end(), shown.err.as_str()), (0, json["text"].as_str().unwrap(), BY_DAEMON));

    let (folder, before) = (tempfile::tempdir().unwrap(), home.count("tokens", "prompt"));
    let mut planning = command(home.path());
    planning.args(["plan", "Say hello."]).current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut planning = planning.spawn().unwrap();
    home.wait_for_client(&format!("plan-{}", planning.id()));
    let started = Instant::now();
    while home.count("tokens", "prompt") == before {
        assert!(started.elapsed() < WAIT_MAX, "{}", home.status());
        std::thread::park_timeout(POLL_PAUSE);
    }
    planning.kill().unwrap();
    planning.wait().unwrap();
}

#[test]
fn what_the_daemon_cannot_give_is_got_from_a_model_of_ones_own() {
    let home = Home::with_a_daemon();
    assert_eq!(home.finch(&QUESTION).err, BY_DAEMON);
    let before = home.count("tokens", "generated");
    let place = format!("{}:17:5", fixture("demo.py").display());
    let explained = home.finch(&["complete", &place, "--explain"]);
    assert!(explained.code == 0 && explained.err.contains("--- the prompt\n"), "{}", explained.err);
    assert!(!explained.err.contains("the daemon"), "{}", explained.err);

    // The same settings in another file are not the daemon's.
    let elsewhere = home.path().join("elsewhere.toml");
    std::fs::copy(home.path().join("config.toml"), &elsewhere).unwrap();
    let json = home.json(&[&QUESTION[..], &["--config", elsewhere.to_str().unwrap()]].concat());
    assert_eq!(json["daemon"], false);

    let project = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(project.path().join(".finch")).unwrap();
    std::fs::write(project.path().join(".finch/config.toml"), "[engine]\nmodel = \"no-such-model\"\n").unwrap();
    let trusted = home.finch(&["trust", "give", project.path().to_str().unwrap()]);
    assert_eq!(trusted.code, 0, "{}", trusted.err);
    let own = said(command(home.path()).args(QUESTION).current_dir(project.path()));
    assert!(own.code == 1 && own.err.contains("no-such-model"), "{}", own.err);

    let other = home.finch(&[&QUESTION[..], &["--model", "no-such-model"]].concat());
    assert!(other.code == 1 && other.err.contains("no-such-model"), "{}", other.err);
    assert_eq!(home.count("tokens", "generated"), before, "the daemon had nothing to do with any of it");
    assert_eq!(home.json(&[&QUESTION[..], &["--model", "smollm2-135m"]].concat())["daemon"], true);
}

#[test]
fn a_daemon_whose_model_cannot_be_loaded_is_not_waited_for() {
    let home = Home::new();
    let started =
        said(command(home.path()).args(["daemon", "start"]).env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so"));
    assert_eq!(started.code, 0, "{}", started.err);
    let said = home.finch(&[&["-v"], &QUESTION[..]].concat());
    assert!(said.code == 0 && said.out.contains("Rome"), "{}", said.err);
    assert!(said.err.contains("the daemon is not asked: its model is Failed"), "{}", said.err);
    assert_eq!(home.status()["state"]["state"], "failed");
}

#[test]
fn a_daemon_that_was_killed_is_not_missed_and_none_is_started() {
    let home = Home::with_a_daemon();
    assert_eq!(home.finch(&QUESTION).err, BY_DAEMON);
    home.kill_the_daemon();
    let said = home.finch(&QUESTION);
    assert!(said.out.contains("Rome"), "{}", said.out);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_eq!(home.finch(&["daemon", "status"]).code, 3);

    let home = Home::new();
    assert_eq!(home.json(&QUESTION)["daemon"], false);
    assert!(!home.path().join("daemon/endpoint.json").exists(), "nobody started a daemon");
}

#[test]
fn a_daemon_that_is_told_to_end_gives_its_answer_to_the_end() {
    let home = Home::with_a_daemon();
    assert_eq!(home.finch(&QUESTION).err, BY_DAEMON);
    let before = home.count("tokens", "generated");
    let asking = home.start(&["ask", "Tell a story of a finch.", "--tokens", "120", "--json"]);
    let started = Instant::now();
    while home.count("tokens", "generated") < before + 3 {
        assert!(started.elapsed() < WAIT_MAX, "{}", home.status());
        std::thread::park_timeout(POLL_PAUSE);
    }
    assert_eq!(home.finch(&["daemon", "stop"]).code, 0);
    let output = asking.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["daemon"], json["usage"]["generated_tokens"].as_u64()), (&true.into(), Some(120)), "{json}");
}

#[test]
fn a_daemon_that_is_killed_with_the_question_is_not_missed_either() {
    let home = Home::with_a_daemon();
    assert_eq!(home.finch(&QUESTION).err, BY_DAEMON);
    // Long to read, so that nothing of the answer is there when the daemon dies.
    let long = format!("{} Which city was named first?", "Rome, Paris, London, Madrid, Vienna. ".repeat(100));
    let asking = home.start(&["-v", "ask", &long, "--tokens", "12", "--json"]);
    home.wait_for_client(&format!("ask-{}", asking.id()));
    home.kill_the_daemon();
    let output = asking.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(err.contains("the daemon does not answer, so the model is loaded in this process"), "{err}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["daemon"], false, "{json}");
    assert!(!json["text"].as_str().unwrap().is_empty(), "{json}");
}
