//! A service on this machine that takes some keys and refuses all others: it lists one model, as OpenAI's and Claude's do.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::faulty::answer;

const MODEL: &str = "claude-sonnet-4-6";

/// Serves until the process ends.
pub(crate) struct KeyServer {
    pub(crate) url: String,
    lines: Arc<Mutex<Vec<String>>>,
}

impl KeyServer {
    pub(crate) fn serve(keys: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&lines);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // The client may have had enough.
                serve(&stream, keys, &seen).ok();
            }
        });
        Self { url, lines }
    }

    /// The first lines of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

fn serve(mut stream: &TcpStream, keys: &[&str], seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let lines: Result<Vec<String>, _> =
        BufReader::new(stream).lines().take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).collect();
    let lines = lines?;
    let value = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name));
    let key = value("x-api-key: ").or_else(|| value("authorization: Bearer ")).unwrap_or_default();
    seen.lock().unwrap().push(lines.first().cloned().unwrap_or_default());
    let said = if keys.contains(&key) {
        answer("200 OK", "Content-Type: application/json", &format!(r#"{{"data":[{{"id":"{MODEL}"}}]}}"#))
    } else {
        answer("401 Unauthorized", "Content-Type: application/json", r#"{"error":{"message":"invalid x-api-key"}}"#)
    };
    stream.write_all(&said)
}
