//! A server on this machine that goes wrong in one way, byte for byte, whenever it is asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;

use super::closed_port::ClosedPort;

/// What it does to everybody.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    /// Nobody listens.
    Refuses,
    /// Nobody takes connections, and no more of them fit in front of the door.
    Full,
    /// Hangs up before a word was said.
    HangsUp,
    /// Sends to another server, which would answer.
    Redirects(u16),
    /// Hears the request and says this.
    Says(Vec<u8>, Then),
}

/// What follows what it said.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Then {
    Ends,
    /// The connection breaks.
    Resets,
    /// Nothing, for ever.
    Silence,
    /// This again and again, with a pause before each.
    Repeats(&'static str, Duration),
}

pub(crate) struct Faulty {
    pub(crate) address: String,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
    elsewhere: Option<Box<Faulty>>,
    /// What keeps the door full.
    _queue: Option<(tokio::net::TcpListener, Vec<TcpStream>)>,
    /// What keeps it closed.
    _closed: Option<ClosedPort>,
}

impl Faulty {
    /// Serves until the process ends.
    pub(crate) fn serve(manner: &Manner) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut server = Self::at(listener.local_addr()?);
        let (words, then) = match manner {
            Manner::Full => return Self::full(),
            Manner::Refuses => {
                let closed = ClosedPort::take()?;
                let server = Self::at(closed.address()?);
                return Ok(Self { _closed: Some(closed), ..server });
            }
            Manner::HangsUp => (None, Then::Ends),
            Manner::Says(words, then) => (Some(words.clone()), *then),
            Manner::Redirects(status) => {
                let elsewhere = Self::serve(&Manner::Says(stream_head().into_bytes(), Then::Ends))?;
                let to = format!("Location: http://{}/v1/chat/completions", elsewhere.address);
                server.elsewhere = Some(Box::new(elsewhere));
                (Some(answer(&format!("{status} Elsewhere"), &to, "")), Then::Ends)
            }
        };
        let (connections, heads) = (Arc::clone(&server.connections), Arc::clone(&server.heads));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::Relaxed);
                let (Some(words), heads) = (words.clone(), Arc::clone(&heads)) else { continue };
                // The client may have had enough.
                std::thread::spawn(move || serve(&stream, &words, then, &heads).ok());
            }
        });
        Ok(server)
    }

    /// Needs a runtime, for only its sockets say how many may wait.
    fn full() -> Result<Self> {
        const WAITING_MAX: usize = 16;
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
        let waiting: Vec<TcpStream> = std::iter::from_fn(connect).take(WAITING_MAX).collect();
        anyhow::ensure!(waiting.len() < WAITING_MAX, "the door does not become full");
        Ok(Self { _queue: Some((listener, waiting)), ..Self::at(address) })
    }

    fn at(address: SocketAddr) -> Self {
        Self {
            address: address.to_string(),
            connections: Arc::default(),
            heads: Arc::default(),
            elsewhere: None,
            _queue: None,
            _closed: None,
        }
    }

    /// How often it was connected to, as far as it can know.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Whether a key stood where none belongs: in a request's first line, or at another server than the one it is for.
    pub(crate) fn was_told(&self, key: &str) -> bool {
        let heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        let in_line = heads.iter().any(|head| head.lines().next().is_some_and(|line| line.contains(key)));
        in_line || self.elsewhere.as_ref().is_some_and(|elsewhere| elsewhere.connections() > 0)
    }
}

fn serve(stream: &TcpStream, words: &[u8], then: Then, heads: &Mutex<Vec<String>>) -> Result<()> {
    // Bytes that nobody read make the kernel break the connection when it is closed.
    let unread = u64::from(matches!(then, Then::Resets));
    let head = read_request(stream, unread)?;
    heads.lock().unwrap_or_else(PoisonError::into_inner).push(head);
    let mut writer = stream;
    writer.write_all(words)?;
    match then {
        Then::Ends => Ok(stream.shutdown(Shutdown::Write)?),
        Then::Resets => Ok(()),
        Then::Silence => Ok(std::io::copy(&mut &*stream, &mut std::io::sink()).map(drop)?),
        Then::Repeats(words, pause) => loop {
            std::thread::sleep(pause);
            writer.write_all(words.as_bytes())?;
        },
    }
}

/// The head of a request; its body is read but for some bytes. What is no HTTP is read as far as it comes.
fn read_request(stream: &TcpStream, unread: u64) -> Result<String> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let (mut reader, mut head, mut length) = (BufReader::with_capacity(1, stream), String::new(), 0_u64);
    loop {
        let mut line = Vec::new();
        // A TLS greeting has no lines.
        if reader.by_ref().take(4096).read_until(b'\n', &mut line)? == 0
            || line.first().is_some_and(|b| *b < b' ' && *b != b'\r')
        {
            return Ok(head);
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        head.push_str(&line);
    }
    std::io::copy(&mut reader.take(length.saturating_sub(unread)), &mut std::io::sink())?;
    stream.set_read_timeout(None)?;
    Ok(head)
}

/// A whole answer; `headers` are separated by line feeds.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let headers: String = headers.lines().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

/// The head of a stream that ends with its connection.
pub(crate) fn stream_head() -> String {
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n".to_owned()
}
