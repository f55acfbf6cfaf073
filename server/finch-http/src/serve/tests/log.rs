use std::io;
use std::sync::{Arc, Mutex};

use finch_learn::{Collect, Journal};
use tracing_subscriber::fmt::MakeWriter;

use super::server::Server;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Row D11: at the most talkative level, with everything an attacker can put a canary into.
#[tokio::test]
async fn the_log_has_one_escaped_line_an_event_and_no_word_of_anybody() {
    let lines = Lines::default();
    // With one subscriber alone, what another test's thread came by first would count as of no interest to anybody.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .without_time()
        .with_writer(lines.clone())
        .finish();
    let _log = tracing::subscriber::set_default(subscriber);
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path().to_owned(), Collect::Text, 1);
    let server = Server::start_with(|host| host.journal = Some(journal)).await;
    let (canary, injected) = ("canary-in-a-prompt", "INJECTED");
    let head = server.head("POST /v1/echo");
    server.post("/v1/echo", &format!("\"{canary}\\n[INFO] {injected}\"")).await;
    server.post("/v1/echo", &format!("{{\"{canary}")).await;
    server.post("/v1/feedback", &format!(r#"{{"verdict":"{canary}"}}"#)).await;
    server.post("/v1/feedback", &format!(r#"{{"verdict":"bad","note":"{canary}","correction":"{canary}"}}"#)).await;
    server.post("/v1/echo", &format!("{}\"{canary}\"", "[".repeat(1000))).await;
    server.raw(format!("{head}Content-Type: {canary}\r\nContent-Length: 18\r\n\r\n{canary}")).await;
    server.raw(format!("{head}X: {canary}\n[INFO] {injected}\r\n\r\n")).await;
    server.raw(format!("{head}User-Agent: {canary}\u{1b}[2J\r\n\r\n")).await;
    server.raw(format!("GET /%0a[INFO]%20{injected}%1b HTTP/1.1\r\nHost: {canary}\r\n\r\n")).await;
    server.raw(format!("GET /\u{1b}[2J{injected} HTTP/1.1\r\nHost: {canary}\r\n\r\n")).await;
    server.raw(format!("GET /\u{85}{injected}\u{202e} HTTP/1.1\r\nHost: {canary}\r\n\r\n")).await;
    server.get(&format!("/{}?token={canary}", "long".repeat(1000))).await;
    server
        .raw(format!(
            "GET /v1/status HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {canary}\r\nConnection: close\r\n\r\n",
            server.address
        ))
        .await;
    server.raw(format!("BAD-{injected} /v1/echo HTTP/1.1\r\nHost: {canary}\r\n\r\n")).await;
    server.get(&format!("/v1/events?client={canary}%0a")).await;
    server.post("/v1/shutdown", "").await;
    let token = server.token.clone();
    server.ended().await;

    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("refused") && log.contains("request method="), "nothing was logged: {log}");
    assert!(!log.contains(canary) && !log.contains(&token), "{log}");
    for line in log.lines() {
        let level = line.split_whitespace().next().unwrap_or_default();
        assert!(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].contains(&level), "a line of its own: {line:?}");
        assert!(line.len() < 400, "{line:?}");
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
    }
}
