//! A daemon as `finch daemon run` starts it, asked over HTTP as any program asks it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use finch_http::endpoint::{Endpoint, Token};
use serde_json::Value;

use super::finch::{Background, command};

/// No single wait for it is longer.
const WAIT_MAX: Duration = Duration::from_secs(60);
const POLL_PAUSE: Duration = Duration::from_millis(20);

/// Ends with the test.
pub(crate) struct Daemon {
    home: PathBuf,
    running: Background,
    pub(crate) address: SocketAddr,
    pub(crate) token: Token,
}

/// What was answered to one request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The answer of a request that has to be answered.
    #[track_caller]
    pub(crate) fn good(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }
}

impl Daemon {
    /// With the model of its configuration ready.
    pub(crate) fn run(home: &Path) -> Self {
        Self::spawn(home, &mut command(home))
    }

    /// The same, by a command that has the environment it shall run in.
    pub(crate) fn spawn(home: &Path, finch: &mut Command) -> Self {
        let mut running = Background::spawn(finch.args(["daemon", "run"]));
        running.wait_until(|| Endpoint::read(home).unwrap().is_some());
        let address = Endpoint::read(home).unwrap().unwrap().address().unwrap();
        let token = Token::read_or_make(home).unwrap();
        let daemon = Self { home: home.to_owned(), running, address, token };
        let started = Instant::now();
        while daemon.get("/v1/status").good()["state"]["state"] != "ready" {
            assert!(started.elapsed() < WAIT_MAX, "{}", daemon.get("/v1/status").body);
            std::thread::park_timeout(POLL_PAUSE);
        }
        daemon
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.running.is_running()
    }

    /// Ctrl-C, and what it said until it ended.
    pub(crate) fn interrupt(self) -> super::finch::Said {
        self.running.interrupt()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, &body.to_string())
    }

    /// A request with exactly this path and body.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let (mut stream, mut answer) = (TcpStream::connect(self.address).unwrap(), Vec::new());
        stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.address,
            self.token.expose(),
            body.len()
        )
        .unwrap();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        Answer { status, body: body.to_owned() }
    }
}
