//! What an editor feels: the start, a change to a long file, and nothing at all while nobody types.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

const STARTS: usize = 20;
const CHANGES: usize = 2_000;
const LONG_FILE_LINES: usize = 50_000;
const SETTLE: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(5);

pub(crate) fn print(id: &str) -> Result<()> {
    starts()?;
    changes()?;
    idle(id)
}

fn starts() -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let started = Instant::now();
        let mut server = Server::start(None)?;
        server.initialize()?;
        times.push(started.elapsed());
    }
    times.sort();
    println!(
        "initialize answered after the start: median {:.1?}, slowest of {STARTS} {:.1?}",
        times[STARTS / 2],
        times[STARTS - 1]
    );
    Ok(())
}

/// Each change is followed by a small request, so that its time is what the server needs to take the change in.
fn changes() -> Result<()> {
    let mut server = Server::start(None)?;
    server.initialize()?;
    let text = python(LONG_FILE_LINES);
    server.notify(
        "textDocument/didOpen",
        &json!({"textDocument": {"uri": "file:///long.py", "languageId": "python", "version": 0, "text": text}}),
    )?;
    server.request("finch/explainLast", &json!({}))?;
    let mut times = Vec::new();
    for version in 1..=CHANGES {
        let line = version * 7_919 % LONG_FILE_LINES;
        let at = json!({"line": line, "character": 0});
        let started = Instant::now();
        server.notify(
            "textDocument/didChange",
            &json!({
                "textDocument": {"uri": "file:///long.py", "version": version},
                "contentChanges": [{"range": {"start": at, "end": at}, "text": "x"}],
            }),
        )?;
        server.request("finch/explainLast", &json!({}))?;
        times.push(started.elapsed());
    }
    times.sort();
    let p99 = times[CHANGES * 99 / 100];
    println!(
        "didChange in a file of {LONG_FILE_LINES} lines, with a request behind it: median {:.0?}, p99 {p99:.0?}",
        times[CHANGES / 2]
    );
    Ok(())
}

fn idle(id: &str) -> Result<()> {
    let mut server = Server::start(Some(id))?;
    server.initialize()?;
    server.wait_until_ready()?;
    server.complete_in("idle.py", &python(100), 50)?;
    // The engine ends the pass that it is in when an answer is complete before the model stops.
    std::thread::sleep(SETTLE);
    let before = server.cpu_ticks()?;
    std::thread::sleep(IDLE);
    println!("idle processor time with a loaded model: {} ticks of 10 ms in {IDLE:?}", server.cpu_ticks()? - before);
    Ok(())
}

/// A Python file of so many lines.
pub(crate) fn python(lines: usize) -> String {
    (0..lines)
        .map(|line| {
            if line % 5 == 4 {
                "\n".to_owned()
            } else {
                format!("value_{line} = compute({line}, offset={})\n", line % 97)
            }
        })
        .collect()
}

/// `finch lsp` behind pipes.
pub(crate) struct Server {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    next_id: i64,
    ready: bool,
}

impl Server {
    /// With a model, or with an empty FINCH_HOME.
    pub(crate) fn start(model: Option<&str>) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_finch"));
        let empty = std::env::temp_dir().join(format!("finch-bench-{}", std::process::id()));
        std::fs::create_dir_all(&empty)?;
        match model {
            Some(id) => {
                let config = empty.join("config.toml");
                std::fs::write(&config, format!("[engine]\nmodel = \"{id}\"\n"))?;
                command.arg("--config").arg(config);
            }
            None => {
                command.env("FINCH_HOME", &empty);
            }
        }
        command.env("FINCH_DAEMON", "off");
        Self::spawn(command)
    }

    /// With the daemon of a FINCH_HOME, which it starts when there is none.
    pub(crate) fn start_with_daemon(home: &Path) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_finch"));
        command.env("FINCH_HOME", home).env_remove("FINCH_DAEMON");
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Result<Self> {
        let mut child =
            command.arg("lsp").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("no stdout")?);
        Ok(Self { child, input, output, next_id: 0, ready: false })
    }

    pub(crate) fn initialize(&mut self) -> Result<Value> {
        let answer =
            self.request("initialize", &json!({"capabilities": {"general": {"positionEncodings": ["utf-8"]}}}))?;
        self.notify("initialized", &json!({}))?;
        Ok(answer)
    }

    pub(crate) fn wait_until_ready(&mut self) -> Result<()> {
        while !self.ready {
            let message = self.read()?;
            self.see(&message)?;
        }
        Ok(())
    }

    fn see(&mut self, message: &Value) -> Result<()> {
        if message["method"] == "finch/status" {
            self.ready = message["params"]["state"] == "ready";
            ensure!(message["params"]["state"] != "failed", "{message}");
        }
        Ok(())
    }

    /// Opens a document under a name of its own and asks for a suggestion at the end of a line.
    pub(crate) fn complete_in(&mut self, name: &str, text: &str, line: usize) -> Result<Value> {
        let uri = format!("file:///bench/{}-{name}", self.next_id);
        let character = text.lines().nth(line).map_or(0, str::len);
        self.notify(
            "textDocument/didOpen",
            &json!({"textDocument": {"uri": uri, "languageId": "python", "version": 0, "text": text}}),
        )?;
        self.request("textDocument/inlineCompletion", &json!({
            "textDocument": {"uri": uri}, "position": {"line": line, "character": character}, "context": {"triggerKind": 1},
        }))
    }

    pub(crate) fn notify(&mut self, method: &str, params: &Value) -> Result<()> {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
    }

    pub(crate) fn request(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.next_id += 1;
        let id = self.next_id;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        loop {
            let message = self.read()?;
            self.see(&message)?;
            if message["id"] == id && message.get("method").is_none() {
                ensure!(message.get("error").is_none(), "{method}: {}", message["error"]);
                return Ok(message["result"].clone());
            }
        }
    }

    fn write(&mut self, message: &Value) -> Result<()> {
        let body = message.to_string();
        let input = self.input.as_mut().context("the server's input is closed")?;
        write!(input, "Content-Length: {}\r\n\r\n{body}", body.len())?;
        Ok(input.flush()?)
    }

    fn read(&mut self) -> Result<Value> {
        let mut length = None;
        loop {
            let mut line = String::new();
            ensure!(self.output.read_line(&mut line)? > 0, "the server ended");
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", value)) => length = Some(value.parse::<usize>()?),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length.context("no Content-Length")?];
        self.output.read_exact(&mut body)?;
        Ok(serde_json::from_slice(&body)?)
    }

    pub(crate) fn resident_mib(&self) -> Result<u64> {
        resident_mib(self.child.id())
    }

    fn cpu_ticks(&self) -> Result<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().context("no fields")?.split_whitespace().collect();
        Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.input = None;
        drop(self.child.wait());
    }
}

pub(crate) fn resident_mib(pid: u32) -> Result<u64> {
    Ok(resident_kib(pid)? / 1024)
}

pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
