//! A site on this machine that answers each path as the test says, and the names that lead to it.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::tools::web_fetch::{LookedUp, Names, Reach};

/// What a path is answered with.
#[derive(Clone)]
pub(super) enum Reply {
    /// Status and headers, and the body.
    Whole(String, Vec<u8>),
    /// A body that goes on like this for ever.
    Endless(String, Vec<u8>),
    /// A byte now and then, for ever.
    Dripping(String),
    /// Nothing.
    Silence,
}

impl Reply {
    pub(super) fn page(content_type: &str, body: &[u8]) -> Self {
        Self::Whole(format!("200 OK\nContent-Type: {content_type}"), body.to_vec())
    }

    pub(super) fn redirect(to: &str) -> Self {
        Self::Whole(format!("302 Found\nLocation: {to}\nSet-Cookie: a=b"), Vec::new())
    }

    pub(super) fn status(status: &str) -> Self {
        Self::Whole(status.to_owned(), Vec::new())
    }
}

pub(super) struct Site {
    pub(super) port: u16,
    /// The heads of the requests.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// `{port}` in headers is the port of the site.
    pub(super) async fn start(routes: &[(&str, Reply)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let routes: HashMap<String, Reply> =
            routes.iter().map(|(path, reply)| ((*path).to_owned(), reply.clone())).collect();
        let (routes, seen) = (Arc::new(routes), Arc::new(Mutex::new(Vec::new())));
        let heads = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // The client may have had enough.
                tokio::spawn(answer(stream, port, Arc::clone(&routes), Arc::clone(&heads)));
            }
        });
        Self { port, seen }
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// The paths that were asked for.
    pub(super) fn paths(&self) -> Vec<String> {
        self.requests().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect()
    }
}

async fn answer(
    mut stream: TcpStream,
    port: u16,
    routes: Arc<HashMap<String, Reply>>,
    heads: Arc<Mutex<Vec<String>>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    heads.lock().unwrap().push(head);
    let write_head = |lines: &str| {
        let lines = lines.replace("{port}", &port.to_string()).replace('\n', "\r\n");
        format!("HTTP/1.1 {lines}\r\nConnection: close\r\n\r\n").into_bytes()
    };
    match routes.get(&path) {
        Some(Reply::Whole(lines, body)) => {
            stream.write_all(&[write_head(lines), body.clone()].concat()).await?;
            stream.shutdown().await
        }
        Some(Reply::Endless(lines, piece)) => {
            stream.write_all(&write_head(lines)).await?;
            loop {
                stream.write_all(piece).await?;
            }
        }
        Some(Reply::Dripping(lines)) => {
            stream.write_all(&write_head(lines)).await?;
            let mut now_and_then = tokio::time::interval(Duration::from_millis(20));
            loop {
                now_and_then.tick().await;
                stream.write_all(b"x").await?;
            }
        }
        Some(Reply::Silence) => std::future::pending().await,
        None => stream.write_all(&write_head("404 Not Found")).await,
    }
}

/// Names with the answers they give, one after the other; the last one stays.
pub(super) struct Book(pub(super) Mutex<HashMap<&'static str, Vec<Vec<&'static str>>>>);

impl Names for Book {
    fn look_up(&self, name: String) -> LookedUp {
        let mut book = self.0.lock().unwrap();
        let found = match book.get_mut(name.as_str()) {
            None => Err(io::Error::other("no such name")),
            Some(answers) => {
                let next = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
                Ok(next.iter().map(|address| address.parse().unwrap()).collect::<Vec<IpAddr>>())
            }
        };
        Box::pin(async move { found })
    }
}

/// The names of the tests. `site.test` and `other.test` are the site; it alone may be connected to.
pub(super) fn reach() -> Reach {
    let book = HashMap::from([
        ("site.test", vec![vec!["127.0.0.1"]]),
        ("other.test", vec![vec!["127.0.0.1"]]),
        ("rebinding.test", vec![vec!["127.0.0.1"], vec!["127.0.0.2"]]),
        ("two-faced.test", vec![vec!["127.0.0.1", "10.0.0.1"]]),
        ("loopback.test", vec![vec!["127.0.0.2"]]),
        ("loopback6.test", vec![vec!["::1"]]),
        ("mapped.test", vec![vec!["::ffff:127.0.0.1"]]),
        ("translated.test", vec![vec!["64:ff9b::a9fe:a9fe"]]),
        ("private.test", vec![vec!["192.168.1.1"]]),
        ("cloud.test", vec![vec!["169.254.169.254"]]),
        ("shared.test", vec![vec!["100.64.0.1"]]),
        ("local6.test", vec![vec!["fd00::1"]]),
        ("group.test", vec![vec!["224.0.0.1"]]),
        ("nowhere.test", vec![vec!["0.0.0.0"]]),
        ("example-net.test", vec![vec!["192.0.2.1"]]),
        ("nothing.test", vec![vec![]]),
    ]);
    Reach::new(Arc::new(Book(Mutex::new(book))), &["127.0.0.1".parse().unwrap()])
}
