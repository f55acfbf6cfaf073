//! An editor without a screen: `finch lsp` behind pipes, asked and answered message by message.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// No single wait of a test is longer.
const WAIT_MAX: Duration = Duration::from_secs(120);
const POLL_PAUSE: Duration = Duration::from_millis(2);

pub(crate) struct Client {
    child: Child,
    input: Option<ChildStdin>,
    messages: mpsc::Receiver<Value>,
    /// What came while something else was awaited.
    waiting: VecDeque<Value>,
    next_id: i64,
    /// What requests of the server get, by their methods; null for others.
    answers: Vec<(&'static str, Value)>,
    /// Held while nothing is read of what the server writes.
    reading: Arc<Mutex<()>>,
}

impl Client {
    pub(crate) fn start(home: &Path) -> Self {
        Self::of(Command::new(env!("CARGO_BIN_EXE_finch")).env("FINCH_HOME", home))
    }

    /// The same with a program that was made ready: its folder, its environment.
    pub(crate) fn of(finch: &mut Command) -> Self {
        Self::spawn(finch.env("FINCH_DAEMON", "off"))
    }

    /// With the daemon of its FINCH_HOME, which it starts when there is none.
    #[allow(dead_code, reason = "only the tests of the daemon share one")]
    pub(crate) fn start_with_daemon(home: &Path) -> Self {
        Self::of_with_daemon(Command::new(env!("CARGO_BIN_EXE_finch")).env("FINCH_HOME", home))
    }

    /// The same with a program that was made ready.
    #[allow(dead_code, reason = "only the tests of the daemon share one")]
    pub(crate) fn of_with_daemon(finch: &mut Command) -> Self {
        Self::spawn(finch.env_remove("FINCH_DAEMON"))
    }

    fn spawn(finch: &mut Command) -> Self {
        let mut child = finch.arg("lsp").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = mpsc::channel();
        let reading: Arc<Mutex<()>> = Arc::default();
        let gate = Arc::clone(&reading);
        std::thread::spawn(move || read_all(output, &sender, &gate));
        Self { child, input, messages, waiting: VecDeque::new(), next_id: 0, answers: Vec::new(), reading }
    }

    /// Of the server's process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Nothing of what the server writes is read while somebody else holds this, but for a message that is being read.
    pub(crate) fn reading(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.reading)
    }

    pub(crate) fn initialize(&mut self) -> Value {
        let capabilities = json!({
            "general": {"positionEncodings": ["utf-8", "utf-16"]},
            "window": {"workDoneProgress": true},
            "textDocument": {"inlineCompletion": {"dynamicRegistration": false}},
        });
        let answer = self.request("initialize", json!({"processId": std::process::id(), "capabilities": capabilities}));
        self.notify("initialized", json!({}));
        answer["result"].clone()
    }

    pub(crate) fn open(&mut self, uri: &str, text: &str) {
        let document = json!({"uri": uri, "languageId": "python", "version": 1, "text": text});
        self.notify("textDocument/didOpen", json!({"textDocument": document}));
    }

    /// Inserts a text at a place.
    pub(crate) fn insert(&mut self, uri: &str, version: i64, (line, character): (u32, u32), text: &str) {
        let at = json!({"line": line, "character": character});
        self.notify(
            "textDocument/didChange",
            json!({
                "textDocument": {"uri": uri, "version": version},
                "contentChanges": [{"range": {"start": at, "end": at}, "text": text}],
            }),
        );
    }

    pub(crate) fn inline_completion(&mut self, uri: &str, (line, character): (u32, u32)) -> Value {
        let answer = self.request(
            "textDocument/inlineCompletion",
            json!({
                "textDocument": {"uri": uri},
                "position": {"line": line, "character": character},
                "context": {"triggerKind": 1},
            }),
        );
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].clone()
    }

    pub(crate) fn explain_last(&mut self) -> Value {
        self.request("finch/explainLast", json!({}))["result"].clone()
    }

    /// Waits until the model is ready; fails when it cannot be.
    pub(crate) fn wait_until_ready(&mut self) {
        loop {
            let status = self.wait_for(|message| message["method"] == "finch/status");
            match status["params"]["state"].as_str() {
                Some("ready") => return,
                Some("failed" | "absent") => panic!("{status}"),
                _ => {}
            }
        }
    }

    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        self.answer(id)
    }

    pub(crate) fn send(&mut self, method: &str, params: Value) -> i64 {
        self.next_id += 1;
        self.write(&json!({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params}));
        self.next_id
    }

    pub(crate) fn answer(&mut self, id: i64) -> Value {
        self.wait_for(|message| message["id"] == id && message.get("method").is_none())
    }

    /// How requests of the server with this method are answered from now on.
    pub(crate) fn answers_with(&mut self, method: &'static str, result: Value) {
        self.answers.push((method, result));
    }

    /// Whether such a message came while another one was waited for.
    pub(crate) fn has(&self, fits: impl Fn(&Value) -> bool) -> bool {
        self.waiting.iter().any(fits)
    }

    /// The first message that fits; requests of the server are answered with null on the way.
    pub(crate) fn wait_for(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&fits) {
            return self.waiting.remove(at).unwrap();
        }
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let message = self.next(deadline.saturating_duration_since(Instant::now()));
            if message.get("method").is_some() && message.get("id").is_some() {
                let known = self.answers.iter().find(|(method, _)| message["method"] == *method);
                let result = known.map_or(Value::Null, |(_, result)| result.clone());
                self.write(&json!({"jsonrpc": "2.0", "id": message["id"], "result": result}));
            }
            if fits(&message) {
                return message;
            }
            self.waiting.push_back(message);
        }
    }

    /// The next message of the server, whatever it is; the caller answers it.
    pub(crate) fn next(&mut self, wait: Duration) -> Value {
        self.try_next(wait).unwrap_or_else(|| panic!("no such message within {wait:?}"))
    }

    /// The same, if one comes in time.
    pub(crate) fn try_next(&mut self, wait: Duration) -> Option<Value> {
        self.messages.recv_timeout(wait).ok()
    }

    pub(crate) fn write(&mut self, message: &Value) {
        let body = message.to_string();
        let input = self.input.as_mut().unwrap();
        write!(input, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        input.flush().unwrap();
    }

    /// Closes the server's input and says how long it lived on.
    pub(crate) fn close_input(&mut self) -> (ExitStatus, Duration) {
        self.input = None;
        self.wait()
    }

    /// Waits until the server has ended by itself.
    pub(crate) fn wait(&mut self) -> (ExitStatus, Duration) {
        let started = Instant::now();
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return (status, started.elapsed()),
                None if started.elapsed() > WAIT_MAX => panic!("the server goes on"),
                None => std::thread::sleep(POLL_PAUSE),
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.input = None;
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn read_all(mut output: BufReader<ChildStdout>, sender: &mpsc::Sender<Value>, reading: &Mutex<()>) {
    loop {
        drop(reading.lock().unwrap_or_else(PoisonError::into_inner));
        let mut length = 0;
        loop {
            let mut line = String::new();
            if output.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        // A server that is killed breaks off anywhere.
        if output.read_exact(&mut body).is_err() {
            return;
        }
        if sender.send(serde_json::from_slice(&body).unwrap()).is_err() {
            return;
        }
    }
}
