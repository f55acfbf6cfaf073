use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::server::{Answer, Server};
use crate::limits::{HEAD_BYTES_MAX, HEADERS_MAX};

const JSON: &str = "Content-Type: application/json\r\n";

/// Row D10: what could be two requests to somebody else is none, and nothing behind it is read.
#[tokio::test]
async fn bytes_with_two_meanings_are_refused_and_the_connection_ends() {
    let server = Server::start().await;
    let (post, get) = (server.head("POST /v1/say"), server.head("GET /v1/status"));
    let smuggled = format!("{get}\r\n");
    let chunked = "Transfer-Encoding: chunked\r\n";
    for request in [
        format!("{post}{JSON}Content-Length: 4\r\n{chunked}\r\n0\r\n\r\n{smuggled}"),
        format!("{post}{JSON}{chunked}Content-Length: 4\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{post}{JSON}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}{smuggled}"),
        format!("{post}{JSON}Content-Length: +2\r\n\r\n{{}}{smuggled}"),
        format!("{post}{JSON}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{post}{JSON}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{smuggled}"),
        format!("{post}{JSON}Content-Length: 2\n\r\n{{}}{smuggled}"),
        format!("{post}X: y\n\r\n{smuggled}"),
        format!("{post}X: y\rContent-Length: 0\r\n\r\n{smuggled}"),
        format!("{post}Host: {}\r\n\r\n{smuggled}", server.address),
        format!("{post} folded: y\r\n\r\n{smuggled}"),
        format!("{post}X: \0\r\n\r\n{smuggled}"),
        format!("{post}X: \u{1b}[2J\r\n\r\n{smuggled}"),
        format!("POST /v1/say\n\n{smuggled}"),
    ] {
        let answer = server.raw(&request).await;
        assert_eq!(answer.status(), 400, "{request:?}: {answer:?}");
        assert_eq!(answer.0.matches("HTTP/1.1 ").count(), 1, "{request:?}: {answer:?}");
    }
    // The beginning of HTTP/2 gets no answer in HTTP/1.
    assert_eq!(server.raw(format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{smuggled}")).await.0, "");
    for chunks in ["2\n{}\r\n0\r\n\r\n", "2\r\n{}x\r\n0\r\n\r\n", "-2\r\n{}\r\n", "0x2\r\n{}\r\n", "2;\u{1}\r\n{}\r\n"]
    {
        let request = format!("{post}{JSON}{chunked}\r\n{chunks}{smuggled}");
        let answer = server.raw(&request).await;
        assert_eq!((answer.status(), answer.code().as_str()), (400, "bad_body"), "{request:?}");
        assert_eq!(answer.0.matches("HTTP/1.1 ").count(), 1, "{request:?}: {answer:?}");
    }
}

#[tokio::test]
async fn heads_without_end_are_refused() {
    let server = Server::start().await;
    let post = server.head("POST /v1/say");
    let long = server.raw(format!("{post}X: {}\r\n\r\n", "a".repeat(1 << 20))).await;
    assert!([400, 431].contains(&long.status()), "{long:?}");
    let long = server.raw(format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(HEAD_BYTES_MAX))).await;
    assert!([400, 414, 431].contains(&long.status()), "{long:?}");
    let many = server.raw(format!("{post}{}\r\n", "X: y\r\n".repeat(HEADERS_MAX))).await;
    assert_eq!(many.status(), 431);
}

#[tokio::test]
async fn whole_requests_follow_each_other_on_one_connection() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    let echo = server.head("POST /v1/echo");
    let sized = format!("{echo}{JSON}Content-Length: 5\r\n\r\n\"a\nb\"");
    let chunked =
        format!("{echo}{JSON}Transfer-Encoding: chunked\r\n\r\n3;x=y\r\n\"\r\n\r\n2\r\nc\"\r\n0\r\nT: u\r\n\r\n");
    let last = format!("{echo}{JSON}Content-Length: 3\r\nConnection: close\r\n\r\n\"z\"");
    stream.write_all(format!("{sized}{chunked}\r\n{last}").as_bytes()).await.unwrap();
    let answers = Answer::read(&mut stream).await.0;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers:?}");
    let bodies: Vec<&str> = answers.split("\r\n\r\n").collect();
    assert!(bodies[1].starts_with("\"a\nb\"HTTP/1.1"), "{answers:?}");
    assert!(answers.contains("\"\r\nc\"HTTP/1.1") && answers.ends_with("\"z\""), "{answers:?}");
}

#[tokio::test]
async fn a_client_that_waits_to_be_told_to_go_on_is_told() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    let head = server.head("POST /v1/echo");
    let head = format!("{head}{JSON}Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    Answer::read_to(&mut stream, "100 Continue\r\n\r\n").await;
    stream.write_all(b"{}").await.unwrap();
    assert_eq!(Answer::read(&mut stream).await.body(), "{}");
}

/// A connection is silent for longer than a head may take, and served all the same; a head is not waited for so long.
#[tokio::test(start_paused = true)]
async fn a_slow_head_ends_a_connection_and_silence_between_requests_does_not() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    let get = server.head("GET /v1/status");
    for _ in 0..3 {
        stream.write_all(format!("{get}\r\n").as_bytes()).await.unwrap();
        Answer::read_to(&mut stream, "resident_bytes").await;
        tokio::time::sleep(Duration::from_secs(100)).await;
    }
    stream.write_all(&get.as_bytes()[..20]).await.unwrap();
    assert_eq!(closes_after(stream).await.as_secs(), 10);
    assert_eq!(closes_after(server.connect().await).await.as_secs(), 10);
    let mut stream = server.connect().await;
    stream.write_all(format!("{get}\r\n").as_bytes()).await.unwrap();
    Answer::read_to(&mut stream, "resident_bytes").await;
    assert_eq!(closes_after(stream).await.as_secs(), 120);
}

async fn closes_after(mut stream: tokio::net::TcpStream) -> Duration {
    let started = tokio::time::Instant::now();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    started.elapsed()
}
