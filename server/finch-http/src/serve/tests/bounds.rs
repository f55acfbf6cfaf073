use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::server::{Answer, Server};
use crate::limits::{BODY_BYTES_MAX, GENERATING_PER_CLIENT_MAX, JSON_DEPTH_MAX, JSON_VALUES_MAX};

/// Row D9.
#[tokio::test]
async fn bodies_that_are_too_much_are_refused() {
    let server = Server::start().await;
    let check = async |body: &str, status: u16, code: &str| {
        let answer = server.post("/v1/echo", body).await;
        assert_eq!((answer.status(), answer.code().as_str()), (status, code));
    };
    let of_bytes = |bytes: usize| format!("\"{}\"", "a".repeat(bytes - 2));
    assert_eq!(server.post("/v1/echo", &of_bytes(BODY_BYTES_MAX)).await.status(), 200);
    check(&of_bytes(BODY_BYTES_MAX + 1), 413, "body_too_large").await;
    check(&"[".repeat(100_000), 400, "json_too_deep").await;
    check(&r#"{"a":"#.repeat(JSON_DEPTH_MAX + 1), 400, "json_too_deep").await;
    let messages = r#"{"role":"user","content":""},"#.repeat(JSON_VALUES_MAX / 3 + 1);
    check(&format!(r#"{{"messages":[{messages}{{}}]}}"#), 413, "json_too_many_values").await;
}

/// Row D9: neither is read to its end.
#[tokio::test]
async fn two_hundred_megabytes_are_refused_whether_they_are_announced_or_not() {
    let server = Server::start().await;
    let head = format!("{}Content-Type: application/json\r\n", server.head("POST /v1/echo"));
    let answer = server.raw(format!("{head}Content-Length: 200000000\r\n\r\n[")).await;
    assert_eq!((answer.status(), answer.code().as_str()), (413, "body_too_large"));
    let mut stream = server.connect().await;
    stream.write_all(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
    let megabyte = format!("100000\r\n{}\r\n", "a".repeat(1 << 20));
    let (mut reads, mut writes) = stream.split();
    let (mut sent, mut answer) = (0, Vec::new());
    let sends = async {
        while sent < 200 && writes.write_all(megabyte.as_bytes()).await.is_ok() {
            sent += 1;
        }
    };
    let answers = async {
        let read = tokio::io::AsyncReadExt::read_to_end(&mut reads, &mut answer).await;
        assert!(read.is_ok() || !answer.is_empty(), "{read:?}");
    };
    tokio::join!(sends, answers);
    assert!(sent < 100, "{sent} MB were taken");
    assert_eq!(Answer(String::from_utf8(answer).unwrap()).status(), 413);
}

#[tokio::test]
async fn packed_bodies_are_not_unpacked() {
    let server = Server::start().await;
    let head = format!("{}Content-Type: application/json\r\n", server.head("POST /v1/echo"));
    let answer = server.raw(format!("{head}Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\u{1f}xx")).await;
    assert_eq!((answer.status(), answer.code().as_str()), (415, "content_encoding"));
}

#[tokio::test]
async fn only_a_post_has_a_body() {
    let server = Server::start().await;
    let answer = server.raw(format!("{}Content-Length: 3\r\n\r\nabc", server.head("GET /v1/status"))).await;
    assert_eq!((answer.status(), answer.code().as_str()), (400, "unexpected_body"));
}

/// Row D9: a length that is not what comes.
#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let server = Server::start().await;
    let head = format!("{}Content-Type: application/json\r\n", server.head("POST /v1/echo"));
    let mut stream = server.connect().await;
    stream.write_all(format!("{head}Content-Length: 10\r\n\r\n{{}}").as_bytes()).await.unwrap();
    let started = tokio::time::Instant::now();
    let mut bytes = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes).await.unwrap();
    let answer = Answer(String::from_utf8(bytes).unwrap());
    assert_eq!((answer.status(), answer.code().as_str()), (408, "body_timeout"));
    assert!((30..35).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    // One that closes its half instead.
    let mut stream = server.connect().await;
    stream.write_all(format!("{head}Content-Length: 10\r\n\r\n{{}}").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(5), Answer::read(&mut stream)).await.is_ok());
}

#[tokio::test]
async fn one_client_cannot_take_the_places_of_all() {
    let server = Server::start().await;
    let waits = |client: &str| {
        let body = format!(r#"{{"finch":{{"client":"{client}"}}}}"#);
        let head = server.head("POST /v1/wait");
        format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let mut held = Vec::new();
    for _ in 0..GENERATING_PER_CLIENT_MAX {
        let mut stream = server.connect().await;
        stream.write_all(waits("greedy").as_bytes()).await.unwrap();
        held.push(stream);
    }
    let is_full = async || {
        let answer = server.post("/v1/say", r#"{"finch":{"client":"greedy"}}"#).await;
        if answer.status() == 200 {
            return false;
        }
        assert_eq!((answer.status(), answer.code().as_str()), (429, "overloaded"));
        assert_eq!(answer.header("retry-after"), Some("1"));
        true
    };
    until(async || is_full().await).await;
    assert_eq!(server.post("/v1/say", r#"{"finch":{"client":"modest"}}"#).await.body(), "hi");
    assert_eq!(server.get("/v1/status").await.status(), 200);
    // Who goes away leaves the place.
    drop(held);
    until(async || !is_full().await).await;
}

/// Waits until it is so.
async fn until(is_so: impl AsyncFn() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::server::SOON, wait).await.expect("it never became so");
}
