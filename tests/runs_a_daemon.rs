//! One daemon per FINCH_HOME: however many want it, whoever has its port, and however it ends.
//!
//! Most of it needs no model: what counts is who runs, where, and who is told the token.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use finch_http::endpoint::{Endpoint, Nonce, Token};
use serde_json::Value;

use crate::support::client::Client;
use crate::support::finch::{Background, Said, command, finch, home_of_its_own, said};
use crate::support::llmock::{KEY, Llmock, SERVICES};

/// No single wait of these tests is longer.
const WAIT_MAX: Duration = Duration::from_secs(30);
const POLL_PAUSE: Duration = Duration::from_millis(10);

/// A FINCH_HOME whose daemon, if one is left, ends with the test.
struct Home(tempfile::TempDir);

impl Home {
    /// With these lines behind `[daemon]`. Any port, unless they say otherwise.
    fn new(lines: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let port = if lines.contains("port") { "" } else { "port = 0\n" };
        std::fs::write(home.path().join("config.toml"), format!("[daemon]\n{port}{lines}\n")).unwrap();
        Self(home)
    }

    /// With a model, and these lines more for its engine.
    fn with_a_model(engine: &str) -> Self {
        Self(home_of_its_own(&format!("{engine}\n[daemon]\nport = 0\n")))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn finch(&self, arguments: &[&str]) -> Said {
        finch(self.path(), arguments)
    }

    #[track_caller]
    fn start(&self) -> Endpoint {
        let said = self.finch(&["daemon", "start"]);
        assert_eq!(said.code, 0, "{}", said.err);
        self.endpoint().unwrap()
    }

    fn endpoint(&self) -> Option<Endpoint> {
        Endpoint::read(self.path()).unwrap()
    }

    fn status(&self) -> Value {
        let said = self.finch(&["daemon", "status", "--json"]);
        assert_eq!(said.code, 0, "{}", said.err);
        serde_json::from_str(&said.out).unwrap()
    }

    /// Whether that editor is linked to the daemon that runs.
    fn has_client(&self, editor: &Client) -> bool {
        let name = Value::from(format!("lsp-{}", editor.id()));
        self.status()["clients"].as_array().unwrap().contains(&name)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("daemon/daemon.log")).unwrap_or_default()
    }

    /// Whether nobody holds the lock of the daemon.
    fn is_free(&self) -> bool {
        let file = std::fs::File::create(self.path().join("daemon/lock")).unwrap();
        file.try_lock().is_ok()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Ok(Some(endpoint)) = Endpoint::read(self.path()) {
            // Only what still serves this home.
            if is_daemon_of(endpoint.pid, self.path()) {
                signal(endpoint.pid, "KILL");
            }
        }
    }
}

/// Whether that process was started with this FINCH_HOME.
fn is_daemon_of(pid: u32, home: &Path) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let wanted = format!("FINCH_HOME={}", home.display());
    environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
}

/// Processes with this FINCH_HOME that have not ended.
fn processes_of(home: &Path) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|pid| is_daemon_of(*pid, home)).collect()
}

fn signal(pid: u32, name: &str) {
    Command::new("kill").args([&format!("-{name}"), "--", &pid.to_string()]).stderr(Stdio::null()).status().unwrap();
}

#[track_caller]
fn wait_until(what: &str, mut there: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !there() {
        assert!(started.elapsed() < WAIT_MAX, "{what}");
        std::thread::park_timeout(POLL_PAUSE);
    }
    started.elapsed()
}

/// A server that is not finch: it answers everything, and keeps what it hears.
struct Stranger {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Stranger {
    fn start(listener: TcpListener) -> Self {
        let (port, heard) = (listener.local_addr().unwrap().port(), Arc::<Mutex<Vec<u8>>>::default());
        let ears = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut bytes) {
                    ears.lock().unwrap().extend_from_slice(&bytes[..count]);
                    let body = r#"{"name":"finch","version":"0.1.0","protocol":1,"proof":"00"}"#;
                    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).ok();
                }
            }
        });
        Self { port, heard }
    }

    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }
}

#[test]
fn a_daemon_is_started_shown_and_stopped() {
    let home = Home::new("");
    let said = home.finch(&["daemon", "status"]);
    assert_eq!((said.code, said.err.as_str()), (3, "no daemon runs\n"));
    assert_eq!((home.finch(&["daemon", "stop"]).out.as_str(), home.is_free()), ("no daemon runs\n", true));

    let endpoint = home.start();
    let address = endpoint.address().unwrap();
    assert!(address.ip().is_loopback(), "{address}");
    let again = home.finch(&["daemon", "start"]);
    assert!(again.code == 0 && again.out.starts_with("runs already: finch 0."), "{} {}", again.out, again.err);
    assert!(home.endpoint().unwrap().is(&endpoint), "it is the same one");
    let status = home.status();
    assert_eq!((&status["url"], &status["pid"]), (&endpoint.url.clone().into(), &endpoint.pid.into()));
    let said = home.finch(&["daemon", "status"]);
    for line in ["local model: none; run `finch setup`", "clients: none", "models: none", "memory: "] {
        assert!(said.out.lines().any(|one| one.starts_with(line)), "{line}: {}", said.out);
    }
    let doctor = home.finch(&["doctor"]).out;
    let line = format!("ok   daemon: finch {} at {}, process {}", endpoint.version, endpoint.url, endpoint.pid);
    assert!(doctor.contains(&line), "{doctor}");

    let stopped = home.finch(&["daemon", "stop"]);
    assert_eq!((stopped.code, stopped.out), (0, format!("stopped: {}\n", endpoint.url)), "{}", stopped.err);
    assert!(home.is_free() && home.endpoint().is_none() && processes_of(home.path()).is_empty());
    assert!(home.log().ends_with("ended, as it was told\n"), "{}", home.log());
    assert!(home.finch(&["doctor"]).out.contains("ok   daemon: none runs; an editor starts it"));
}

#[test]
fn of_fifty_that_start_it_one_is_the_daemon() {
    let home = Home::new("");
    // Half of them as editors do, half as a system does which starts it without asking.
    let start = |number: usize| {
        let words: &[&str] =
            if number.is_multiple_of(2) { &["daemon", "start"] } else { &["daemon", "run", "--detached"] };
        let mut command = command(home.path());
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<Child> = (0..50).map(start).collect();
    let outputs: Vec<_> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    for output in &outputs {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let endpoint = home.endpoint().unwrap();
    wait_until("losers stay", || processes_of(home.path()).len() == 1);
    assert_eq!(processes_of(home.path()), [endpoint.pid]);
    for output in outputs.iter().step_by(2) {
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(out.contains(&format!(" at {}, process {}\n", endpoint.url, endpoint.pid)), "{out}");
    }
    assert_eq!(home.log().matches("listens at").count(), 1, "{}", home.log());
    assert!(!home.is_free());
}

#[test]
fn a_stranger_on_the_port_is_passed_over() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stranger = Stranger::start(listener);
    let home = Home::new(&format!("port = {}", stranger.port));
    let endpoint = home.start();
    assert_ne!(endpoint.address().unwrap().port(), stranger.port);
    assert_eq!(home.finch(&["daemon", "stop"]).code, 0);
    assert_eq!(stranger.heard(), "", "nobody had a reason to ask there");
}

#[test]
fn a_stranger_where_an_old_file_points_hears_no_token() {
    let home = Home::new("");
    let token = Token::read_or_make(home.path()).unwrap();
    let stranger = Stranger::start(TcpListener::bind("127.0.0.1:0").unwrap());
    let stale = Endpoint {
        url: format!("http://127.0.0.1:{}", stranger.port),
        // A number that another process has by now.
        pid: std::process::id(),
        version: "0.1.0".to_owned(),
        nonce: Nonce::new().unwrap(),
    };
    stale.write(home.path()).unwrap();
    std::fs::write(home.path().join("daemon/lock"), "").unwrap();
    for words in [["daemon", "status"], ["daemon", "stop"]] {
        assert!(home.finch(&words).code != 1);
    }
    let endpoint = home.start();
    assert!(!endpoint.is(&stale));
    let heard = stranger.heard();
    assert!(heard.starts_with("GET /health?challenge="), "{heard}");
    assert!(!heard.contains(token.expose()) && !heard.to_lowercase().contains("authorization"), "{heard}");
}

#[test]
fn after_kill_9_the_next_one_starts_at_once() {
    let home = Home::new("");
    for _ in 0..5 {
        let endpoint = home.start();
        signal(endpoint.pid, "KILL");
        let started = Instant::now();
        let next = home.start();
        assert!(!next.is(&endpoint) && started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        assert_eq!(home.status()["pid"], next.pid);
        signal(next.pid, "KILL");
    }
}

#[test]
fn a_daemon_that_is_held_up_is_neither_doubled_nor_lost() {
    let home = Home::new("");
    let endpoint = home.start();
    signal(endpoint.pid, "STOP");
    let mut editor = Client::start_with_daemon(home.path());
    editor.initialize();
    let said = home.finch(&["daemon", "start"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("does not answer") && said.err.contains("daemon.log"), "{}", said.err);
    let others: Vec<u32> = processes_of(home.path()).into_iter().filter(|pid| *pid != editor.id()).collect();
    assert_eq!(others, [endpoint.pid]);
    let said = home.finch(&["daemon", "status"]);
    assert!(said.code == 3 && said.err.contains("does not answer"), "{}", said.err);
    signal(endpoint.pid, "CONT");
    let started = Instant::now();
    assert!(home.start().is(&endpoint), "it is the same one");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    wait_until("the editor has given it up", || home.has_client(&editor));
}

#[test]
fn files_of_a_living_daemon_that_are_removed_come_back() {
    let home = Home::new("");
    let (endpoint, token) = (home.start(), Token::read(home.path()).unwrap());
    for file in ["daemon/endpoint.json", "daemon/token"] {
        std::fs::remove_file(home.path().join(file)).unwrap();
    }
    wait_until("they stay away", || home.endpoint().is_some() && Token::read(home.path()).is_ok());
    assert!(home.endpoint().unwrap().is(&endpoint) && Token::read(home.path()).unwrap().is(token.expose()));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&home.path().join("daemon/token").metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(home.status()["pid"], endpoint.pid);
    // Who asks meanwhile waits for it, and makes none.
    std::fs::remove_file(home.path().join("daemon/token")).unwrap();
    assert!(home.start().is(&endpoint));
    assert!(Token::read(home.path()).unwrap().is(token.expose()));
}

#[test]
fn it_holds_no_file_of_who_started_it() {
    let home = Home::new("");
    let file = home.path().join("held");
    let script = "exec 9>\"$1\"; exec \"$0\" daemon start";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_finch")]).arg(&file).env("FINCH_HOME", home.path());
    let started = said(&mut shell);
    assert_eq!(started.code, 0, "{}", started.err);
    let pid = home.endpoint().unwrap().pid;
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let open: Vec<_> = open.filter_map(|entry| std::fs::read_link(entry.path()).ok()).collect();
    assert!(!open.is_empty() && !open.contains(&file), "{open:?}");
}

#[test]
fn a_signal_ends_it_in_order() {
    let home = Home::new("");
    let endpoint = home.start();
    signal(endpoint.pid, "TERM");
    wait_until("it lives on", || home.is_free());
    assert!(home.endpoint().is_none(), "{}", home.log());
    assert!(home.log().ends_with("ended, as it was told\n"), "{}", home.log());

    let mut here = Background::start(home.path(), &["daemon", "run"]);
    here.wait_until(|| home.endpoint().is_some());
    let said = here.interrupt();
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.starts_with("finch listens at http://127.0.0.1:"), "{}", said.out);
    assert!(home.is_free() && home.endpoint().is_none());

    home.start();
    let said = home.finch(&["daemon", "stop", "--now"]);
    assert!(said.code == 0 && home.is_free() && home.endpoint().is_none(), "{}", said.err);
}

/// Asks the local model for an answer that takes minutes, and reads nothing of it yet.
fn ask_for_much(home: &Home) -> TcpStream {
    // The model may not end before it has said so much.
    let schema = serde_json::json!({"type": "array", "minItems": 900, "items": {"type": "string", "minLength": 20}});
    let body = serde_json::json!({
        "model": "local", "stream": true, "max_tokens": 3000,
        "messages": [{"role": "user", "content": "Tell me of a thousand things."}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "things", "schema": schema}},
    });
    send(home, "POST /v1/chat/completions", &body.to_string())
}

/// The same, and its first words are there.
fn long_answer(home: &Home) -> TcpStream {
    wait_until("no model is ready", || home.status()["state"]["state"] == "ready");
    let mut stream = ask_for_much(home);
    let (mut said, mut part) = (String::new(), [0; 512]);
    while !said.contains("\"content\":") {
        // A wait with a deadline is ended by a stop of this process, too.
        let count = match stream.read(&mut part) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            read => read.unwrap(),
        };
        assert!(count > 0, "{said}");
        said.push_str(&String::from_utf8_lossy(&part[..count]));
    }
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    stream
}

#[test]
fn one_that_gives_its_last_answer_is_said_to_end_and_the_next_one_is_waited_for() {
    let home = Home::with_a_model("");
    let endpoint = home.start();
    let mut editor = Client::start_with_daemon(home.path());
    editor.initialize();
    editor.wait_until_ready();
    // The connection has to stay open, or the daemon ends at once.
    let _answer = long_answer(&home);
    signal(endpoint.pid, "TERM");
    wait_until("it is not heard", || TcpStream::connect(endpoint.address().unwrap()).is_err());
    let status = home.finch(&["daemon", "status"]);
    assert_eq!((status.code, status.err.as_str()), (3, "a daemon is just beginning or ending\n"));
    let run = home.finch(&["daemon", "run"]);
    assert!(run.code == 1 && run.err.contains("a daemon is just beginning or ending"), "{} {}", run.code, run.err);
    let next = home.start();
    assert!(!next.is(&endpoint), "it is another one");
    wait_until("the editor loads a model of its own", || home.has_client(&editor));
}

#[test]
fn an_editor_that_starts_none_finds_one_that_others_start_anew() {
    let home = Home(home_of_its_own("[daemon]\nport = 0\nauto_spawn = false\n"));
    home.start();
    let mut editor = Client::start_with_daemon(home.path());
    editor.initialize();
    editor.wait_until_ready();
    let said = home.finch(&["daemon", "stop"]);
    assert!(said.code == 0 && said.err.contains("1 editor is open"), "{}", said.err);
    // So long does systemd wait before it starts one anew.
    std::thread::park_timeout(Duration::from_secs(5));
    home.start();
    wait_until("the editor has given it up", || home.has_client(&editor));
}

/// What is left of an answer once the daemon has ended: no end of its own.
#[track_caller]
fn assert_is_cut(mut answer: TcpStream) {
    let mut rest = Vec::new();
    // However the connection ended.
    answer.read_to_end(&mut rest).ok();
    assert!(!String::from_utf8_lossy(&rest).contains("[DONE]"), "the answer was given to its end");
}

/// Less than what is under way may take to end.
const AT_ONCE: Duration = Duration::from_secs(6);

#[test]
fn a_second_signal_ends_it_at_once_whatever_is_under_way() {
    let home = Home::with_a_model("");
    let mut here = Background::start(home.path(), &["daemon", "run"]);
    here.wait_until(|| home.endpoint().is_some());
    let answer = long_answer(&home);
    let address = home.endpoint().unwrap().address().unwrap();
    signal(here.id(), "INT");
    wait_until("the first is not heard", || TcpStream::connect(address).is_err());
    assert!(here.is_running(), "it goes on with its answer");
    let started = Instant::now();
    let said = here.interrupt();
    assert_eq!(said.code, 130, "{}", said.err);
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    assert!(home.is_free() && home.endpoint().is_none());
    assert_is_cut(answer);

    let endpoint = home.start();
    let answer = long_answer(&home);
    signal(endpoint.pid, "TERM");
    wait_until("the first is not heard", || TcpStream::connect(endpoint.address().unwrap()).is_err());
    assert!(!home.is_free(), "it goes on with its answer");
    signal(endpoint.pid, "TERM");
    let took = wait_until("it lives on", || home.is_free());
    assert!(took < AT_ONCE, "{took:?}");
    wait_until("it says something else", || home.log().ends_with("ended at once, as it was told twice\n"));
    assert_is_cut(answer);
}

#[test]
fn told_to_end_now_it_cuts_its_answers_off() {
    let home = Home::with_a_model("");
    home.start();
    let answer = long_answer(&home);
    let started = Instant::now();
    let said = home.finch(&["daemon", "stop", "--now"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    let log = home.log();
    assert!(log.contains("a client asks for the end at once"), "{log}");
    assert!(!log.contains("once more ends it at once"), "no signal was needed: {log}");
    assert!(home.is_free() && home.endpoint().is_none());
    assert_is_cut(answer);
}

#[test]
fn an_older_daemon_that_knows_no_cut_hears_it_by_a_signal() {
    let home = Home::new("");
    // Whose process ends is another one than the test's own.
    let mut process = Command::new("sleep").arg("60").spawn().unwrap();
    let pid = process.id();
    let mut older = OtherDaemon::start_as(home.path(), ("0.0.9", 0), pid, move || {
        process.wait().unwrap();
    });
    let said = home.finch(&["daemon", "stop", "--now"]);
    assert_eq!((said.code, older.told()), (0, 1), "{}", said.err);
    assert!(home.is_free());
}

#[test]
fn status_tells_what_runs_and_what_waits_in_each_lane() {
    // One place is kept for whoever types, so that a second answer waits for the first.
    let home = Home::with_a_model("slots = 2");
    home.start();
    let running = long_answer(&home);
    let idle = serde_json::json!({"running": 0, "waiting": 0});
    let lanes =
        |waiting| serde_json::json!({"interactive": idle, "batch": {"running": 1, "waiting": waiting}, "warm": idle});
    assert_eq!(home.status()["lanes"], lanes(0));
    let waiting = ask_for_much(&home);
    wait_until("it does not wait", || home.status()["lanes"] == lanes(1));
    let told = home.finch(&["daemon", "status"]).out;
    let line = "lanes: interactive 0 running, 0 waiting; batch 1 running, 1 waiting; warm 0 running, 0 waiting";
    assert!(told.lines().any(|one| one == line), "{told}");
    drop(waiting);
    wait_until("it waits for nobody", || home.status()["lanes"] == lanes(0));
    drop(running);
    wait_until("it works for nobody", || home.status()["lanes"]["batch"] == idle);
}

#[test]
fn who_runs_it_a_second_time_is_told_of_the_first() {
    let home = Home::new("");
    let endpoint = home.start();
    let said = home.finch(&["daemon", "run"]);
    let told = format!("a daemon runs already: {}, process {}\n", endpoint.url, endpoint.pid);
    assert_eq!((said.code, said.out.as_str(), said.err), (0, "", told));
}

#[test]
fn without_a_client_it_ends_and_leaves_nothing() {
    let home = Home::new("idle_minutes = 0.02");
    home.start();
    let waited = wait_until("it does not end", || home.is_free());
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    assert!(home.endpoint().is_none() && home.log().contains("no client was there for long enough"), "{}", home.log());
}

#[test]
fn it_outlives_the_session_of_who_started_it() {
    let home = Home::new("");
    // A shell that starts it and goes on, with all its children ended afterwards, as editors and terminals do.
    let script = "\"$0\" daemon start >/dev/null && echo started && exec sleep 60";
    let mut shell = Command::new("setsid");
    shell.args(["sh", "-c", script, env!("CARGO_BIN_EXE_finch")]).env("FINCH_HOME", home.path());
    let mut shell = shell.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 8];
    shell.stdout.take().unwrap().read_exact(&mut line).unwrap();
    let endpoint = home.endpoint().unwrap();
    let field = |pid: u32, field: usize| -> u32 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(field - 3).unwrap().parse().unwrap()
    };
    let (parent, session) = (field(endpoint.pid, 4), field(endpoint.pid, 6));
    assert!(parent != shell.id() && session != shell.id() && session != field(std::process::id(), 6));
    for name in ["HUP", "TERM", "KILL"] {
        Command::new("kill").args([&format!("-{name}"), "--", &format!("-{}", shell.id())]).status().unwrap();
    }
    shell.wait().unwrap();
    assert_eq!(home.status()["pid"], endpoint.pid);
}

#[test]
fn with_few_file_descriptors_it_serves_or_says_why_not() {
    let home = Home::new("");
    let limited = |count: u32, words: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {count}; exec \"$0\" {words}"), env!("CARGO_BIN_EXE_finch")]);
        shell.env("FINCH_HOME", home.path());
        shell
    };
    let started = said(&mut limited(32, "daemon start"));
    assert_eq!(started.code, 0, "{}", started.err);
    let address = home.endpoint().unwrap().address().unwrap();
    let many: Vec<TcpStream> = (0..48).map(|_| TcpStream::connect(address).unwrap()).collect();
    drop(many);
    wait_until("it does not recover", || home.finch(&["daemon", "status"]).code == 0);
    for count in [5, 7, 9, 12, 16, 20, 24] {
        let said = said(&mut limited(count, "daemon status"));
        assert!([0, 1].contains(&said.code), "{count}: {} {}", said.code, said.err);
        assert!(!said.err.contains("panicked"), "{count}: {}", said.err);
        assert!(said.code == 0 || said.err.starts_with("finch: "), "{count}: {}", said.err);
    }
    assert_eq!(home.finch(&["daemon", "stop"]).code, 0);
}

/// A daemon of another version: it holds the lock, proves itself, and ends when it is told to.
struct OtherDaemon {
    endpoint: Endpoint,
    thread: Option<std::thread::JoinHandle<usize>>,
}

impl OtherDaemon {
    fn start(home: &Path, version: &'static str, protocol: u32) -> Self {
        Self::start_as(home, (version, protocol), std::process::id(), || {})
    }

    /// As that process, and what it does once it is told to end.
    fn start_as(
        home: &Path,
        (version, protocol): (&'static str, u32),
        pid: u32,
        last: impl FnOnce() + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, nonce) = (listener.local_addr().unwrap(), Nonce::new().unwrap());
        let token = Token::read_or_make(home).unwrap();
        let lock = std::fs::File::create(home.join("daemon/lock")).unwrap();
        lock.try_lock().unwrap();
        let url = format!("http://{address}");
        let endpoint = Endpoint { url, pid, version: version.to_owned(), nonce: nonce.clone() };
        endpoint.write(home).unwrap();
        let serve = move || {
            let _lock = lock;
            let mut told = 0;
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                let body = match head.split("challenge=").nth(1).and_then(|rest| rest.split(' ').next()) {
                    Some(challenge) => {
                        let proof = nonce.proof(challenge, address);
                        serde_json::json!({"name": "finch", "version": version, "protocol": protocol, "proof": proof})
                    }
                    None if head.starts_with("GET /v1/status ") => {
                        serde_json::json!({"clients": ["lsp-1", "lsp-2", "ask-3"]})
                    }
                    None => {
                        assert!(head.starts_with("POST /v1/shutdown "), "{head}");
                        assert!(head.contains(&format!("authorization: Bearer {}", token.expose())), "{head}");
                        told += 1;
                        serde_json::json!({})
                    }
                };
                let body = body.to_string();
                let length = body.len();
                write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
                    .unwrap();
                if told > 0 {
                    last();
                    return told;
                }
            }
            told
        };
        Self { endpoint, thread: Some(std::thread::spawn(serve)) }
    }

    /// How often it was told to end, once it has.
    fn told(&mut self) -> usize {
        self.thread.take().unwrap().join().unwrap()
    }
}

#[test]
fn an_older_daemon_gives_way_once_to_many_that_are_newer() {
    let home = Home::new("");
    let mut older = OtherDaemon::start(home.path(), "0.0.9", 0);
    let start = || {
        let mut command = command(home.path());
        command.args(["daemon", "start"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<Child> = (0..10).map(|_| start()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(older.told(), 1);
    assert!(!home.endpoint().unwrap().is(&older.endpoint));
    assert_eq!(home.log().matches("listens at").count(), 1, "the new one was not replaced: {}", home.log());
}

#[test]
fn a_newer_daemon_is_used_if_it_speaks_the_same_and_left_alone_if_not() {
    let home = Home::new("");
    let mut newer = OtherDaemon::start(home.path(), "99.0.0", finch_http::endpoint::PROTOCOL);
    let said = home.finch(&["daemon", "start"]);
    assert!(said.code == 0 && said.out.starts_with("runs already: finch 99.0.0 at "), "{} {}", said.out, said.err);
    let said = home.finch(&["daemon", "stop"]);
    assert_eq!((said.code, newer.told()), (0, 1), "{}", said.err);
    assert!(said.err.starts_with("2 editors are open and start it again"), "{}", said.err);

    let mut foreign = OtherDaemon::start(home.path(), "99.0.0", 7);
    let said = home.finch(&["daemon", "start"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("is finch 99.0.0 and speaks protocol 7") && said.err.contains("update finch"),
        "{}",
        said.err
    );
    assert_eq!(home.finch(&["daemon", "stop"]).code, 0);
    assert_eq!(foreign.told(), 1);
}

/// Sends one request to a daemon.
fn send(home: &Home, head: &str, body: &str) -> TcpStream {
    let token = Token::read_or_make(home.path()).unwrap();
    let address = home.endpoint().unwrap().address().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
    write!(
        stream,
        "{head} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        token.expose(),
        body.len()
    )
    .unwrap();
    stream
}

/// What a daemon answers to one request, with its status line and headers.
fn exchange(home: &Home, head: &str, body: &str) -> String {
    let (mut stream, mut answer) = (send(home, head, body), String::new());
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_cloud_is_asked_by_its_name_and_written_down() {
    let server = Llmock::start();
    let (service, _, model) = SERVICES[0];
    let (kind, url) = (format!("{service:?}").to_lowercase(), server.spec(service).endpoint);
    let home = Home::new(&format!(
        "[[providers]]\ntype = \"local\"\n[[providers]]\ntype = \"{kind}\"\nmodel = \"{model}\"\nbase_url = \"{url}\"\n\
         api_key = \"{KEY}\""
    ));
    home.start();
    // Keys are got after the start.
    let id = format!("{kind}/{model}");
    wait_until("the cloud is not offered", || exchange(&home, "GET /v1/models", "").contains(&format!("\"{id}\"")));
    let ask = |model: &str| {
        let body = serde_json::json!({"model": model, "messages": [{"role": "user", "content": "Hello?"}]});
        exchange(&home, "POST /v1/chat/completions", &body.to_string())
    };
    for name in [kind.as_str(), id.as_str()] {
        let answer = ask(name);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    assert!(ask("local").starts_with("HTTP/1.1 503 "), "no model is installed, and nobody stands in for it");
    assert!(ask(&format!("{kind}/another")).starts_with("HTTP/1.1 404 "));
    let ledger: Value = serde_json::from_str(&home.finch(&["ledger", "--json"]).out).unwrap();
    let providers: Vec<&Value> = ledger["entries"].as_array().unwrap().iter().map(|one| &one["provider"]).collect();
    assert_eq!(providers, [kind.as_str(), kind.as_str()]);
    assert!(!home.log().contains("CANARY"), "{}", home.log());

    // Whom the user takes out is not asked any more.
    std::fs::write(home.path().join("config.toml"), "[daemon]\nport = 0\n").unwrap();
    wait_until("the cloud is still offered", || !exchange(&home, "GET /v1/models", "").contains(&id));
    assert!(ask(&id).starts_with("HTTP/1.1 404 "));
}

#[test]
fn an_address_beyond_this_machine_is_refused_by_name() {
    let home = Home::new("bind = \"0.0.0.0\"");
    for words in [["daemon", "run"], ["daemon", "start"]] {
        let said = home.finch(&words);
        assert_eq!(said.code, 1);
        assert!(
            said.err.contains("daemon.bind is refused: sharing between machines comes with pairing"),
            "{}",
            said.err
        );
    }
    assert!(home.is_free());
}

#[test]
fn a_daemon_that_cannot_begin_says_why_to_who_started_it() {
    let home = Home::new("");
    std::fs::create_dir_all(home.path().join("daemon")).unwrap();
    std::fs::write(home.path().join("daemon/token"), "short").unwrap();
    let started = Instant::now();
    let said = home.finch(&["daemon", "start"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("token is not what a daemon writes"), "{}", said.err);
    assert!(started.elapsed() < Duration::from_secs(4), "it is not waited for: {:?}", started.elapsed());
    assert!(home.is_free());
}

#[test]
fn a_daemon_whose_home_is_gone_ends() {
    let home = Home::new("");
    let endpoint = home.start();
    std::fs::remove_dir_all(home.path().join("daemon")).unwrap();
    let next = home.start();
    assert!(!next.is(&endpoint));
    wait_until("the one before lives on", || processes_of(home.path()) == [next.pid]);
    assert_eq!(home.status()["pid"], next.pid);
}

#[test]
fn unit_files_name_this_binary_and_this_home() {
    let home = Home::new("");
    let (binary, place) = (env!("CARGO_BIN_EXE_finch"), home.path().display());
    let said = home.finch(&["daemon", "install", "--print", "--systemd"]);
    let binary = Path::new(binary).canonicalize().unwrap();
    assert!(said.out.contains(&format!("ExecStart=\"{}\" daemon run\n", binary.display())), "{}", said.out);
    assert!(said.out.contains(&format!("Environment=\"FINCH_HOME={place}\"\n")), "{}", said.out);
    let said = home.finch(&["daemon", "install", "--print", "--launchd"]);
    assert!(said.out.contains(&format!("<string>{}</string>", binary.display())), "{}", said.out);
    let said = home.finch(&["daemon", "install", "--systemd"]);
    assert!(said.code == 1 && said.err.contains("finch daemon install --print > ~/.config/systemd"), "{}", said.err);
}
