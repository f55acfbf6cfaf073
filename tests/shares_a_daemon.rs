//! Editors that share one daemon: one model for all of them, and nothing lost when the daemon dies under them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::finch::{finch, home_of_its_own};

const RECOVERY_MAX: Duration = Duration::from_secs(20);

/// A FINCH_HOME whose daemon ends with it.
struct Shared(TempDir);

impl Shared {
    fn home(configuration: &str) -> Self {
        Self(home_of_its_own(&format!("[daemon]\nport = 0\n{configuration}")))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn editor(&self) -> Client {
        let mut client = Client::start_with_daemon(self.path());
        client.initialize();
        client.wait_until_ready();
        client
    }

    fn status(&self) -> Value {
        let said = finch(self.path(), &["daemon", "status", "--json"]);
        assert_eq!(said.code, 0, "{}", said.err);
        serde_json::from_str(&said.out).unwrap()
    }

    fn pid(&self) -> u32 {
        let endpoint: Value =
            serde_json::from_slice(&std::fs::read(self.path().join("daemon/endpoint.json")).unwrap()).unwrap();
        endpoint["pid"].as_u64().unwrap().try_into().unwrap()
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.pid().to_string()]).status().unwrap().success());
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        finch(self.path(), &["daemon", "stop", "--now"]);
    }
}

/// What is offered behind `def add`, in a document of its own.
fn suggestion(client: &mut Client, name: &str) -> String {
    let uri = format!("file:///project/{name}.py");
    let text = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return";
    client.open(&uri, text);
    let answer = client.inline_completion(&uri, (5, 10));
    let items = answer.get("items").unwrap_or(&answer);
    items[0]["insertText"].as_str().unwrap_or_default().to_owned()
}

/// Whether the model has answered, be it that it has nothing to add.
fn is_answered(client: &mut Client, name: &str) -> bool {
    suggestion(client, name);
    client.explain_last()["generated_tokens"].as_u64() > Some(0)
}

/// Asks again and again, each time in another document, as somebody who types on, until the model answers.
#[track_caller]
fn soon(client: &mut Client, name: &str) {
    let started = Instant::now();
    let mut round = 0;
    while !is_answered(client, &format!("{name}-{round}")) {
        assert!(started.elapsed() < RECOVERY_MAX, "no answer again: {}", client.explain_last());
        round += 1;
    }
}

fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[test]
fn two_editors_share_one_model() {
    let home = Shared::home("");
    let (mut first, mut second) = (home.editor(), home.editor());
    let alone = suggestion(&mut first, "a");
    assert!(!alone.is_empty(), "{}", first.explain_last());
    assert_eq!(suggestion(&mut second, "b"), alone);
    let status = home.status();
    let clients = status["clients"].as_array().unwrap();
    for editor in [&first, &second] {
        assert!(clients.contains(&json!(format!("lsp-{}", editor.id()))), "{status}");
        // A model is more than a hundred megabytes.
        assert!(resident_mib(editor.id()) < 60, "an editor holds {} MiB", resident_mib(editor.id()));
    }
    assert_eq!(status["models"], json!(["smollm2-135m"]));
    assert!(status["tokens"]["generated"].as_u64() > Some(0), "{status}");
    // The second editor's prompt was computed for the first.
    assert!(status["tokens"]["cached"].as_u64() > Some(0), "{status}");
}

#[test]
fn an_editor_goes_on_when_its_daemon_is_killed() {
    let home = Shared::home("");
    let mut editor = home.editor();
    for round in 0..3 {
        let before = home.pid();
        home.signal("-9");
        soon(&mut editor, &format!("kill-{round}"));
        assert_ne!(home.pid(), before, "another daemon answers");
    }
}

#[test]
fn an_editor_goes_on_when_its_daemon_was_stopped_in_order() {
    let home = Shared::home("");
    let mut editor = home.editor();
    assert!(is_answered(&mut editor, "a"));
    assert_eq!(finch(home.path(), &["daemon", "stop"]).code, 0);
    soon(&mut editor, "b");
}

#[test]
fn without_a_daemon_an_editor_loads_the_model_itself() {
    let home = Shared::home("auto_spawn = false\n");
    let mut editor = home.editor();
    assert!(is_answered(&mut editor, "a"), "{}", editor.explain_last());
    assert!(!home.path().join("daemon/endpoint.json").exists());
    assert_eq!(finch(home.path(), &["daemon", "status"]).code, 3);
}

#[test]
fn who_wants_no_daemon_is_not_warned_that_there_is_none() {
    let home = Shared::home("auto_spawn = false\n");
    let log = home.path().join("stderr");
    let mut command = Command::new(env!("CARGO_BIN_EXE_finch"));
    command.arg("-v").env("FINCH_HOME", home.path()).stderr(std::fs::File::create(&log).unwrap());
    let mut editor = Client::of_with_daemon(&mut command);
    editor.initialize();
    editor.wait_until_ready();
    let log = std::fs::read_to_string(log).unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("daemon")).collect();
    assert!(matches!(&*lines, [only] if only.contains("INFO") && only.contains("auto_spawn is false")), "{log}");
    assert!(!log.contains("WARN"), "{log}");
}

#[test]
fn a_daemon_without_a_model_takes_the_one_that_comes() {
    let home = Shared::home("");
    let models = home.path().join("models");
    let real = std::fs::read_link(&models).unwrap();
    std::fs::remove_file(&models).unwrap();
    let mut editor = Client::start_with_daemon(home.path());
    editor.initialize();
    editor.wait_for(|message| message["method"] == "finch/status" && message["params"]["state"] == "absent");
    std::os::unix::fs::symlink(real, &models).unwrap();
    editor.wait_until_ready();
    assert!(is_answered(&mut editor, "a"), "{}", editor.explain_last());
}

/// A daemon that may have so little memory that it cannot load the model.
struct Starved(Child);

impl Starved {
    fn start(home: &Path) -> Self {
        let mut command = Command::new("prlimit");
        command.args(["--as=200000000", env!("CARGO_BIN_EXE_finch"), "daemon", "run"]).env("FINCH_HOME", home);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Starved {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn an_editor_lives_when_its_daemon_has_no_memory() {
    let home = Shared::home("auto_spawn = false\n");
    let mut starved = Starved::start(home.path());
    let mut editor = Client::start_with_daemon(home.path());
    editor.initialize();
    // It cannot load the model, or has died of it: the editor goes on, and has a model of its own once nobody else has.
    editor.open("file:///project/a.py", "def add(a, b):\n    return");
    editor.inline_completion("file:///project/a.py", (1, 10));
    let reason = editor.explain_last()["reason"].as_str().unwrap_or_default().to_owned();
    assert!(!reason.is_empty(), "{}", editor.explain_last());
    starved.0.kill().ok();
    starved.0.wait().unwrap();
    editor.wait_until_ready();
    assert!(is_answered(&mut editor, "b"), "{}", editor.explain_last());
}
