//! The client against a daemon of three lines: what it sends, what it makes of answers, and links that break.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::routing::{get, post};
use finch_llm::{
    Answer, Chunk, ClientId, Done, Excerpt, GenerateRequest, GenerateStream, InfillContext, InfillRequest, Lane,
    LlmError, Message, ModelState, Origin, OutputFormat, Provider as _, Sampling, StopReason, Task, Timings, ToolCall,
    ToolChoice, ToolResult, ToolSpec, Usage, state_channel,
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Daemon, Ensure, Link, NoDaemon, Up, body, link, read};
use crate::endpoint::Token;

const DEADLINE: Duration = Duration::from_secs(20);

fn sampling() -> Sampling {
    Sampling {
        temperature: 0.0,
        top_p: 1.0,
        seed: 7,
        tokens_max: 9,
        stop: vec!["\n".to_owned()],
        ..Sampling::default()
    }
}

fn infill(prefix: &str) -> InfillRequest {
    InfillRequest {
        client: ClientId::new("editor"),
        origin: Origin {
            task: Task::Completion,
            workspace: Some(Path::new("/work").into()),
            files: vec!["a.rs".to_owned()],
            ..Origin::default()
        },
        lane: Lane::Interactive,
        prefix: prefix.to_owned(),
        suffix: "}".to_owned(),
        context: InfillContext {
            path: Some("a.rs".to_owned()),
            excerpts: vec![Excerpt { name: "b.rs".to_owned(), text: "mod b;".into(), is_foreign: true }],
            tokens_max: 64,
            ..InfillContext::default()
        },
        prompt_tokens_max: 512,
        references: vec!["fn a() {}".into()],
        sampling: Sampling { unsure_below: 0.5, ..sampling() },
    }
}

#[test]
fn an_infill_is_a_completion_with_a_suffix() {
    let expected = json!({
        "model": "local", "stream": true, "max_tokens": 9, "temperature": 0.0, "top_p": 1.0, "seed": 7, "stop": ["\n"],
        "prompt": "fn a() {", "suffix": "}",
        "finch": {
            "client": "editor", "lane": "interactive", "task": "completion", "workspace": "/work", "files": ["a.rs"],
            "references": ["fn a() {}"],
            "context": {
                "path": "a.rs", "excerpts": [{"name": "b.rs", "text": "mod b;", "is_foreign": true}], "tokens_max": 64
            },
            "prompt_tokens_max": 512, "unsure_below": 0.5
        }
    });
    assert_eq!(body::infill(infill("fn a() {")), expected);
}

#[test]
fn a_conversation_is_a_chat_and_says_which_calls_failed() {
    let call = ToolCall { id: "1".to_owned(), name: "read".to_owned(), arguments_json: "{}".to_owned() };
    let messages = vec![
        Message::System("Be brief.".to_owned()),
        Message::User("Read it.".to_owned()),
        Message::Assistant(Answer { tool_calls: vec![call], ..Answer::default() }),
        Message::ToolResult(ToolResult { call_id: "1".to_owned(), text: "no such file".to_owned(), is_error: true }),
    ];
    let parameters = json!({"type": "object"});
    let tool = ToolSpec { name: "read".to_owned(), description: "Reads.".to_owned(), parameters: parameters.clone() };
    let request = GenerateRequest {
        tools: vec![tool],
        tool_choice: ToolChoice::Tool("read".to_owned()),
        output: OutputFormat::JsonSchema(json!({"type": "array"})),
        sampling: sampling(),
        ..GenerateRequest::new(ClientId::new("agent"), Lane::Batch, messages)
    };
    let function = json!({"name": "read", "arguments": "{}"});
    let expected = json!({
        "model": "local", "stream": true, "max_tokens": 9, "temperature": 0.0, "top_p": 1.0, "seed": 7, "stop": ["\n"],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Read it."},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "1", "type": "function", "function": function}]},
            {"role": "tool", "tool_call_id": "1", "content": "no such file"}
        ],
        "tools": [{
            "type": "function", "function": {"name": "read", "description": "Reads.", "parameters": parameters}
        }],
        "tool_choice": {"type": "function", "function": {"name": "read"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "array"}}},
        "finch": {"client": "agent", "lane": "batch", "task": "chat", "failed_calls": ["1"]}
    });
    assert_eq!(body::chat(request), expected);
}

#[test]
fn long_references_stay_here() {
    let long: Arc<str> = "x".repeat(100_000).into();
    let request = InfillRequest { references: vec![long.clone(), long.clone(), long], ..infill("") };
    assert_eq!(body::infill(request)["finch"]["references"].as_array().map(Vec::len), Some(1));
}

fn done(reason: StopReason, usage: Usage, timings: Timings) -> Chunk {
    Chunk::Done(Done { reason, usage, timings })
}

#[test]
fn events_become_chunks() {
    #[track_caller]
    fn check(event: &Value, expected: &[Chunk]) {
        assert_eq!(read::event(&event.to_string()).unwrap().chunks, expected, "{event}");
    }
    check(&json!({"choices": [{"text": " a"}]}), &[Chunk::Text(" a".to_owned())]);
    check(&json!({"choices": [{"delta": {"role": "assistant", "content": ""}}]}), &[]);
    check(&json!({"choices": [{"delta": {"content": "\n"}}]}), &[Chunk::Text("\n".to_owned())]);
    check(&json!({"choices": [{"delta": {"reasoning_content": "hm"}}]}), &[Chunk::Reasoning("hm".to_owned())]);
    let call = json!({"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let expected = ToolCall { id: "c".to_owned(), name: "f".to_owned(), arguments_json: "{}".to_owned() };
    check(&json!({"choices": [{"delta": {"tool_calls": [call]}}]}), &[Chunk::ToolCall(expected)]);
    check(&json!({"choices": [], "finch": {"unsure": 0.25}}), &[Chunk::Unsure(0.25)]);
    let usage = Usage { prompt_tokens: 5, cached_tokens: 3, ..Usage::default() };
    let timings = Timings { decode: Duration::from_millis(2), ..Timings::default() };
    let last = json!({
        "choices": [{"text": "", "finish_reason": "stop"}],
        "finch": {"reason": "stop-text", "usage": {"prompt_tokens": 5, "cached_tokens": 3}, "ms": {"decode": 2.0}}
    });
    check(&last, &[done(StopReason::StopText, usage, timings)]);
}

#[test]
fn errors_come_back_as_what_they_were() {
    let told = [
        LlmError::Cancelled,
        LlmError::Overloaded,
        LlmError::RateLimited { retry_after: Duration::from_millis(1500) },
        LlmError::Unauthorized { reason: "no key".to_owned() },
        LlmError::ContextTooLong { tokens: 9, tokens_max: 8 },
        LlmError::Loading,
        LlmError::Unavailable { reason: "no model".to_owned() },
        LlmError::Refused { reason: "no".to_owned() },
    ];
    for error in told {
        let extension = crate::wire::ErrorExtension::of(&error);
        let reason = match &error {
            LlmError::Unauthorized { reason } | LlmError::Unavailable { reason } | LlmError::Refused { reason } => {
                reason
            }
            _ => "as its kind says",
        };
        let body = json!({"error": {"message": reason, "code": error.kind(), "finch": extension}}).to_string();
        assert_eq!(read::event(&body).unwrap_err(), error);
        assert_eq!(read::refusal(503, body.as_bytes()), error);
    }
    assert_eq!(read::refusal(502, b"<html>").kind(), "protocol");
    assert_eq!(read::event("{").unwrap_err().kind(), "protocol");
}

/// A daemon whose answers are given.
#[derive(Clone, Default)]
struct Fake {
    /// What `/v1/events` says.
    events: String,
    /// What each request is answered, the last one again and again; an answer that does not end with `!` breaks, and one
    /// that ends with `?` goes silent.
    answers: Vec<&'static str>,
    /// It begins to answer when the stream of its events has ended, as told by this.
    drains: Option<Arc<Notify>>,
    /// It dies as soon as its events are said, rather than to end in order.
    dies: bool,
    asked: Arc<AtomicUsize>,
    bodies: Arc<Mutex<Vec<Value>>>,
}

const ANSWER: &str = concat!(
    "data: {\"choices\":[{\"text\":\" yes\"}]}\n\n",
    "data: {\"choices\":[{\"text\":\"\"}],\"finch\":{\"reason\":\"end-of-text\"}}\n\ndata: [DONE]\n\n!"
);

fn ready() -> String {
    let capabilities = json!({
        "model": "m", "fill_in_the_middle": true, "chat": true, "tools": true, "structured_output": true,
        "context_tokens_max": 4096
    });
    format!("data: {}\n\n", json!({"state": {"state": "ready", "model": "m"}, "capabilities": capabilities}))
}

fn loading() -> String {
    format!("data: {}\n\n", json!({"state": {"state": "loading", "model": "m"}}))
}

impl Fake {
    /// Listens; aborting the task breaks every connection.
    async fn start(self) -> (String, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app =
            Router::new().route("/v1/events", get(events)).route("/v1/completions", post(answer)).with_state(self);

        let serving = tokio::spawn(serve(listener, app));
        (url, serving)
    }
}

/// Every connection is part of this task, so that aborting it breaks them all.
async fn serve(listener: TcpListener, app: Router) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper_util::service::TowerToHyperService::new(app.clone());
        let io = hyper_util::rt::TokioIo::new(stream);
        connections.spawn(async move {
            // A client that leaves is no fault here.
            hyper::server::conn::http1::Builder::new().serve_connection(io, service).await.ok();
        });
    }
}

async fn events(State(fake): State<Fake>) -> Body {
    let first = stream::once({
        let events = fake.events.clone();
        async move { Ok(events) }
    });
    let end = async move {
        match fake.drains {
            _ if fake.dies => {
                // What was said is on its way.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return Err(std::io::Error::other("killed"));
            }
            Some(drains) => drains.notified().await,
            None => std::future::pending().await,
        }
        Ok(String::new())
    };
    Body::from_stream(futures_util::StreamExt::chain(first, stream::once(end)))
}

async fn answer(State(fake): State<Fake>, body: Bytes) -> Body {
    fake.bodies.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    let turn = fake.asked.fetch_add(1, Ordering::SeqCst);
    if let Some(drains) = fake.drains {
        drains.notify_one();
        // Its client hears of the end first.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let text = fake.answers.get(turn).or(fake.answers.last()).copied().unwrap_or("");
    let (text, goes_silent) = text.strip_suffix('?').map_or((text, false), |text| (text, true));
    let (text, breaks) = text.strip_suffix('!').map_or((text, true), |text| (text, false));
    let end = stream::once(async move {
        if goes_silent {
            std::future::pending::<()>().await;
        }
        // What was said is on its way before the connection breaks.
        tokio::time::sleep(Duration::from_millis(50)).await;
        if breaks { Err(std::io::Error::other("broken")) } else { Ok("") }
    });
    Body::from_stream(futures_util::StreamExt::chain(stream::iter([Ok(text)]), end))
}

fn client(state: finch_llm::StateSender) -> Daemon {
    Daemon::new("test", state, Handle::current()).unwrap()
}

fn token() -> Token {
    let home = tempfile::tempdir().unwrap();
    Token::read_or_make(home.path()).unwrap()
}

/// Says one daemon after the other, then that there is none.
fn ensure(urls: Vec<String>) -> Ensure {
    course(urls.into_iter().map(Ok).collect()).0
}

/// The same of looks that may find none, and how often it was looked.
fn course(looks: Vec<Result<String, NoDaemon>>) -> (Ensure, Arc<AtomicUsize>) {
    let (left, looked) = (Mutex::new(looks.into_iter()), Arc::<AtomicUsize>::default());
    let count = Arc::clone(&looked);
    let ensure: Ensure = Arc::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
        let next = left.lock().unwrap().next().unwrap_or(Err(NoDaemon::NotWanted));
        Box::pin(async move { next.map(|url| Link::new(url, token())) })
    });
    (ensure, looked)
}

/// Where so many of these listen.
async fn started(count: usize, fake: impl Fn() -> Fake) -> Vec<String> {
    let mut urls = Vec::new();
    for _ in 0..count {
        urls.push(fake().start().await.0);
    }
    urls
}

/// Daemons that say this and die.
async fn short_lives(count: usize, events: &str) -> Vec<String> {
    started(count, || Fake { events: events.to_owned(), dies: true, ..Fake::default() }).await
}

/// Daemons that say this and end in order.
async fn stopped(count: usize, events: &str) -> Vec<String> {
    let told = || {
        let drains = Arc::new(Notify::new());
        drains.notify_one();
        drains
    };
    started(count, || Fake { events: events.to_owned(), drains: Some(told()), ..Fake::default() }).await
}

async fn whole(mut stream: GenerateStream) -> Result<String, LlmError> {
    let mut text = String::new();
    loop {
        match timeout(DEADLINE, stream.next()).await.unwrap() {
            Some(Ok(Chunk::Text(more))) => text.push_str(&more),
            Some(Ok(Chunk::Done(_))) => return Ok(text),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error),
            None => panic!("it ended without an end"),
        }
    }
}

/// A client whose model is ready.
async fn linked(ensure: Ensure) -> Daemon {
    let (sender, mut state) = state_channel();
    let daemon = client(sender);
    let keeper = daemon.clone();
    tokio::spawn(async move { keeper.keep_linked(ensure).await });
    timeout(DEADLINE, state.wait_for(|state| matches!(state, ModelState::Ready { .. }))).await.unwrap().unwrap();
    daemon
}

#[tokio::test]
async fn a_daemon_answers_and_tells_what_it_can() {
    let fake = Fake { events: ready(), answers: vec![ANSWER], ..Fake::default() };
    let bodies = Arc::clone(&fake.bodies);
    let (url, _serving) = fake.start().await;
    let daemon = linked(ensure(vec![url])).await;
    assert_eq!(daemon.capabilities().context_tokens_max, 4096);
    assert_eq!(whole(daemon.infill(infill("fn a"))).await, Ok(" yes".to_owned()));
    assert_eq!(bodies.lock().unwrap()[0]["prompt"], "fn a");
}

#[tokio::test]
async fn what_broke_before_anything_was_shown_is_sent_again() {
    let answers = vec!["", "", ANSWER];
    let (url, _serving) = Fake { events: ready(), answers, ..Fake::default() }.start().await;
    let daemon = linked(ensure(vec![url])).await;
    assert_eq!(whole(daemon.infill(infill("fn a"))).await, Ok(" yes".to_owned()));
}

#[tokio::test]
async fn a_daemon_that_ends_gives_the_answers_that_it_was_asked_for() {
    let fake = Fake { events: ready(), answers: vec![ANSWER], drains: Some(Arc::default()), ..Fake::default() };
    let asked = Arc::clone(&fake.asked);
    let (url, _serving) = fake.start().await;
    let daemon = linked(ensure(vec![url])).await;
    assert_eq!(whole(daemon.infill(infill("fn a"))).await, Ok(" yes".to_owned()));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_daemon_that_stands_still_while_it_ends_is_not_waited_for() {
    let answers = vec!["data: {\"choices\":[{\"text\":\" y\"}]}\n\n?"];
    let fake = Fake { events: ready(), answers, drains: Some(Arc::default()), ..Fake::default() };
    let (url, _serving) = fake.start().await;
    let mut stream = linked(ensure(vec![url])).await.infill(infill("fn a"));
    let first = timeout(DEADLINE, stream.next()).await.unwrap();
    assert_eq!(first, Some(Ok(Chunk::Text(" y".to_owned()))));
    // From here on nothing happens but waits.
    tokio::time::pause();
    let next = timeout(Duration::from_secs(3600), stream.next()).await.unwrap();
    assert_eq!(next.unwrap().unwrap_err().kind(), "unavailable");
}

#[tokio::test]
async fn what_broke_after_something_was_shown_is_an_error() {
    let answers = vec!["data: {\"choices\":[{\"text\":\" y\"}]}\n\n", ANSWER];
    let fake = Fake { events: ready(), answers, ..Fake::default() };
    let asked = Arc::clone(&fake.asked);
    let (url, _serving) = fake.start().await;
    let daemon = linked(ensure(vec![url])).await;
    assert_eq!(whole(daemon.infill(infill("fn a"))).await.unwrap_err().kind(), "unavailable");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn requests_outlive_a_daemon_that_dies() {
    let (first, dying) = Fake { events: ready(), answers: vec![ANSWER], ..Fake::default() }.start().await;
    let (second, _serving) = Fake { events: ready(), answers: vec![ANSWER], ..Fake::default() }.start().await;
    let daemon = linked(ensure(vec![first, second])).await;
    dying.abort();
    for _ in 0..20 {
        assert_eq!(whole(daemon.infill(infill("fn a"))).await, Ok(" yes".to_owned()));
    }
    assert_eq!(daemon.capabilities().model, "m", "nobody took the model for gone");
}

#[tokio::test]
async fn without_a_daemon_it_says_so_and_answers_nothing() {
    let (sender, _state) = state_channel();
    let daemon = client(sender);
    assert_eq!(whole(daemon.infill(infill("fn a"))).await, Err(LlmError::Loading));
    let no = timeout(DEADLINE, daemon.keep_linked(ensure(Vec::new()))).await.unwrap();
    assert_eq!(no, NoDaemon::NotWanted);
    assert_eq!(whole(daemon.infill(infill("fn a"))).await, Err(LlmError::Loading));
}

#[tokio::test]
async fn a_daemon_that_dies_as_soon_as_it_is_asked_is_given_up() {
    let (sender, _state) = state_channel();
    let daemon = client(sender);
    let closed = "http://127.0.0.1:1".to_owned();
    let no = timeout(DEADLINE, daemon.keep_linked(ensure(vec![closed; 9]))).await.unwrap();
    assert!(no.to_string().contains("log"), "{no}");
}

#[tokio::test]
async fn a_daemon_that_dies_while_it_loads_is_not_started_for_ever() {
    let (sender, state) = state_channel();
    let daemon = client(sender);
    let urls = short_lives(9, &loading()).await;
    let (ensure, looked) = course(urls.into_iter().map(Ok).collect());
    let no = timeout(DEADLINE, daemon.keep_linked(ensure)).await.unwrap();
    assert_eq!((no, looked.load(Ordering::SeqCst)), (NoDaemon::Dies(3), 3));
    assert_eq!(*state.borrow(), ModelState::Starting);
}

#[tokio::test]
async fn a_daemon_whose_model_was_ready_may_end_as_often_as_it_likes() {
    let (sender, _state) = state_channel();
    let daemon = client(sender);
    let mut urls = short_lives(2, &loading()).await;
    urls.extend(short_lives(5, &ready()).await);
    urls.extend(short_lives(2, &loading()).await);
    let (ensure, looked) = course(urls.into_iter().map(Ok).collect());
    let no = timeout(DEADLINE, daemon.keep_linked(ensure)).await.unwrap();
    assert_eq!((no, looked.load(Ordering::SeqCst)), (NoDaemon::NotWanted, 12));
}

#[tokio::test]
async fn a_daemon_that_is_told_to_end_while_it_loads_has_not_died() {
    let (sender, _state) = state_channel();
    let daemon = client(sender);
    let (ensure, looked) = course(stopped(4, &loading()).await.into_iter().map(Ok).collect());
    let no = timeout(DEADLINE, daemon.keep_linked(ensure)).await.unwrap();
    assert_eq!((no, looked.load(Ordering::SeqCst)), (NoDaemon::NotWanted, 7));
}

#[test]
fn how_long_it_loaded_before_it_died_makes_no_difference() {
    let mut course = link::Course::default();
    let late = Duration::from_secs(3600);
    assert!(course.link_ended(link::Told::Loads, link::End::Broke, late).is_ok());
    assert!(course.link_ended(link::Told::Loads, link::End::Broke, late).is_ok());
    // One without a model was good for as long.
    assert!(course.link_ended(link::Told::Settled, link::End::Broke, late).is_ok());
    for _ in 0..2 {
        assert!(course.link_ended(link::Told::Loads, link::End::Broke, late).is_ok());
    }
    assert_eq!(course.link_ended(link::Told::Loads, link::End::Broke, late), Err(NoDaemon::Dies(3)));
}

#[tokio::test(start_paused = true)]
async fn while_a_daemon_is_held_up_requests_do_not_wait() {
    let (sender, _state) = state_channel();
    let daemon = client(sender);
    let (ensure, _) = course(vec![Err(NoDaemon::HeldUp("it does not answer".to_owned())); 1000]);
    daemon.shared.up.send_replace(Up::Broken);
    let keeper = daemon.clone();
    let kept = tokio::spawn(async move { keeper.keep_linked(ensure).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = tokio::time::Instant::now();
    assert_eq!(whole(daemon.infill(infill("fn a"))).await, Err(LlmError::Loading));
    assert!(asked.elapsed() < Duration::from_millis(10), "{:?}", asked.elapsed());
    kept.abort();
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_held_up_is_waited_for_as_long_as_that_lasts() {
    let (sender, _state) = state_channel();
    let daemon = client(sender);
    let (ensure, looked) = course(vec![Err(NoDaemon::HeldUp("it does not answer".to_owned())); 20]);
    let started = tokio::time::Instant::now();
    assert_eq!(daemon.keep_linked(ensure).await, NoDaemon::NotWanted);
    assert_eq!(looked.load(Ordering::SeqCst), 23);
    let waited = started.elapsed();
    // It is looked less and less often, and at last every five seconds.
    assert!(waited > Duration::from_secs(80) && waited < Duration::from_secs(100), "{waited:?}");
}

#[tokio::test]
async fn a_model_that_loads_is_said_to_load() {
    let (url, _serving) = Fake { events: loading(), answers: vec![ANSWER], ..Fake::default() }.start().await;
    let (sender, mut state) = state_channel();
    let daemon = client(sender);
    let keeper = daemon.clone();
    tokio::spawn(async move { keeper.keep_linked(ensure(vec![url])).await });
    timeout(DEADLINE, state.wait_for(|state| matches!(state, ModelState::Loading { .. }))).await.unwrap().unwrap();
    assert_eq!(whole(daemon.infill(infill("fn a"))).await, Err(LlmError::Loading));
    assert!(daemon.capabilities().model.is_empty());
}
