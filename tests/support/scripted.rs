//! A model that does as its script says: a server on this machine that speaks OpenAI's chat completions, streamed and
//! with tools.
//!
//! The script is a function of the request, so that it can do the work of a task, obey an attacker, wait, or break off.
//! Every request is kept.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use finch_agent::plan::Persona;
use serde_json::{Value, json};

/// What a request is for, by what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reading around for a plan: there are tools, and none that changes anything.
    Reading,
    Draft,
    Critique(Persona),
    /// Working with tools that change something.
    Work,
    /// What was said earlier is summed up.
    Summary,
    Other,
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) kind: Kind,
    pub(crate) body: Value,
}

/// A call that the model makes.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    pub(crate) id: String,
    pub(crate) name: String,
    /// JSON, if the model is kind.
    pub(crate) arguments: String,
}

/// What the model says to one request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Text(String),
    /// Calls, all in one answer.
    Calls(Vec<Called>),
    Waits(Duration, Box<Reply>),
    /// A status and its message.
    Error(u16, &'static str),
    /// The connection ends behind this text.
    Breaks(String),
}

/// A call with an id that no other has.
pub(crate) fn call(name: &str, arguments: &Value) -> Called {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let id = format!("call-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    Called { id, name: name.to_owned(), arguments: arguments.to_string() }
}

impl Reply {
    pub(crate) fn json(value: &Value) -> Self {
        Self::Text(value.to_string())
    }

    pub(crate) fn call(name: &str, arguments: &Value) -> Self {
        Self::Calls(vec![call(name, arguments)])
    }

    /// A critique that finds nothing.
    pub(crate) fn no_findings() -> Self {
        Self::json(&json!({"findings": []}))
    }
}

impl Request {
    fn new(body: Value) -> Self {
        Self { kind: kind(&body), body }
    }

    /// What the tools answered so far, the oldest first.
    pub(crate) fn results(&self) -> Vec<&str> {
        let messages = self.body["messages"].as_array().into_iter().flatten();
        messages.filter(|message| message["role"] == "tool").filter_map(|message| message["content"].as_str()).collect()
    }

    /// The names of the tools that the model has.
    pub(crate) fn tools(&self) -> Vec<&str> {
        tools(&self.body)
    }
}

fn tools(body: &Value) -> Vec<&str> {
    let tools = body["tools"].as_array().into_iter().flatten();
    tools.filter_map(|tool| tool["function"]["name"].as_str()).collect()
}

fn kind(body: &Value) -> Kind {
    let schema = &body["response_format"]["json_schema"]["schema"]["properties"];
    let said = body["messages"].to_string();
    let persona = Persona::ALL.into_iter().find(|one| said.contains(&format!("You are {}, one of seven", one.name())));
    let (tools, changing) = (tools(body), ["Edit", "Write", "Bash"]);
    match persona {
        Some(persona) if schema["findings"].is_object() => Kind::Critique(persona),
        _ if schema["steps"].is_object() => Kind::Draft,
        _ if tools.iter().any(|tool| changing.contains(tool)) => Kind::Work,
        _ if !tools.is_empty() => Kind::Reading,
        _ if said.contains("You sum up the work of a coding agent") => Kind::Summary,
        _ => Kind::Other,
    }
}

pub(crate) struct Scripted {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

type Script = Mutex<dyn FnMut(&Request) -> Reply + Send>;

impl Scripted {
    /// Serves until the process ends. The script is asked about one request after another, in their order.
    pub(crate) fn start(script: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap().to_string(), requests: Arc::default() };
        let (requests, script): (_, Arc<Script>) = (Arc::clone(&server.requests), Arc::new(Mutex::new(script)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (requests, script) = (Arc::clone(&requests), Arc::clone(&script));
                // The client may have had enough.
                std::thread::spawn(move || serve(&stream, &script, &requests).ok());
            }
        });
        server
    }

    /// Makes this model the one that is asked, in a FINCH_HOME.
    pub(crate) fn configure(&self, home: &Path) {
        let address = &self.address;
        let config = format!(
            "[[providers]]\ntype = \"openai\"\nmodel = \"gpt-4o-mini\"\nbase_url = \"http://{address}/v1\"\n\
             api_key = \"sk-CANARY-KEY-0123456789\"\n"
        );
        let path = home.join("config.toml");
        std::fs::write(&path, config).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// The requests so far, the oldest first.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(stream: &TcpStream, script: &Script, requests: &Mutex<Vec<Request>>) -> std::io::Result<()> {
    let request = Request::new(serde_json::from_slice(&body(stream)?)?);
    let reply = {
        let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
        requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        script(&request)
    };
    answer(stream, reply)
}

fn body(stream: &TcpStream) -> std::io::Result<Vec<u8>> {
    let (mut reader, mut length, mut line) = (BufReader::new(stream), 0, String::new());
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(body)
}

fn answer(mut stream: &TcpStream, reply: Reply) -> std::io::Result<()> {
    let (deltas, reason) = match reply {
        Reply::Waits(pause, then) => {
            std::thread::sleep(pause);
            return answer(stream, *then);
        }
        Reply::Error(status, message) => {
            let body = json!({"error": {"message": message, "type": "scripted"}}).to_string();
            let length = body.len();
            let head = format!("HTTP/1.1 {status} Scripted\r\nConnection: close\r\nContent-Length: {length}");
            return write!(stream, "{head}\r\nContent-Type: application/json\r\n\r\n{body}");
        }
        Reply::Breaks(text) => (texts(&text), None),
        Reply::Text(text) => (texts(&text), Some("stop")),
        Reply::Calls(calls) => (calls.iter().enumerate().flat_map(pieces).collect(), Some("tool_calls")),
    };
    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n")?;
    for delta in deltas {
        event(stream, &json!({"delta": delta, "index": 0}))?;
    }
    let Some(reason) = reason else { return stream.shutdown(std::net::Shutdown::Both) };
    event(stream, &json!({"delta": {}, "index": 0, "finish_reason": reason}))?;
    stream.write_all(b"data: [DONE]\n\n")
}

fn event(mut stream: &TcpStream, choice: &Value) -> std::io::Result<()> {
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5});
    let event = json!({"object": "chat.completion.chunk", "choices": [choice], "usage": usage});
    write!(stream, "data: {event}\n\n")
}

/// A text in pieces, as models send it.
fn texts(text: &str) -> Vec<Value> {
    cut(text).map(|piece| json!({"content": piece})).collect()
}

/// A call in pieces: its name, and then its arguments bit by bit.
fn pieces((index, call): (usize, &Called)) -> Vec<Value> {
    let piece = |call: Value| json!({"tool_calls": [call]});
    let function = json!({"name": call.name, "arguments": ""});
    let mut pieces = vec![piece(json!({"index": index, "id": call.id, "type": "function", "function": function}))];
    let arguments = cut(&call.arguments);
    pieces.extend(arguments.map(|bit| piece(json!({"index": index, "function": {"arguments": bit}}))));
    pieces
}

fn cut(text: &str) -> impl Iterator<Item = &str> {
    const PIECE_BYTES: usize = 200;
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, then) = rest.split_at(rest.ceil_char_boundary(PIECE_BYTES));
        rest = then;
        (!piece.is_empty()).then_some(piece)
    })
}
