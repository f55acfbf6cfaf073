//! The daemon's model while `config.toml` changes under it: what runs is finished, and then the other settings hold.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::daemon::{Answer, Daemon};
use crate::support::finch::home_of_its_own;

const WAIT_MAX: Duration = Duration::from_secs(60);

/// A stream that has begun, and takes long.
fn long_answer(daemon: &Daemon) -> BufReader<TcpStream> {
    let body = json!({
        "stream": true, "max_tokens": 200, "stop": [],
        "messages": [{"role": "user", "content": "Count from one to a thousand, one number a line."}],
    })
    .to_string();
    let mut stream = TcpStream::connect(daemon.address).unwrap();
    stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        daemon.address,
        daemon.token.expose(),
        body.len()
    )
    .unwrap();
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    while !line.contains("\"content\"") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it ended before it began");
    }
    lines
}

/// A prompt of about 600 tokens.
fn long_prompt(daemon: &Daemon) -> Answer {
    let prompt = "one two three four five ".repeat(120);
    daemon.post("/v1/completions", &json!({"prompt": prompt, "max_tokens": 1}))
}

#[test]
fn other_settings_of_the_model_hold_once_what_runs_is_finished() {
    let daemon_section = "[daemon]\nport = 0\n";
    let home = home_of_its_own(daemon_section);
    let mut daemon = Daemon::run(home.path());
    long_prompt(&daemon).good();
    let answer = long_answer(&daemon);
    let config = std::fs::read_to_string(home.path().join("config.toml")).unwrap();
    let smaller = config.replace("[engine]\n", "[engine]\ncontext_tokens_max = 512\n");
    assert_ne!(smaller, config);
    std::fs::write(home.path().join("config.toml"), &smaller).unwrap();

    let events: Vec<String> = answer.lines().map(Result::unwrap).collect();
    assert!(events.iter().any(|line| line == "data: [DONE]"), "the answer was cut: {events:?}");
    let changed = Instant::now();
    let refused = loop {
        let answer = long_prompt(&daemon);
        // Nothing but these: it is as it was, it is being loaded, or it is as it shall be.
        match answer.status {
            200 | 503 => assert!(changed.elapsed() < WAIT_MAX, "{answer:?}"),
            _ => break answer,
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &json!("context_length_exceeded")));
    daemon.post("/v1/completions", &json!({"prompt": "one two", "max_tokens": 1})).good();

    // A model that is not there is said to be missing; the one before comes back with the configuration before.
    let missing = config.replace("smollm2-135m", "no-such-model");
    std::fs::write(home.path().join("config.toml"), &missing).unwrap();
    wait_for_state(&daemon, "absent");
    let refused = long_prompt(&daemon);
    assert!(refused.status == 503 && refused.body.contains("no-such-model"), "{refused:?}");
    std::fs::write(home.path().join("config.toml"), &config).unwrap();
    wait_for_state(&daemon, "ready");
    long_prompt(&daemon).good();
    assert!(daemon.is_running());
}

#[track_caller]
fn wait_for_state(daemon: &Daemon, expected: &str) {
    let started = Instant::now();
    while daemon.get("/v1/status").good()["state"]["state"] != expected {
        assert!(started.elapsed() < WAIT_MAX, "{}", daemon.get("/v1/status").body);
        std::thread::sleep(Duration::from_millis(20));
    }
}
