pub(crate) mod server;

use std::{sync::Mutex, time::Duration};

use server::{Reply, Server};

use super::*;
use crate::{
    ClientId, InfillContext, Sampling,
    cloud::{Cleartext, Departure, testing},
};

const OPENAI: &str = include_str!("../openai/fixtures/text.sse");
const CLAUDE: &str = include_str!("../claude/fixtures/text.sse");
const GEMINI: &str = include_str!("../gemini/fixtures/text.sse");
const SAID: &str = "Grüße, 世界!";
const KEY: &str = "sk-CANARY-0123456789abcdef";

fn spec(service: Service, url: &str) -> CloudSpec {
    let endpoint = Endpoint::new(url, Cleartext::Loopback).unwrap();
    let mut spec = CloudSpec::new(ProviderId::new("test"), service, "model-1", endpoint);
    spec.key = Some(Key::new(KEY).unwrap());
    spec.waits = Waits {
        connect: Duration::from_millis(500),
        first_byte: Duration::from_secs(5),
        between_bytes: Duration::from_secs(5),
    };
    spec
}

fn open() -> Gate {
    Arc::new(|_| Ok(crate::cloud::Passage::unwatched()))
}

fn provider(spec: CloudSpec) -> CloudProvider {
    CloudProvider::new(spec, open(), Handle::current()).unwrap()
}

fn asked() -> GenerateRequest {
    testing::request(vec![Message::User("Hi".to_owned())])
}

/// The text of an answer and how it ended. No secret is in any error.
async fn read(mut stream: GenerateStream) -> (String, String) {
    let mut text = String::new();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(crate::Chunk::Text(piece)) => text.push_str(&piece),
            Ok(crate::Chunk::Done(done)) => return (text, format!("{:?}", done.reason)),
            Ok(_) => {}
            Err(error) => {
                assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
                return (text, format!("{}: {error}", error.kind()));
            }
        }
    }
    (text, "nothing".to_owned())
}

/// The outcome of one request to a server that answers so, and how many requests it got.
async fn outcome(replies: Vec<Reply>) -> (String, String, usize) {
    outcome_with(replies, |_| {}).await
}

async fn outcome_with(replies: Vec<Reply>, change: impl FnOnce(&mut CloudSpec)) -> (String, String, usize) {
    let server = Server::start(replies).await;
    let mut spec = spec(Service::Compatible, &server.url);
    change(&mut spec);
    let (text, end) = read(provider(spec).generate(asked())).await;
    (text, end, server.requests().len())
}

#[track_caller]
fn assert_outcome(found: &(String, String, usize), text: &str, end: &str, requests: usize) {
    assert_eq!((found.0.as_str(), found.2), (text, requests), "{}", found.1);
    assert!(found.1.starts_with(end), "{}", found.1);
}

#[tokio::test]
async fn each_service_is_asked_in_its_own_way() {
    for (service, stream, path, header) in [
        (Service::OpenAi, OPENAI, "POST /v1/chat/completions HTTP/1.1", format!("authorization: Bearer {KEY}")),
        (Service::Claude, CLAUDE, "POST /v1/messages HTTP/1.1", format!("x-api-key: {KEY}")),
        (
            Service::Gemini,
            GEMINI,
            "POST /v1/models/model-1:streamGenerateContent?alt=sse HTTP/1.1",
            format!("x-goog-api-key: {KEY}"),
        ),
    ] {
        let server = Server::start([Reply::stream(stream)]).await;
        let found = read(provider(spec(service, &server.url)).generate(asked())).await;
        assert_eq!(found, (SAID.to_owned(), "EndOfText".to_owned()), "{service:?}");
        let request = &server.requests()[0];
        assert!(request.starts_with(path) && request.contains(&header), "{request}");
        assert!(request.contains("accept-encoding: identity"), "{request}");
        assert!(!request.lines().next().unwrap().contains(KEY), "{request}");
    }
}

fn infill() -> InfillRequest {
    InfillRequest {
        client: ClientId::new("test"),
        origin: crate::Origin::default(),
        lane: Lane::Interactive,
        prefix: "f(".to_owned(),
        suffix: ")".to_owned(),
        context: InfillContext::default(),
        prompt_tokens_max: 100,
        references: Vec::new(),
        sampling: Sampling::default(),
    }
}

#[tokio::test]
async fn an_infill_that_falls_silent_is_left_when_its_patience_is_over() {
    let half = "data: {\"choices\":[{\"text\":\"a, \"}]}\n\n";
    let server = Server::start([Reply::stream(half).stalling()]).await;
    let provider = provider(spec(Service::Compatible, &server.url));
    let found = read(provider.infill(infill())).await;
    assert_eq!(found, ("a, ".to_owned(), "unavailable: test: nothing came for 2.0 s".to_owned()));
}

#[tokio::test]
async fn infill_goes_where_the_service_has_it() {
    let stream = "data: {\"choices\":[{\"text\":\"a, b\",\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    for (service, path) in
        [(Service::Compatible, "POST /v1/completions "), (Service::Mistral, "POST /v1/fim/completions ")]
    {
        let server = Server::start([Reply::stream(stream)]).await;
        let found = read(provider(spec(service, &server.url)).infill(infill())).await;
        assert_eq!(found, ("a, b".to_owned(), "EndOfText".to_owned()));
        assert!(server.requests()[0].starts_with(path));
    }
    let chat = "data: {\"choices\":[{\"delta\":{\"content\":\"```py\\na, b\\n```\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let server = Server::start([Reply::stream(chat)]).await;
    let found = read(provider(spec(Service::Groq, &server.url)).infill(infill())).await;
    assert_eq!(found, ("a, b".to_owned(), "EndOfText".to_owned()));
    assert!(server.requests()[0].starts_with("POST /v1/chat/completions "));
    let mut none = spec(Service::Groq, "http://127.0.0.1:9/v1");
    none.infill = InfillWay::No;
    let none = provider(none);
    assert!(read(none.infill(infill())).await.1.starts_with("refused: "));
    assert!(!none.capabilities().fill_in_the_middle);
}

#[tokio::test]
async fn what_may_pass_is_tried_three_times_and_no_more() {
    let busy = |status| Reply::status(status, "", "{\"error\": \"busy\"}");
    let found = outcome(vec![busy("503 X"), busy("529 X"), Reply::stream(OPENAI)]).await;
    assert_outcome(&found, SAID, "EndOfText", 3);
    let found = outcome(vec![busy("500 X"), busy("502 X"), busy("503 X"), Reply::stream(OPENAI)]).await;
    assert_outcome(&found, "", "unavailable: test: HTTP 503: busy", 3);
}

#[tokio::test]
async fn what_will_stay_so_is_tried_once_and_the_provider_is_named() {
    let body = format!("{{\"error\": {{\"message\": \"bad key {KEY}\"}}}}");
    for (status, end) in [
        ("401 X", "unauthorized: not authorised: test: HTTP 401: bad key (key)"),
        ("403 X", "unauthorized: "),
        ("404 X", "refused: the provider refused: test: HTTP 404"),
        ("422 X", "protocol: protocol error: test: HTTP 422"),
        ("400 X", "protocol: "),
    ] {
        let found = outcome(vec![Reply::status(status, "", &body), Reply::stream(OPENAI)]).await;
        assert_outcome(&found, "", end, 1);
    }
}

#[tokio::test]
async fn a_provider_that_asks_for_a_pause_gets_it() {
    let limited = |seconds| Reply::status("429 X", &format!("Retry-After: {seconds}"), "");
    let found = outcome(vec![limited(3000), Reply::stream(OPENAI)]).await;
    assert_outcome(&found, "", "rate-limited: the provider asks to wait 3000s", 1);
    for first in [limited(1), Reply::status("503 X", "Retry-After: 1", "")] {
        let begun = std::time::Instant::now();
        let found = outcome(vec![first, Reply::stream(OPENAI)]).await;
        assert_outcome(&found, SAID, "EndOfText", 2);
        assert!(begun.elapsed() >= Duration::from_secs(1));
    }
}

#[tokio::test]
async fn an_answer_that_is_not_whole_is_an_error_and_not_asked_for_again() {
    let half = &OPENAI[..OPENAI.find("{\"content\":\", 世\"}").unwrap()];
    let half = &half[..half.rfind("data:").unwrap()];
    let found = outcome(vec![Reply::stream(half), Reply::stream(OPENAI)]).await;
    assert_outcome(&found, "Grüße", "unavailable: test: the stream ended before the answer did", 1);
    let within = format!("{half}data: {{\"choices\":[{{\"del");
    let found = outcome(vec![Reply::stream(within), Reply::stream(OPENAI)]).await;
    let told = "unavailable: test: the stream ended within an event: an event is no JSON";
    assert_outcome(&found, "Grüße", told, 1);
    let found = outcome(vec![Reply::broken(half), Reply::stream(OPENAI)]).await;
    assert_outcome(&found, "Grüße", "unavailable: test: the connection broke", 1);
    let error = format!("{half}data: {{\"error\":{{\"message\":\"overloaded {KEY}\"}}}}\n\n");
    let found = outcome(vec![Reply::stream(error), Reply::stream(OPENAI)]).await;
    assert_outcome(&found, "Grüße", "unavailable: test: overloaded [redacted]", 1);
    let stalled = outcome_with(vec![Reply::stream(half).stalling()], |spec| {
        spec.waits.between_bytes = Duration::from_millis(100);
    });
    assert_outcome(&stalled.await, "Grüße", "unavailable: test: nothing came for 0.1 s", 1);
}

#[tokio::test]
async fn silence_before_the_answer_has_its_own_bound_and_other_tries() {
    let found = outcome_with(vec![Reply::mute(), Reply::stream("").stalling(), Reply::stream(OPENAI)], |spec| {
        spec.waits.first_byte = Duration::from_secs(1);
    });
    assert_outcome(&found.await, SAID, "EndOfText", 3);
}

#[tokio::test]
async fn what_is_no_stream_is_an_error() {
    let html = Reply::new("200 OK", "Content-Type: text/html", "<html>Log in</html>");
    let found = outcome(vec![html]).await;
    assert_outcome(&found, "", "protocol: protocol error: test: it answered with text/html where a stream", 1);
    let error =
        Reply::new("200 OK", "Content-Type: application/json", "{\"error\": {\"message\": \"no\", \"code\": 401}}");
    assert_outcome(&outcome(vec![error]).await, "", "unauthorized: not authorised: test: no", 1);
    let empty = || Reply::stream("");
    assert_outcome(&outcome(vec![empty(), empty(), empty()]).await, "", "unavailable: test: the stream ended", 3);
    let garbage = Reply::stream("\u{1F}\u{8B}garbage");
    assert_outcome(&outcome(vec![garbage, Reply::stream(OPENAI)]).await, SAID, "EndOfText", 2);
    let lie = Reply::new("200 OK", "Content-Type: text/event-stream\nContent-Encoding: gzip", "no gzip");
    assert_outcome(&outcome(vec![lie, Reply::stream(OPENAI)]).await, SAID, "EndOfText", 2);
    let long = format!("data: {}\n\n", "x".repeat(limits::SSE_EVENT_BYTES_MAX));
    assert_outcome(
        &outcome(vec![Reply::stream(long)]).await,
        "",
        "protocol: protocol error: test: an event of the stream",
        1,
    );
}

#[tokio::test]
async fn a_whole_answer_does_not_wait_for_the_end_of_the_stream() {
    let whole = &OPENAI[..OPENAI.find("data: [DONE]").unwrap()];
    let found = outcome_with(vec![Reply::stream(whole).stalling()], |spec| {
        spec.waits.between_bytes = Duration::from_millis(100);
    });
    assert_outcome(&found.await, SAID, "EndOfText", 1);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::start([Reply::stream(OPENAI)]).await;
    let to = format!("Location: {}/chat/completions", elsewhere.url);
    for status in ["301 X", "302 X", "307 X", "308 X"] {
        let found = outcome(vec![Reply::status(status, &to, "")]).await;
        assert_outcome(&found, "", "protocol: protocol error: test: HTTP 30", 1);
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let half = &OPENAI[..OPENAI.find("{\"content\":\"界!\"}").unwrap()];
    let mut server = Server::start([Reply::stream(half).stalling(), Reply::mute()]).await;
    let provider = provider(spec(Service::Compatible, &server.url));
    let mut stream = provider.generate(asked());
    stream.next().await.unwrap().unwrap();
    drop(stream);
    tokio::time::timeout(Duration::from_secs(5), server.closed.recv()).await.unwrap().unwrap();
    let silent = provider.generate(asked());
    while server.requests().len() < 2 {
        tokio::task::yield_now().await;
    }
    drop(silent);
    tokio::time::timeout(Duration::from_secs(5), server.closed.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_closed_gate_lets_no_connection_open() {
    let server = Server::start([Reply::stream(OPENAI)]).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    let gate: Gate = Arc::new(move |departure: &Departure<'_>| {
        noted.lock().unwrap().push((departure.host.to_owned(), departure.is_loopback, departure.bytes > 20));
        Err(LlmError::Refused { reason: "this workspace is local-only".to_owned() })
    });
    let host = server.url.trim_start_matches("http://").trim_end_matches("/v1").to_owned();
    let provider = CloudProvider::new(spec(Service::Compatible, &server.url), gate, Handle::current()).unwrap();
    let found = read(provider.generate(asked())).await;
    assert_eq!(found.1, "refused: the provider refused: test: this workspace is local-only");
    assert_eq!((server.requests().len(), seen.lock().unwrap().clone()), (0, vec![(host, true, true)]));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unavailable() {
    // Bound and not listening: nobody else can get it meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let provider = provider(spec(Service::Compatible, &format!("http://{}/v1", socket.local_addr().unwrap())));
    let found = read(provider.generate(asked())).await;
    assert!(found.1.starts_with("unavailable: test: "), "{found:?}");
}

#[tokio::test]
async fn nothing_is_asked_that_cannot_be_had() {
    let provider = provider(spec(Service::OpenAi, "http://127.0.0.1:9/v1"));
    let grammar = GenerateRequest { output: OutputFormat::Grammar("start: \"a\"".to_owned()), ..asked() };
    assert!(read(provider.generate(grammar)).await.1.starts_with("refused: "));
    assert_eq!(
        read(provider.generate(GenerateRequest { lane: Lane::Warm, ..asked() })).await.1,
        "cancelled: cancelled"
    );
}

#[tokio::test]
async fn a_spec_that_no_request_can_be_sent_with_is_refused() {
    let with = |change: fn(&mut CloudSpec)| {
        let mut spec = spec(Service::Claude, "https://host/v1");
        change(&mut spec);
        CloudProvider::new(spec, open(), Handle::current())
            .map(|provider| format!("{provider:?}"))
            .map_err(|bad| bad.to_string())
    };
    assert!(!with(|_| {}).unwrap().contains("CANARY"));
    assert_eq!(with(|spec| spec.model.clear()).unwrap_err(), "test: no model is named");
    let header =
        |spec: &mut CloudSpec| spec.headers.push(Header { name: "a b".to_owned(), value: Key::new("x").unwrap() });
    let words = |spec: &mut CloudSpec| {
        let value = Key::header_value("Bearer CANARY").unwrap();
        spec.headers.push(Header { name: "Authorization".to_owned(), value });
    };
    assert!(!with(words).unwrap().contains("CANARY"));
    assert_eq!(with(header).unwrap_err(), "test: \"a b\" is no header");
    assert_eq!(with(|spec| spec.proxy = Key::new("::").ok()).unwrap_err(), "test: the proxy is no address");
}

#[test]
fn secrets_stay_when_the_prompt_leaves() {
    let mut message = Message::User("DB_PASSWORD=hunter2hunter2".to_owned());
    redact_message(&mut message);
    assert_eq!(message, Message::User("DB_PASSWORD=[redacted]".to_owned()));
}
