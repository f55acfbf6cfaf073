//! The ways in which a provider goes wrong, and what a request to one that does comes to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use finch_llm::cloud::{Cleartext, CloudProvider, CloudSpec, Endpoint, Gate, Key, Passage, Service, Waits};
use finch_llm::router::{Consent, Hedge, Listed, Place, Policy, Router, Setup, Terms};
use finch_llm::{
    Chunk, ClientId, GenerateRequest, InfillContext, InfillRequest, Lane, Message, Origin, Provider as _, ProviderId,
    Sampling, Task,
};

use super::faulty::{Faulty, Manner, Then, answer, stream_head};

pub(crate) const KEY: &str = "sk-CANARY-0123456789abcdef";

/// One way, and what has to come of it.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    scheme: &'static str,
    manner: Manner,
    /// The kind of the error, or how the answer ended.
    pub(crate) end: &'static str,
    /// What of the answer is shown before.
    pub(crate) shown: &'static str,
    /// Tries, as the server sees them.
    pub(crate) tries: usize,
}

impl Fault {
    fn new(name: &'static str, manner: Manner, end: &'static str, tries: usize) -> Self {
        Self { name, scheme: "http", manner, end, shown: "", tries }
    }

    fn says(name: &'static str, words: Vec<u8>, end: &'static str, tries: usize) -> Self {
        Self::new(name, Manner::Says(words, Then::Ends), end, tries)
    }

    fn status(name: &'static str, status: &str, headers: &str, end: &'static str, tries: usize) -> Self {
        let body = format!("{{\"error\": {{\"message\": \"no: {KEY}\"}}}}");
        Self::says(name, answer(status, headers, &body), end, tries)
    }

    fn stream(name: &'static str, events: &str, then: Then, end: &'static str, tries: usize) -> Self {
        Self::new(name, Manner::Says((stream_head() + events).into_bytes(), then), end, tries)
    }

    fn over_tls(self) -> Self {
        Self { scheme: "https", ..self }
    }

    fn behind_text(self) -> Self {
        Self { shown: "one two", ..self }
    }
}

const PAUSE: Duration = Duration::from_millis(20);
/// Two pieces of text.
const TEXT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"one \"}}]}\n\n\
                    data: {\"choices\":[{\"delta\":{\"content\":\"two\"}}]}\n\n";

pub(crate) fn all() -> Vec<Fault> {
    [connections(), refusals(), cuts(), silences(), nonsense(), tools()].into_iter().flatten().collect()
}

fn connections() -> Vec<Fault> {
    vec![
        Fault::new("nobody listens", Manner::Refuses, "unavailable", 0),
        Fault::new("no connection comes about", Manner::Full, "unavailable", 0),
        Fault::new("it hangs up at once", Manner::HangsUp, "unavailable", 3),
        Fault::says("garbage instead of TLS", b"\x16\x03\x01garbage garbage garbage".to_vec(), "unavailable", 3)
            .over_tls(),
        Fault::says("HTTP instead of TLS", answer("400 Bad Request", "", "TLS?"), "unavailable", 3).over_tls(),
        Fault::new("TLS and nothing said", Manner::Says(Vec::new(), Then::Silence), "unavailable", 3).over_tls(),
    ]
}

fn refusals() -> Vec<Fault> {
    vec![
        Fault::status("429, Retry-After 1 s, for ever", "429 X", "Retry-After: 1", "rate-limited", 3),
        Fault::status("429, Retry-After an hour", "429 X", "Retry-After: 3600", "rate-limited", 1),
        Fault::status("500 for ever", "500 X", "", "unavailable", 3),
        Fault::status("502 for ever", "502 X", "", "unavailable", 3),
        Fault::status("503, Retry-After 1 s, for ever", "503 X", "Retry-After: 1", "unavailable", 3),
        Fault::status("529 for ever", "529 X", "", "unavailable", 3),
        Fault::status("400 that repeats the key", "400 X", "", "protocol", 1),
        Fault::status("401 that repeats the key", "401 X", "", "unauthorized", 1),
        Fault::status("403 that repeats the key", "403 X", "", "unauthorized", 1),
        Fault::status("404 that repeats the key", "404 X", "", "refused", 1),
        Fault::status("422 that repeats the key", "422 X", "", "protocol", 1),
        Fault::new("307 to another host", Manner::Redirects(307), "protocol", 1),
        Fault::new("301 to another host", Manner::Redirects(301), "protocol", 1),
    ]
}

fn cuts() -> Vec<Fault> {
    let half = format!("{TEXT}data: {{\"choices\":[{{\"delta\":{{\"con");
    let short = format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9999\r\n\r\n{TEXT}");
    let chunk = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{TEXT}",
        TEXT.len()
    );
    vec![
        Fault::says("half a head, then closed", b"HTTP/1.1 200 OK\r\nContent-Ty".to_vec(), "unavailable", 3),
        Fault::stream("reset before the answer", "", Then::Resets, "unavailable", 3),
        Fault::stream("reset within an event", &half, Then::Resets, "unavailable", 1).behind_text(),
        Fault::stream("closed within an event", &half, Then::Ends, "unavailable", 1).behind_text(),
        Fault::says("closed before the promised length", short.into_bytes(), "unavailable", 1).behind_text(),
        Fault::says("closed within a chunk", chunk.into_bytes(), "unavailable", 1).behind_text(),
        Fault::stream("closed without an end of the answer", TEXT, Then::Ends, "unavailable", 1).behind_text(),
        Fault::stream("an answer of nothing", "", Then::Ends, "unavailable", 3),
    ]
}

fn silences() -> Vec<Fault> {
    let silence = |words: &str| Manner::Says(words.as_bytes().to_vec(), Then::Silence);
    vec![
        Fault::new("takes the request and says nothing", silence(""), "unavailable", 3),
        Fault::new("half a head and nothing more", silence("HTTP/1.1 200 OK\r\nContent-Ty"), "unavailable", 3),
        Fault::stream("a head and nothing more", "", Then::Silence, "unavailable", 3),
        Fault::stream("silence within the answer", TEXT, Then::Silence, "unavailable", 1).behind_text(),
        Fault::stream("a drip of comments alone", "", Then::Repeats(": ping\n\n", PAUSE), "unavailable", 3),
        Fault::stream(
            "a flood of comments alone",
            "",
            Then::Repeats(": ping ping ping ping\n\n", Duration::ZERO),
            "unavailable",
            3,
        ),
        Fault::stream("a drip of half an event", "data: ", Then::Repeats("x", PAUSE), "unavailable", 3),
        Fault::new(
            "a drip of headers",
            Manner::Says(b"HTTP/1.1 200 OK\r\n".to_vec(), Then::Repeats("X: y\r\n", PAUSE)),
            "unavailable",
            3,
        ),
    ]
}

fn nonsense() -> Vec<Fault> {
    const LINE: &str =
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    let gzip = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\nno gzip";
    let html = answer("200 OK", "Content-Type: text/html", &format!("<html>Log in, {KEY}</html>"));
    let json = answer("200 OK", "Content-Type: application/json", "{\"choices\":[]}");
    let error = format!("data: {{\"error\":{{\"message\":\"no: {KEY}\"}}}}\n\n");
    vec![
        Fault::says("a page instead of a stream", html, "protocol", 1),
        Fault::says("JSON instead of a stream", json, "protocol", 1),
        Fault::says(
            "nothing, said to be a stream",
            answer("200 OK", "Content-Type: text/event-stream", ""),
            "unavailable",
            3,
        ),
        Fault::says("a 204", answer("204 No Content", "", ""), "unavailable", 3),
        Fault::says("said to be gzip and is not", gzip.as_bytes().to_vec(), "unavailable", 3),
        Fault::says("no HTTP at all", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), "unavailable", 3),
        Fault::stream("an endless line", "data: ", Then::Repeats(LINE, Duration::ZERO), "protocol", 1),
        Fault::stream("an event that is no JSON", "data: {\"choices\n\n", Then::Ends, "protocol", 1),
        Fault::stream(
            "an event that is no JSON, behind text",
            &format!("{TEXT}data: <html>\n\n"),
            Then::Ends,
            "protocol",
            1,
        )
        .behind_text(),
        Fault::stream("two values in one event", "data: {} {}\n\n", Then::Ends, "protocol", 1),
        Fault::stream("an error that repeats the key", &error, Then::Ends, "unavailable", 3),
        Fault::stream("the same behind text", &format!("{TEXT}{error}"), Then::Ends, "unavailable", 1).behind_text(),
    ]
}

fn tools() -> Vec<Fault> {
    let call = |call: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{call}]}}}}]}}\n\n");
    let half = call(r#"{"index":0,"id":"a","function":{"name":"delete","arguments":"{\"path\": \"/"}}"#);
    let nameless = call(r#"{"index":0,"id":"a","function":{"arguments":"{}"}}"#);
    let array = call(r#"{"index":0,"id":"a","function":{"name":"delete","arguments":"[1]"}}"#);
    let end = |reason: &str| {
        format!("data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}\n\ndata: [DONE]\n\n")
    };
    let stops = end("tool_calls");
    vec![
        Fault::stream("half a tool call, then closed", &half, Then::Ends, "unavailable", 3),
        Fault::stream(
            "half a tool call, ended by [DONE] alone",
            &format!("{half}data: [DONE]\n\n"),
            Then::Ends,
            "protocol",
            1,
        ),
        Fault::stream(
            "half a tool call, cut by the length",
            &format!("{half}{}", end("length")),
            Then::Ends,
            "cut off, no call",
            1,
        ),
        Fault::stream("arguments that are no JSON", &format!("{half}{stops}"), Then::Ends, "bad arguments", 1),
        Fault::stream("arguments that are no object", &format!("{array}{stops}"), Then::Ends, "bad arguments", 1),
        Fault::stream("a tool call without a name", &format!("{nameless}{stops}"), Then::Ends, "protocol", 1),
        Fault::stream("stops for tools and names none", &stops, Then::Ends, "protocol", 1),
    ]
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Chat,
    Completion,
}

/// What a request came to.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) end: String,
    /// The error as it is shown.
    pub(crate) said: String,
    pub(crate) shown: String,
    pub(crate) time: Duration,
    pub(crate) tries: usize,
    pub(crate) has_leaked: bool,
}

/// Asks a server that goes wrong so.
pub(crate) async fn observe(fault: &Fault, ask: Ask, waits: Waits) -> Result<Observed> {
    let server = Faulty::serve(&fault.manner)?;
    let provider = provider("faulty", &format!("{}://{}/v1", fault.scheme, server.address), waits)?;
    let begun = Instant::now();
    let mut stream = match ask {
        Ask::Chat => provider.generate(chat()),
        Ask::Completion => provider.infill(completion()),
    };
    let (mut shown, mut calls, mut said) = (String::new(), Vec::new(), String::new());
    let end = loop {
        match stream.next().await.context("a stream without an end")? {
            Ok(Chunk::Text(text)) => shown.push_str(&text),
            Ok(Chunk::ToolCall(call)) => calls.push(call),
            Ok(Chunk::Reasoning(_) | Chunk::Unsure(_) | Chunk::Scored(_)) => {}
            Ok(Chunk::Done(_)) if calls.iter().any(|call| call.arguments().is_err()) => {
                break "bad arguments".to_owned();
            }
            Ok(Chunk::Done(_)) if calls.is_empty() => break "cut off, no call".to_owned(),
            Ok(Chunk::Done(done)) => break format!("{:?}", done.reason),
            Err(error) => {
                said = error.to_string();
                break error.kind().to_owned();
            }
        }
    };
    let (time, has_leaked) = (begun.elapsed(), said.contains(KEY) || server.was_told(KEY));
    Ok(Observed { end, said, shown, time, tries: server.connections(), has_leaked })
}

/// How long a completion takes to come from a sound provider behind one with this fault; `None` if the first one's text was
/// shown already.
pub(crate) async fn next_answers(fault: &Fault, waits: Waits) -> Result<Option<Duration>> {
    let (server, sound) = (Faulty::serve(&fault.manner)?, Faulty::serve(&sound())?);
    let first = provider("faulty", &format!("{}://{}/v1", fault.scheme, server.address), waits)?;
    let second = provider("sound", &format!("http://{}/v1", sound.address), waits)?;
    let listed = |provider| Listed { provider: Arc::new(provider), place: Place::ThisMachine, cost: 0.0 };
    let terms = Terms { policy: Policy::LocalFirst, rules: Vec::new(), consent: Arc::new(|_| Consent::Unknown) };
    let providers = vec![listed(first), listed(second)];
    let setup = Setup { providers, terms: Arc::new(terms), hedge: Hedge::Measured };
    let router = Router::new(setup, tokio::runtime::Handle::current());
    let begun = Instant::now();
    let mut request = completion();
    request.origin.task = Task::Completion;
    let mut stream = router.infill(request);
    loop {
        match stream.next().await.context("a stream without an end")? {
            Ok(Chunk::Text(_)) => break,
            // It answered, with nothing.
            Ok(Chunk::Done(_)) => return Ok(None),
            Ok(_) => {}
            Err(error) => bail!("nobody answered: {error}"),
        }
    }
    let from = stream.provenance().context("an answer without provenance")?;
    Ok((from.provider.as_str() == "sound").then(|| begun.elapsed()))
}

fn sound() -> Manner {
    let events = "data: {\"choices\":[{\"text\":\"a, b\",\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    Manner::Says((stream_head() + events).into_bytes(), Then::Ends)
}

fn provider(name: &str, url: &str, waits: Waits) -> Result<CloudProvider> {
    let endpoint = Endpoint::new(url, Cleartext::Loopback)?;
    let mut spec = CloudSpec::new(ProviderId::new(name), Service::Compatible, "model-1", endpoint);
    spec.key = Some(Key::new(KEY)?);
    spec.waits = waits;
    let gate: Gate = Arc::new(|_| Ok(Passage::unwatched()));
    Ok(CloudProvider::new(spec, gate, tokio::runtime::Handle::current())?)
}

fn chat() -> GenerateRequest {
    GenerateRequest::new(ClientId::new("faults"), Lane::Interactive, vec![Message::User("Hi".to_owned())])
}

fn completion() -> InfillRequest {
    InfillRequest {
        client: ClientId::new("faults"),
        origin: Origin::default(),
        lane: Lane::Interactive,
        prefix: "fn add(".to_owned(),
        suffix: ")".to_owned(),
        context: InfillContext::default(),
        prompt_tokens_max: 100,
        references: Vec::new(),
        sampling: Sampling::default(),
    }
}
