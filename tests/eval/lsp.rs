//! An editor without a screen: `finch lsp` behind pipes. Messages carry the time at which they came, and no wait is
//! without an end.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

/// No single wait is longer.
const WAIT_MAX: Duration = Duration::from_secs(120);

pub(crate) struct Lsp {
    child: Child,
    input: Option<ChildStdin>,
    messages: mpsc::Receiver<(Instant, Value)>,
    waiting: VecDeque<(Instant, Value)>,
    next_id: i64,
}

/// How a server is started.
#[derive(Debug, Clone)]
pub(crate) struct Start<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) home: &'a Path,
    pub(crate) workspace: &'a Path,
    /// The name by which the client calls itself.
    pub(crate) client: &'a str,
    /// The `finch` section.
    pub(crate) settings: &'a Value,
}

impl Lsp {
    /// Starts a server and waits until its model is ready.
    pub(crate) fn start(start: &Start) -> Result<Self> {
        let mut child = Command::new(start.binary)
            .arg("lsp")
            .env("FINCH_HOME", start.home)
            .env("FINCH_DAEMON", "off")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("no stdout")?);
        let (sender, messages) = mpsc::channel();
        // It ends with the server's output; what is missing then is found by who waits for it.
        std::thread::spawn(move || drop(read_all(output, &sender)));
        let mut lsp = Self { child, input, messages, waiting: VecDeque::new(), next_id: 0 };
        let root = uri(start.workspace);
        lsp.request(
            "initialize",
            json!({
                "processId": std::process::id(),
                "clientInfo": {"name": start.client},
                "rootUri": root,
                "workspaceFolders": [{"uri": root, "name": "workspace"}],
                "initializationOptions": {"finch": start.settings},
                "capabilities": {
                    "general": {"positionEncodings": ["utf-8"]},
                    "textDocument": {"inlineCompletion": {}},
                },
            }),
        )?;
        lsp.notify("initialized", &json!({}))?;
        lsp.wait_until_ready()?;
        Ok(lsp)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        loop {
            let (_, status) = self.wait_for(|message| message["method"] == "finch/status")?;
            match status["params"]["state"].as_str() {
                Some("ready") => return Ok(()),
                Some("failed" | "absent") => bail!("{status}"),
                _ => {}
            }
        }
    }

    pub(crate) fn notify(&mut self, method: &str, params: &Value) -> Result<()> {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
    }

    pub(crate) fn request(&mut self, method: &str, params: Value) -> Result<Value> {
        let id = self.send(method, params)?;
        let (_, answer) = self.answer(id)?;
        ensure!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
        Ok(answer["result"].clone())
    }

    pub(crate) fn send(&mut self, method: &str, params: Value) -> Result<i64> {
        self.next_id += 1;
        let id = self.next_id;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        Ok(id)
    }

    pub(crate) fn answer(&mut self, id: i64) -> Result<(Instant, Value)> {
        self.wait_for(|message| message["id"] == id && message.get("method").is_none())
    }

    fn wait_for(&mut self, fits: impl Fn(&Value) -> bool) -> Result<(Instant, Value)> {
        let found = self.wait_for_until(fits, Instant::now() + WAIT_MAX)?;
        found.with_context(|| format!("the server said nothing for {WAIT_MAX:?}"))
    }

    fn wait_for_until(&mut self, fits: impl Fn(&Value) -> bool, until: Instant) -> Result<Option<(Instant, Value)>> {
        if let Some(at) = self.waiting.iter().position(|(_, message)| fits(message)) {
            return Ok(self.waiting.remove(at));
        }
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (time, message) = match self.messages.recv_timeout(left) {
                Ok(message) => message,
                Err(mpsc::RecvTimeoutError::Timeout) => return Ok(None),
                Err(mpsc::RecvTimeoutError::Disconnected) => bail!("the server ended"),
            };
            if message.get("method").is_some() && message.get("id").is_some() {
                self.write(&json!({"jsonrpc": "2.0", "id": message["id"], "result": null}))?;
            }
            if fits(&message) {
                return Ok(Some((time, message)));
            }
            let is_answer = message.get("method").is_none();
            if is_answer || message["method"] == "finch/status" {
                self.waiting.push_back((time, message));
            }
        }
    }

    /// Forgets answers that nobody asks for any more.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
    }

    fn write(&mut self, message: &Value) -> Result<()> {
        let body = message.to_string();
        let input = self.input.as_mut().context("the server's input is closed")?;
        write!(input, "Content-Length: {}\r\n\r\n{body}", body.len())?;
        Ok(input.flush()?)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Lsp {
    fn drop(&mut self) {
        // It ends by itself when its input does.
        self.input = None;
        drop(self.child.wait());
    }
}

pub(crate) fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn read_all(mut output: BufReader<ChildStdout>, sender: &mpsc::Sender<(Instant, Value)>) -> Result<()> {
    loop {
        let mut length = None;
        loop {
            let mut line = String::new();
            ensure!(output.read_line(&mut line)? > 0, "the end");
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", value)) => length = Some(value.parse::<usize>()?),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length.context("no Content-Length")?];
        output.read_exact(&mut body)?;
        sender.send((Instant::now(), serde_json::from_slice(&body)?))?;
    }
}
