//! A server with a model that says what the test wants, and raw connections to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use finch_llm::{
    Capabilities, Chunk, ClientId, Done, GenerateRequest, GenerateStream, InfillRequest, Lane, LaneLoad, Load, Origin,
    Progress, Provider, ProviderId, StateSender, StopReason, Task, Timings, Usage, state_channel, stream,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::endpoint::{Nonce, Token};
use crate::serve::Visit;
use crate::serve::{Ended, serve_with};
use crate::{Asked, Found, Host, Models, Offer};

/// How long a test waits for what has to come.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// Says "hi" at a cost of 10 prompt tokens, 4 of them cached, and 2 generated.
struct Greeter;

impl Provider for Greeter {
    fn id(&self) -> ProviderId {
        ProviderId::new("local")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: "greeter".to_owned(),
            fill_in_the_middle: true,
            chat: true,
            tools: false,
            structured_output: true,
            context_tokens_max: 4096,
        }
    }

    fn generate(&self, _: GenerateRequest) -> GenerateStream {
        let (sender, stream) = stream();
        let usage = Usage { prompt_tokens: 10, cached_tokens: 4, generated_tokens: 2, ..Usage::default() };
        sender.report(Progress { usage, timings: Timings::default() });
        sender.try_send(Ok(Chunk::Text("hi".to_owned()))).unwrap();
        let done = Done { reason: StopReason::EndOfText, usage, timings: Timings::default() };
        sender.try_send(Ok(Chunk::Done(done))).unwrap();
        stream
    }

    fn infill(&self, _: InfillRequest) -> GenerateStream {
        unreachable!("no test of the door fills in")
    }

    fn load(&self) -> Option<Load> {
        Some(Load { batch: LaneLoad { running: 2, waiting: 1 }, ..Load::default() })
    }
}

struct OneModel;

impl Models for OneModel {
    fn offers(&self) -> Vec<Offer> {
        vec![Offer { id: "greeter".to_owned(), owner: "local".to_owned(), created_s: 0 }]
    }

    fn find(&self, _: Asked<'_>) -> Option<Found> {
        Some(Found { provider: Arc::new(Greeter), origin: Origin::default() })
    }
}

/// `/v1/say` answers with the model's words, `/v1/wait` never, `/v1/echo` with its own body.
fn api() -> Router<Host> {
    async fn say(State(host): State<Host>, visit: Visit) -> String {
        let request = GenerateRequest::new(ClientId::new("test"), Lane::Batch, Vec::new());
        let found = host.models.find(Asked { model: "", task: Task::Chat }).unwrap();
        let mut answer = visit.tally.watch(found.provider.generate(request));
        let mut text = String::new();
        while let Some(Ok(chunk)) = answer.next().await {
            if let Chunk::Text(part) = chunk {
                text.push_str(&part);
            }
        }
        text
    }
    async fn echo(body: Bytes) -> Bytes {
        body
    }
    Router::new()
        .route("/v1/say", post(say))
        .route("/v1/echo", post(echo))
        .route("/v1/wait", post(std::future::pending::<&'static str>))
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) token: String,
    pub(super) nonce: Nonce,
    pub(super) state: StateSender,
    pub(super) running: JoinHandle<std::io::Result<Ended>>,
    stop: Option<oneshot::Sender<()>>,
    _home: tempfile::TempDir,
}

impl Server {
    pub(super) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(super) async fn start_with(change: impl FnOnce(&mut Host)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let token = Token::read_or_make(home.path()).unwrap();
        let (state, receiver) = state_channel();
        let nonce = Nonce::new().unwrap();
        let mut host = Host {
            models: Arc::new(OneModel),
            state: receiver,
            token: token.clone(),
            nonce: nonce.clone(),
            version: "1.2.3".to_owned(),
            journal: None,
            sessions: None,
            idle_max: None,
        };
        change(&mut host);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async {
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let running = tokio::spawn(serve_with(api(), listener, host, stopped));
        Self { address, token: token.expose().to_owned(), nonce, state, running, stop: Some(stop), _home: home }
    }

    pub(super) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    pub(super) async fn ended(self) -> Ended {
        tokio::time::timeout(SOON, self.running).await.expect("the server does not end").unwrap().unwrap()
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// The head of an allowed request, without its end.
    pub(super) fn head(&self, first_line: &str) -> String {
        format!("{first_line} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n", self.address, self.token)
    }

    /// Sends an allowed request on a connection of its own.
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.raw(format!("{}Connection: close\r\n\r\n", self.head(&format!("GET {path}")))).await
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> Answer {
        let head = self.head(&format!("POST {path}"));
        let length = body.len();
        let kind = "Content-Type: application/json\r\nConnection: close";
        self.raw(format!("{head}{kind}\r\nContent-Length: {length}\r\n\r\n{body}")).await
    }

    /// Sends these bytes and reads until the server closes.
    pub(super) async fn raw(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut stream = self.connect().await;
        // A server that has refused already need not take the rest.
        let sent = stream.write_all(bytes.as_ref()).await;
        let answer = Answer::read(&mut stream).await;
        assert!(sent.is_ok() || !answer.0.is_empty(), "{sent:?}");
        answer
    }
}

/// What came back, as it came.
#[derive(Debug)]
pub(super) struct Answer(pub(super) String);

impl Answer {
    /// Reads until the server closes.
    pub(super) async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        // What came before an error came.
        let ended = tokio::time::timeout(SOON, stream.read_to_end(&mut bytes)).await;
        assert!(ended.is_ok(), "still open after {:?}", String::from_utf8_lossy(&bytes));
        Self(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reads until there is this text.
    pub(super) async fn read_to(stream: &mut TcpStream, text: &str) -> Self {
        let mut all = String::new();
        let mut part = [0; 4096];
        let read = async {
            while !all.contains(text) {
                match stream.read(&mut part).await.unwrap() {
                    0 => break,
                    bytes => all.push_str(&String::from_utf8_lossy(&part[..bytes])),
                }
            }
        };
        tokio::time::timeout(SOON, read).await.unwrap_or_else(|_| panic!("no {text:?} came"));
        assert!(all.contains(text), "no {text:?} in {all:?}");
        Self(all)
    }

    pub(super) fn status(&self) -> u16 {
        let code = self.0.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        code.unwrap_or_else(|| panic!("no answer: {:?}", self.0)).parse().unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let head = self.0.split("\r\n\r\n").next().unwrap();
        head.lines().skip(1).filter_map(|line| line.split_once(": ")).find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    pub(super) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.body()).unwrap_or_else(|error| panic!("{error}: {:?}", self.0))
    }

    /// The code of a refusal in OpenAI's shape.
    pub(super) fn code(&self) -> String {
        let body = self.json();
        let error = &body["error"];
        assert!(error["message"].is_string() && error["type"].is_string() && error["param"].is_null(), "{body}");
        error["code"].as_str().unwrap().to_owned()
    }
}
