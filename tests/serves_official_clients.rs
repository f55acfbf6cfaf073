//! The official clients of OpenAI's and Anthropic's APIs, curl, and what editors send, against `finch daemon run` with a
//! real model.
//!
//! `tests/support/install-openai-clients.sh` installs the clients; what they do and check is in
//! `tests/openai_clients/real.py` and `real.mjs`. With `--nocapture` their output is shown.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::daemon::Daemon;
use crate::support::finch::home_of_its_own;
use crate::support::openai_clients;
use crate::support::process::run_within;
use crate::support::record::root;

/// For one client's whole script, on a machine that does other things too.
const SCRIPT_WAIT: Duration = Duration::from_secs(300);

fn daemon() -> (TempDir, Daemon) {
    let home = home_of_its_own("[daemon]\nport = 0\n");
    let daemon = Daemon::run(home.path());
    (home, daemon)
}

/// Runs a client to its end, and shows and gives back what it printed.
#[track_caller]
fn printed(command: &mut Command) -> String {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(variable);
    }
    run_within(SCRIPT_WAIT, command.env("NO_PROXY", "127.0.0.1"), &log);
    let printed = std::fs::read_to_string(&log).unwrap();
    println!("{printed}");
    printed
}

#[track_caller]
fn check(command: &mut Command, client: &str, shown: &[&str]) {
    let (_home, daemon) = daemon();
    let printed = printed(command.arg(daemon.url()).arg(daemon.token.expose()));
    for check in shown {
        assert!(printed.contains(&format!("{client} {check}: ")), "{check} was not shown:\n{printed}");
    }
}

#[test]
fn the_python_clients_are_served_by_a_real_model() {
    let mut command = Command::new(openai_clients::folder(&root()).join("python/bin/python"));
    command.arg("-B").arg(root().join("tests/openai_clients/real.py"));
    let shown = ["models", "chat", "stream", "tools", "schema", "completions", "responses", "messages", "errors"];
    check(&mut command, "python", &shown);
}

#[test]
fn the_npm_client_is_served_by_a_real_model() {
    let mut command = Command::new("node");
    command.arg(root().join("tests/openai_clients/real.mjs")).arg(openai_clients::folder(&root()).join("npm"));
    let shown = ["models", "chat", "stream", "tools", "schema", "completions", "responses", "errors"];
    check(&mut command, "npm", &shown);
}

/// The events of a stream, without the last one, which has to be its end.
#[track_caller]
fn events(stream: &str) -> Vec<Value> {
    let data: Vec<&str> = stream.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let (end, events) = data.split_last().unwrap_or_else(|| panic!("no events: {stream}"));
    assert_eq!(*end, "[DONE]", "{stream}");
    events.iter().map(|event| serde_json::from_str(event).unwrap()).collect()
}

/// What `curl -N` reads of an answer, with the status line and the headers before it.
#[track_caller]
fn curl(daemon: &Daemon, path: &str, body: &Value) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--no-buffer", "--include", "--max-time", "120", "--noproxy", "*"]);
    curl.arg(format!("{}{path}", daemon.url()));
    let token = format!("Authorization: Bearer {}", daemon.token.expose());
    curl.args(["-H", &token, "-H", "Content-Type: application/json", "-d", &body.to_string()]);
    printed(&mut curl)
}

#[test]
fn curl_reads_a_stream_to_its_end() {
    let (_home, daemon) = daemon();
    let body = json!({
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 8,
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    let said = curl(&daemon, "/v1/chat/completions", &body);
    let (head, stream) = said.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-type: text/event-stream"), "{head}");
    let events = events(stream);
    let (cost, chunks) = events.split_last().unwrap();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant", "{stream}");
    assert!(chunks.len() > 3 && chunks.iter().all(|chunk| chunk["id"] == cost["id"]), "{stream}");
    assert_eq!(chunks[chunks.len() - 1]["choices"][0]["finish_reason"], "length", "{stream}");
    let usage = &cost["usage"];
    assert!(usage["prompt_tokens"].as_u64() > Some(5) && usage["completion_tokens"] == 8, "{usage}");
}

/// What an editor sends, and where the text of its answer stands in an event.
#[track_caller]
fn check_editor(daemon: &Daemon, what: &str, path: &str, text: &str, body: &Value) -> String {
    let said = curl(daemon, path, body);
    assert!(said.starts_with("HTTP/1.1 200 "), "{what}: {said}");
    let (_, answer) = said.split_once("\r\n\r\n").unwrap();
    let events = match body["stream"] == true {
        true => events(answer),
        false => vec![serde_json::from_str(answer).unwrap()],
    };
    let told: String = events.iter().filter_map(|event| event.pointer(text).and_then(Value::as_str)).collect();
    let reason = events.iter().find_map(|event| event["choices"][0]["finish_reason"].as_str());
    assert!(!told.trim().is_empty() && ["stop", "length"].map(Some).contains(&reason), "{what}: {said}");
    println!("{what}: {told:?}\n");
    told
}

const CHUNK: &str = "/choices/0/delta/content";
const TEXT: &str = "/choices/0/text";

#[test]
fn what_continue_sends_is_answered() {
    let (_home, daemon) = daemon();
    // A conversation: parts, a system message, the bounds of its settings.
    let chat = json!({
        "model": "smollm2-135m",
        "messages": [
            {"role": "system", "content": "You are in chat mode. Answer briefly."},
            {"role": "user", "content": [{"type": "text", "text": "What is the capital of Italy?"}]},
        ],
        "max_tokens": 16, "temperature": 0.5, "top_p": 1, "frequency_penalty": 0, "presence_penalty": 0,
        "stop": null, "stream": true, "stream_options": {"include_usage": true},
    });
    check_editor(&daemon, "Continue's chat", "/v1/chat/completions", CHUNK, &chat);
    // A suggestion: the template of one family with other files before it, and a list of stops that names its tokens.
    let prompt = "<|repo_name|>shop\n<|file_sep|>a.py\ndef sub(a, b):\n    return a - b\n<|file_sep|>b.py\n\
                  <|fim_prefix|>def add(a, b):\n    return<|fim_suffix|>\n\nprint(add(1, 2))\n<|fim_middle|>";
    let suggestion = json!({
        "model": "smollm2-135m", "prompt": prompt, "max_tokens": 8, "temperature": 0.01, "stream": true,
        "stop": ["<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>",
            "<|file_sep|>", "<|im_start|>", "<|im_end|>", "/src/", "#- coding: utf-8", "```"],
    });
    let told = check_editor(&daemon, "Continue's suggestion", "/v1/completions", TEXT, &suggestion);
    assert!(told.contains("a + b"), "{told}");
    // Its agent: tools that the model may call or not.
    let parameters =
        json!({"type": "object", "required": ["filepath"], "properties": {"filepath": {"type": "string"}}});
    let tool = json!({"name": "read_file", "description": "Reads a file", "parameters": parameters});
    let agent = json!({
        "model": "smollm2-135m",
        "messages": [{"role": "user", "content": "Say hello."}],
        "tools": [{"type": "function", "function": tool}],
        "parallel_tool_calls": false, "tool_choice": "none", "max_tokens": 8, "stream": true,
    });
    check_editor(&daemon, "Continue's agent", "/v1/chat/completions", CHUNK, &agent);
}

#[test]
fn what_zed_sends_is_answered() {
    let (_home, daemon) = daemon();
    // An edit prediction: its own prompt of Qwen's template, up to four stops, not streamed.
    let prompt = "<|fim_prefix|>def add(a, b):\n    return<|fim_suffix|>\n\nprint(add(1, 2))\n<|fim_middle|>";
    let prediction = json!({
        "model": "smollm2-135m", "prompt": prompt, "max_tokens": 8,
        "stop": ["<|endoftext|>", "<|file_sep|>", "<|fim_pad|>", "<|fim_prefix|>"],
    });
    check_editor(&daemon, "Zed's prediction", "/v1/completions", TEXT, &prediction);
    // Its agent panel, as it speaks to whatever is compatible with OpenAI.
    let chat = json!({
        "model": "smollm2-135m",
        "messages": [
            {"role": "system", "content": "Answer briefly."},
            {"role": "user", "content": [{"type": "text", "text": "What is the capital of Italy?"}]},
        ],
        "stream": true, "stream_options": {"include_usage": true}, "max_completion_tokens": 16, "stop": [],
        "temperature": 1.0, "tools": [], "parallel_tool_calls": false, "prompt_cache_key": "thread-1",
        "reasoning_effort": null,
    });
    check_editor(&daemon, "Zed's chat", "/v1/chat/completions", CHUNK, &chat);
}
