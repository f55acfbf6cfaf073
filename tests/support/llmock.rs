//! `llmock`, a server that is not ours: it speaks like six clouds, fails on demand and judges how its client took it.
//!
//! Started on a port of its own, told what to do over HTTP, stopped with the value.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use finch_llm::ProviderId;
use finch_llm::cloud::{Cleartext, CloudSpec, Endpoint, Key, Service};
use serde_json::{Value, json};

const START_MAX: Duration = Duration::from_secs(60);
/// It waits itself for requests that have not ended when it is asked for its verdict.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// The key that every request to it carries; it must stand in nothing that is shown.
pub(crate) const KEY: &str = "sk-CANARY-0123456789abcdef";

/// The services it speaks like, with their places on it and a model of each.
pub(crate) const SERVICES: [(Service, &str, &str); 6] = [
    (Service::Claude, "/anthropic/v1", "claude-sonnet-4-6"),
    (Service::OpenAi, "/v1", "gpt-4o-mini"),
    (Service::Gemini, "/gemini/v1beta", "gemini-2.5-pro"),
    (Service::Grok, "/xai/v1", "grok-3"),
    (Service::Mistral, "/mistral/v1", "mistral-small-latest"),
    (Service::Groq, "/groq/openai/v1", "openai/gpt-oss-20b"),
];

pub(crate) struct Llmock {
    child: Child,
    address: SocketAddr,
}

impl Llmock {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-tools/llmock/bin/python");
        assert!(python.is_file(), "{} is missing: run tests/support/install-tools.sh", python.display());
        let mut child = Command::new(python)
            .args(["-m", "llmock.cli", "serve", "--host", "127.0.0.1", "--port", "0"])
            // Paced, so that it notices when its client has hung up.
            .args(["--stream-chunk-delay-ms", "10"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        let (found, address) = mpsc::channel();
        // Reads on to the end, for nobody else empties the pipe.
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                let place = line.split("running on http://").nth(1).and_then(|rest| rest.split(' ').next());
                if let Some(address) = place.and_then(|place| place.parse().ok()) {
                    // Only the first one is waited for.
                    found.send(address).ok();
                }
            }
        });
        let address = address.recv_timeout(START_MAX);
        let mut server = Self { child, address: ([127, 0, 0, 1], 0).into() };
        server.address = address.unwrap_or_else(|_| {
            panic!("llmock did not start within {START_MAX:?}: {:?}", server.child.try_wait());
        });
        server
    }

    /// A FINCH_HOME whose one provider is it, as OpenAI.
    pub(crate) fn home(&self) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        let (service, _, model) = SERVICES[1];
        let url = self.spec(service).endpoint;
        let provider = format!("type = \"openai\"\nmodel = \"{model}\"\nbase_url = \"{url}\"\napi_key = \"{KEY}\"\n");
        std::fs::write(home.path().join("config.toml"), format!("[[providers]]\n{provider}")).unwrap();
        home
    }

    /// What is to be known of one of its services.
    pub(crate) fn spec(&self, service: Service) -> CloudSpec {
        let (_, place, model) = SERVICES.into_iter().find(|(one, ..)| *one == service).expect("one of the six");
        let endpoint = Endpoint::new(&format!("http://{}{place}", self.address), Cleartext::Loopback).unwrap();
        let mut spec = CloudSpec::new(ProviderId::new(format!("{service:?}").to_lowercase()), service, model, endpoint);
        spec.key = Some(Key::new(KEY).unwrap());
        spec
    }

    /// Forgets the requests so far and what was queued.
    pub(crate) fn reset(&self) {
        self.ask("POST", "/_llmock/reset", "");
    }

    /// What the next requests get, one behaviour of a kind each.
    pub(crate) fn queue(&self, behaviours: &[Value]) {
        self.ask("POST", "/_llmock/scenario", &json!({ "behaviors": behaviours }).to_string());
    }

    /// The bodies of the requests since, oldest first. Waits until their answers have ended.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        let told: Value = serde_json::from_str(&self.ask("GET", "/_llmock/requests", "")).unwrap();
        told["requests"].as_array().unwrap().iter().map(|request| request["body"].clone()).collect()
    }

    /// Its findings on the requests since, errors and warnings alike; none is what is wanted.
    pub(crate) fn findings(&self) -> Vec<String> {
        let verdict: Value = serde_json::from_str(&self.ask("GET", "/_llmock/verdict", "")).unwrap();
        let findings = verdict["findings"].as_array().unwrap().iter();
        findings.map(|one| format!("{}: {}", one["code"].as_str().unwrap(), one["title"].as_str().unwrap())).collect()
    }

    /// One request in HTTP/1.0, so that the answer ends with the connection.
    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
        write!(stream, "{method} {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.split(' ').nth(1).unwrap().starts_with('2'), "{path}: {answer}");
        body.to_owned()
    }
}

impl Drop for Llmock {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
