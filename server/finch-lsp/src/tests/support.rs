//! A client and a model, both driven by the test.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use finch_complete::Options;
use finch_learn::Journal;
use finch_llm::{
    Capabilities, Chunk, ChunkSender, Done, GenerateRequest, GenerateStream, InfillRequest, ModelState, Provider,
    ProviderId, StateSender, StopReason, Timings, Usage, state_channel, stream,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::{AgentBackend, Backend, Clouds, Configuration, Ended, Settings, serve};

pub(crate) const URI: &str = "file:///project/a.rs";
/// Longer than anything here takes, so that a hang fails.
const HANG: Duration = Duration::from_secs(60);
const PIPE_BYTES: usize = 64 * 1024;

/// A provider that hands each request to the test.
struct Scripted {
    asked: mpsc::UnboundedSender<(InfillRequest, ChunkSender)>,
    state: finch_llm::StateReceiver,
}

impl Provider for Scripted {
    fn id(&self) -> ProviderId {
        ProviderId::new("scripted")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: "parrot".to_owned(),
            fill_in_the_middle: true,
            chat: false,
            tools: false,
            structured_output: false,
            context_tokens_max: 4096,
        }
    }

    fn is_ready(&self, _: &finch_llm::Origin) -> bool {
        matches!(*self.state.borrow(), ModelState::Ready { .. })
    }

    fn generate(&self, _: GenerateRequest) -> GenerateStream {
        unreachable!("ghost text asks for infill")
    }

    fn infill(&self, request: InfillRequest) -> GenerateStream {
        let (sender, stream) = stream();
        self.asked.send((request, sender)).expect("the test listens");
        stream
    }
}

/// One request that reached the model.
pub(crate) struct Asked {
    pub(crate) request: InfillRequest,
    answer: ChunkSender,
}

impl Asked {
    /// The model says `text` and ends.
    pub(crate) async fn say(&self, text: &str) {
        let usage =
            Usage { prompt_tokens: 20, cached_tokens: 15, suffix_tokens: 3, generated_tokens: 5, ..Usage::default() };
        let done = Done { reason: StopReason::EndOfText, usage, timings: Timings::default() };
        self.answer.send(Ok(Chunk::Text(text.to_owned()))).await.expect("somebody listens");
        // The reader may have heard enough by now.
        self.answer.send(Ok(Chunk::Done(done))).await.unwrap_or(());
    }

    pub(crate) async fn is_cancelled(&self) {
        timeout(HANG, self.answer.reader_gone()).await.expect("the work goes on");
    }
}

/// The client.
pub(crate) struct Client {
    input: Option<DuplexStream>,
    output: Option<DuplexStream>,
    received: Vec<u8>,
    waiting: VecDeque<Value>,
    next_id: i64,
    next_version: i64,
    session: JoinHandle<Ended>,
    model: mpsc::UnboundedReceiver<(InfillRequest, ChunkSender)>,
    pub(crate) state: StateSender,
}

impl Client {
    /// A session with a model that is ready, before `initialize`.
    pub(crate) fn connect() -> Self {
        Self::connect_with(ModelState::Ready { model: "parrot".to_owned() }, PIPE_BYTES)
    }

    pub(crate) fn connect_with(model_state: ModelState, pipe_bytes: usize) -> Self {
        Self::connect_recording(model_state, pipe_bytes, None)
    }

    pub(crate) fn connect_recording(model_state: ModelState, pipe_bytes: usize, journal: Option<Journal>) -> Self {
        Self::connect_to(model_state, pipe_bytes, journal, None)
    }

    pub(crate) fn connect_to(
        model_state: ModelState,
        pipe_bytes: usize,
        journal: Option<Journal>,
        clouds: Option<Clouds>,
    ) -> Self {
        Self::connect_behind(model_state, pipe_bytes, journal, clouds, None)
    }

    /// A session whose settings may change behind its back.
    pub(crate) fn connect_configured(configuration: Configuration) -> Self {
        let ready = ModelState::Ready { model: "parrot".to_owned() };
        Self::connect_behind(ready, PIPE_BYTES, None, None, Some(configuration))
    }

    /// A session with an agent.
    pub(crate) fn connect_with_agent(agent: AgentBackend, pipe_bytes: usize) -> Self {
        let ready = ModelState::Ready { model: "parrot".to_owned() };
        Self::connect_all(ready, pipe_bytes, None, None, None, Some(agent))
    }

    fn connect_behind(
        model_state: ModelState,
        pipe_bytes: usize,
        journal: Option<Journal>,
        clouds: Option<Clouds>,
        configuration: Option<Configuration>,
    ) -> Self {
        Self::connect_all(model_state, pipe_bytes, journal, clouds, configuration, None)
    }

    fn connect_all(
        model_state: ModelState,
        pipe_bytes: usize,
        journal: Option<Journal>,
        clouds: Option<Clouds>,
        configuration: Option<Configuration>,
        agent: Option<AgentBackend>,
    ) -> Self {
        // Two pipes, so that each direction can be closed by itself.
        let (input, server_input) = duplex(pipe_bytes);
        let (output, server_output) = duplex(pipe_bytes);
        let (asked, model) = mpsc::unbounded_channel();
        let (state, receiver) = state_channel();
        state.send_replace(model_state);
        let provider = Arc::new(Scripted { asked, state: receiver.clone() });
        let (options, settings) = (Options { ahead: false, ..Options::default() }, Settings::default());
        let backend = Backend { provider, state: receiver, options, settings, journal, clouds, configuration, agent };
        Self {
            input: Some(input),
            output: Some(output),
            received: Vec::new(),
            waiting: VecDeque::new(),
            next_id: 0,
            next_version: 1,
            session: tokio::spawn(serve(server_input, server_output, backend)),
            model,
            state,
        }
    }

    /// A running session with the document `text`.
    pub(crate) async fn open(text: &str) -> Self {
        let mut client = Self::connect();
        client.initialize(json!({})).await;
        client.did_open(text).await;
        client
    }

    /// The result of `initialize`.
    pub(crate) async fn initialize(&mut self, capabilities: Value) -> Value {
        let params = json!({"processId": null, "rootUri": null, "capabilities": capabilities});
        let result = self.ask("initialize", params).await;
        self.notify("initialized", json!({})).await;
        result["result"].clone()
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the input is open");
        timeout(HANG, input.write_all(bytes)).await.expect("the server reads").expect("the pipe holds");
    }

    pub(crate) async fn send(&mut self, message: Value) {
        let body = message.to_string();
        self.send_bytes(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
    }

    pub(crate) async fn notify(&mut self, method: &str, params: Value) {
        self.send(json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    }

    /// Sends a request and returns its id.
    pub(crate) async fn request(&mut self, method: &str, params: Value) -> i64 {
        self.next_id += 1;
        let mut message = json!({"jsonrpc": "2.0", "id": self.next_id, "method": method});
        if !params.is_null() {
            message["params"] = params;
        }
        self.send(message).await;
        self.next_id
    }

    /// Sends a request and waits for its whole answer.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params).await;
        self.answer_to(id).await
    }

    pub(crate) async fn cancel(&mut self, id: i64) {
        self.notify("$/cancelRequest", json!({"id": id})).await;
    }

    pub(crate) async fn did_open(&mut self, text: &str) {
        let document = json!({"uri": URI, "languageId": "rust", "version": self.next_version, "text": text});
        self.notify("textDocument/didOpen", json!({"textDocument": document})).await;
    }

    /// Puts `text` at a position.
    pub(crate) async fn type_at(&mut self, line: u32, character: u32, text: &str) {
        self.next_version += 1;
        let at = json!({"line": line, "character": character});
        let change = json!({"range": {"start": at, "end": at}, "text": text});
        let document = json!({"uri": URI, "version": self.next_version});
        self.notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": [change]})).await;
    }

    /// Requests a suggestion and returns the request's id.
    pub(crate) async fn complete(&mut self, line: u32, character: u32) -> i64 {
        self.request("textDocument/inlineCompletion", inline_params(URI, line, character)).await
    }

    pub(crate) async fn explain(&mut self) -> Value {
        self.ask("finch/explainLast", Value::Null).await["result"].clone()
    }

    /// The next request that reaches the model.
    pub(crate) async fn asked(&mut self) -> Asked {
        let asked = timeout(HANG, self.model.recv()).await.expect("the model is asked");
        let (request, answer) = asked.expect("the session goes on");
        Asked { request, answer }
    }

    pub(crate) async fn answer_to(&mut self, id: i64) -> Value {
        self.wait_for(|message| message.get("method").is_none() && message["id"] == id).await
    }

    /// The next call of the server by this name.
    pub(crate) async fn call(&mut self, method: &str) -> Value {
        self.wait_for(|message| message["method"] == method).await
    }

    /// The first message that fits; the others wait for somebody who asks for them.
    pub(crate) async fn wait_for(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&fits) {
            return self.waiting.remove(at).expect("it is there");
        }
        loop {
            let message = self.receive().await.expect("the server went away");
            if fits(&message) {
                return message;
            }
            self.waiting.push_back(message);
        }
    }

    /// The next message; `None` when the server closed its output.
    pub(crate) async fn receive(&mut self) -> Option<Value> {
        loop {
            if let Some(message) = self.take_message() {
                return Some(message);
            }
            let output = self.output.as_mut().expect("the output is open");
            let read = timeout(HANG, output.read_buf(&mut self.received)).await.expect("the server hangs");
            if read.expect("the pipe holds") == 0 {
                return None;
            }
        }
    }

    /// Everything that was and will be sent until the server closes its output.
    pub(crate) async fn rest(&mut self) -> Vec<Value> {
        let mut rest: Vec<Value> = self.waiting.drain(..).collect();
        while let Some(message) = self.receive().await {
            rest.push(message);
        }
        rest
    }

    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// Nobody reads what the server writes, ever again.
    pub(crate) fn close_output(&mut self) {
        self.output = None;
    }

    /// Waits for the end of the session.
    pub(crate) async fn ended(&mut self) -> Ended {
        timeout(HANG, &mut self.session).await.expect("the session goes on").expect("the session did not panic")
    }

    fn take_message(&mut self) -> Option<Value> {
        let end = self.received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let header = std::str::from_utf8(&self.received[..end]).expect("a header is text");
        let length = header.trim().strip_prefix("Content-Length: ").expect("one field").parse::<usize>().unwrap();
        let body = self.received.get(end..end + length)?;
        let message = serde_json::from_slice(body).expect("a body is JSON");
        self.received.drain(..end + length);
        Some(message)
    }
}

pub(crate) fn inline_params(uri: &str, line: u32, character: u32) -> Value {
    json!({
        "textDocument": {"uri": uri},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 2},
    })
}
