//! A server that says exactly what the test tells it, connection by connection.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// What one connection gets.
pub(crate) struct Reply {
    head: String,
    body: Vec<u8>,
    end: End,
}

enum End {
    Close,
    /// Keeps the connection open and says no more.
    Silence,
}

impl Reply {
    /// `status` such as `200 OK`; the headers are separated by `\n`. Nothing is added but `Connection: close`.
    pub(crate) fn new(status: &str, headers: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers: String = headers.lines().map(|line| format!("{line}\r\n")).collect();
        Self {
            head: format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n"),
            body: body.into(),
            end: End::Close,
        }
    }

    /// The whole file as a hub sends it.
    pub(crate) fn whole(body: &[u8], etag: &str) -> Self {
        Self::new("200 OK", &format!("Content-Length: {}\nETag: {etag}", body.len()), body)
    }

    /// The rest of the file from `first` on.
    pub(crate) fn rest(body: &[u8], first: usize, etag: &str) -> Self {
        let (rest, len) = (&body[first..], body.len());
        let headers =
            format!("Content-Length: {}\nContent-Range: bytes {first}-{}/{len}\nETag: {etag}", rest.len(), len - 1);
        Self::new("206 Partial Content", &headers, rest)
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self::new("302 Found", &format!("Location: {to}\nContent-Length: 0"), "")
    }

    pub(crate) fn status(status: &str) -> Self {
        Self::new(status, "Content-Length: 0", "")
    }

    /// Takes the request and says nothing.
    pub(crate) fn mute() -> Self {
        Self { head: String::new(), body: Vec::new(), end: End::Silence }
    }

    /// The same, but the connection breaks after `bytes` of the body.
    pub(crate) fn cut(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        self
    }

    /// The same, but after `bytes` of the body nothing more is said.
    pub(crate) fn stall(self, bytes: usize) -> Self {
        Self { end: End::Silence, ..self.cut(bytes) }
    }
}

pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers one connection per reply and then refuses connections.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let replies: Vec<_> = replies.into_iter().collect();
        tokio::spawn(async move {
            let mut silent = Vec::new();
            for reply in replies {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                seen.lock().unwrap().push(String::from_utf8(request).unwrap().to_ascii_lowercase());
                // The client may have had enough.
                let said = stream.write_all(&[reply.head.as_bytes(), &reply.body].concat()).await;
                match reply.end {
                    End::Close => drop(said.and(stream.shutdown().await)),
                    End::Silence => silent.push(stream),
                }
            }
            drop(listener);
            std::future::pending::<()>().await;
        });
        Self { url, requests }
    }

    /// The requests so far, in lower case: their first line and the headers that matter here.
    pub(crate) fn requests(&self) -> Vec<String> {
        let shown =
            |line: &&str| line.starts_with("get ") || line.starts_with("range:") || line.starts_with("if-range:");
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|text| text.lines().filter(shown).collect::<Vec<_>>().join(" | ")).collect()
    }
}
