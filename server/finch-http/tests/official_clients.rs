//! The official clients of OpenAI (Python and npm) and of Anthropic (Python) against the server, over a scripted model.
//!
//! `tests/support/install-openai-clients.sh` installs them; what they do and check is in `tests/openai_clients/`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and shows what was said"
)]

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use finch_http::{
    Asked, Found, Host, Models, Offer, Sessions,
    endpoint::{Nonce, Token},
};
use finch_llm::{
    Capabilities, Chunk, Done, GenerateRequest, GenerateStream, InfillRequest, LlmError, Message, Origin, OutputFormat,
    Progress, Provider, ProviderId, StopReason, Timings, ToolCall, ToolChoice, Usage, state_channel, stream,
};
use tokio::{net::TcpListener, process::Command, sync::oneshot, time::timeout};

#[path = "../../../tests/support/openai_clients.rs"]
mod openai_clients;

/// For one client's whole script. They take a few seconds, and made-up requests as long as there are many of them.
const SCRIPT_WAIT: Duration = Duration::from_secs(1200);
const USAGE: Usage = Usage {
    prompt_tokens: 7,
    cached_tokens: 0,
    suffix_tokens: 0,
    generated_tokens: 3,
    drafted_tokens: 0,
    accepted_tokens: 0,
};

/// A model whose answer follows from the question.
struct Known;

fn told(chunks: Vec<Result<Chunk, LlmError>>) -> GenerateStream {
    let (sender, stream) = stream();
    sender.report(Progress { usage: Usage { generated_tokens: 0, ..USAGE }, timings: Timings::default() });
    for chunk in chunks {
        sender.try_send(chunk).unwrap();
    }
    stream
}

fn text(texts: &[&str]) -> GenerateStream {
    let chunks = texts.iter().map(|text| Ok(Chunk::Text((*text).to_owned())));
    told(chunks.chain([done(StopReason::EndOfText)]).collect())
}

fn done(reason: StopReason) -> Result<Chunk, LlmError> {
    Ok(Chunk::Done(Done { reason, usage: USAGE, timings: Timings::default() }))
}

fn answer(request: &GenerateRequest) -> GenerateStream {
    match request.messages.last() {
        Some(Message::User(said)) if said == "overload" => GenerateStream::failed(LlmError::Overloaded),
        Some(Message::User(said)) if said == "too long" => {
            GenerateStream::failed(LlmError::ContextTooLong { tokens: 9, tokens_max: 8 })
        }
        Some(Message::User(said)) if said == "break" => {
            let broken = LlmError::Unavailable { reason: "the model was unloaded".to_owned() };
            told(vec![Ok(Chunk::Text("Hel".to_owned())), Err(broken)])
        }
        Some(Message::User(said)) if said == "And?" => {
            let said = request.messages.iter().filter(|message| matches!(message, Message::User(_))).count();
            text(&[&format!("You said {said} things.")])
        }
        Some(Message::ToolResult(result)) => text(&["It is ", &result.text, "."]),
        _ if request.tool_choice == ToolChoice::Required => {
            let arguments_json = "{\"city\": \"Rome\"}".to_owned();
            let call = ToolCall { id: "call_1".to_owned(), name: request.tools[0].name.clone(), arguments_json };
            told(vec![Ok(Chunk::ToolCall(call)), done(StopReason::ToolCalls)])
        }
        _ if matches!(request.output, OutputFormat::JsonSchema(_)) => text(&["{\"city\": ", "\"Rome\"}"]),
        _ => text(&["Hello,", "\n  ", "world!"]),
    }
}

impl Provider for Known {
    fn id(&self) -> ProviderId {
        ProviderId::new("local")
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            model: "tiny".to_owned(),
            fill_in_the_middle: true,
            chat: true,
            tools: true,
            structured_output: true,
            context_tokens_max: 4096,
        }
    }

    fn generate(&self, request: GenerateRequest) -> GenerateStream {
        answer(&request)
    }

    fn infill(&self, request: InfillRequest) -> GenerateStream {
        text(&["<", &request.prefix, "|", &request.suffix, ">"])
    }
}

struct One;

impl Models for One {
    fn offers(&self) -> Vec<Offer> {
        vec![Offer { id: "tiny".to_owned(), owner: "local".to_owned(), created_s: 1_700_000_000 }]
    }

    fn find(&self, asked: Asked<'_>) -> Option<Found> {
        let origin = Origin { task: asked.task, ..Origin::default() };
        (asked.model == "tiny").then(|| Found { provider: Arc::new(Known), origin })
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Runs a client's script against a server of its own, and gives back what it printed.
async fn run(command: Command) -> String {
    run_with(command, None).await
}

/// The same with something more to tell the script.
async fn run_with(mut command: Command, more: Option<String>) -> String {
    let home = tempfile::tempdir().unwrap();
    let token = Token::read_or_make(home.path()).unwrap();
    let (_state, state) = state_channel();
    let host = Host {
        models: Arc::new(One),
        state,
        token: token.clone(),
        nonce: Nonce::new().unwrap(),
        version: "0.0.0".to_owned(),
        journal: None,
        sessions: Some(Sessions::of_home(home.path())),
        idle_max: None,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(finch_http::serve(listener, host, async move {
        stopped.await.ok();
    }));
    command
        .arg(url)
        .arg(token.expose())
        .args(more)
        .env_remove("HTTP_PROXY")
        .env_remove("http_proxy")
        .env("NO_PROXY", "127.0.0.1");
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(SCRIPT_WAIT, output).await.expect("the client ends").unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    stop.send(()).unwrap();
    timeout(Duration::from_secs(20), serving).await.unwrap().unwrap().unwrap();
    printed
}

#[track_caller]
fn all_were_shown(printed: &str, client: &str, checks: &[&str]) {
    println!("{printed}");
    for check in checks {
        assert!(printed.contains(&format!("{client} {check}: ")), "{check} was not shown:\n{printed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_clients_are_served() {
    let mut command = Command::new(openai_clients::folder(&root()).join("python/bin/python"));
    command.arg("-B").arg(root().join("tests/openai_clients/ask.py"));
    let checks = ["chat", "stream", "tools", "schema", "completions", "models", "responses", "errors", "messages"];
    all_were_shown(&run(command).await, "python", &checks);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_npm_client_is_served() {
    let mut command = Command::new("node");
    command.arg(root().join("tests/openai_clients/ask.mjs")).arg(openai_clients::folder(&root()).join("npm"));
    let checks = ["chat", "stream", "tools", "schema", "completions", "models", "responses", "errors"];
    all_were_shown(&run(command).await, "npm", &checks);
}

/// Row D12, in short; with `FINCH_EXAMPLES`, how many requests are made up for each address, all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_request_of_the_public_schema_and_beside_it_is_answered_by_it() {
    let folder = root().join("target/test-tools/schemathesis");
    assert!(folder.join("done").exists(), "run tests/support/install-tools.sh first");
    let mut command = Command::new(folder.join("python/bin/python"));
    command.arg(root().join("tests/openai_clients/fuzz.py"));
    let printed = run_with(command, std::env::var("FINCH_EXAMPLES").ok()).await;
    all_were_shown(&printed, "python", &["fuzz"]);
}
