//! A server on this machine that says exactly what the test tells it, connection by connection.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// What one connection gets.
pub(crate) struct Reply {
    bytes: Vec<u8>,
    /// The connection stays open behind it.
    stays: bool,
}

impl Reply {
    /// `headers` are separated by `\n`.
    pub(crate) fn new(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let headers: String = headers.lines().map(|line| format!("{line}\r\n")).collect();
        let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n");
        Self { bytes: [head.as_bytes(), body.as_ref()].concat(), stays: false }
    }

    pub(crate) fn stream(body: impl AsRef<[u8]>) -> Self {
        Self::new("200 OK", "Content-Type: text/event-stream; charset=utf-8", body)
    }

    /// A stream whose connection breaks before all of it came.
    pub(crate) fn broken(body: &str) -> Self {
        let headers = format!("Content-Type: text/event-stream\nContent-Length: {}", body.len() + 100);
        Self::new("200 OK", &headers, body)
    }

    pub(crate) fn status(status: &str, headers: &str, body: &str) -> Self {
        Self::new(status, &format!("Content-Length: {}\n{headers}", body.len()), body)
    }

    /// Takes the request and says nothing.
    pub(crate) fn mute() -> Self {
        Self { bytes: Vec::new(), stays: true }
    }

    /// The same, but the connection stays open and nothing more comes.
    pub(crate) fn stalling(self) -> Self {
        Self { stays: true, ..self }
    }
}

pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
    /// A word for each connection that the client closed.
    pub(crate) closed: mpsc::Receiver<()>,
}

impl Server {
    /// Answers one connection per reply and then refuses connections.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (closing, closed) = mpsc::channel(8);
        let (seen, replies) = (requests.clone(), replies.into_iter().collect::<Vec<_>>());
        tokio::spawn(async move {
            for reply in replies {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                seen.lock().unwrap().push(request);
                // The client may have had enough.
                stream.write_all(&reply.bytes).await.ok();
                if reply.stays {
                    let closing = closing.clone();
                    tokio::spawn(async move {
                        while stream.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
                        closing.send(()).await.ok();
                    });
                } else {
                    stream.shutdown().await.ok();
                }
            }
        });
        Self { url, requests, closed }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Head and body of a request.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(request).unwrap();
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8(body).unwrap()
}
