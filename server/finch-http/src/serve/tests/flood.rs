//! Row D9: connections that say nothing, connections that say it slowly, and clients that want something meanwhile.
//!
//! `FINCH_FLOOD=full` is the whole of it, alone in its process: 500 slow heads, 1,000 silent connections, 200 clients; and
//! what they add to the memory in use.

use std::time::Instant;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::server::{Answer, Server};
use crate::status::resident_bytes;

struct Flood {
    slow: usize,
    silent: usize,
    clients: usize,
    /// The process has nothing else to do.
    is_alone: bool,
}

const MIB: f64 = 1024.0 * 1024.0;

fn flood() -> Flood {
    match std::env::var("FINCH_FLOOD").as_deref() {
        Ok("full") => Flood { slow: 500, silent: 1000, clients: 200, is_alone: true },
        _ => Flood { slow: 25, silent: 50, clients: 20, is_alone: false },
    }
}

async fn connections(server: &Server, number: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..number {
        streams.push(server.connect().await);
    }
    streams
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_served_while_others_hold_connections() {
    let (flood, server) = (flood(), Server::start().await);
    assert_eq!(server.post("/v1/say", "{}").await.body(), "hi");
    let before = resident_bytes();
    let get = server.head("GET /v1/status");
    let (mut silent, mut slow) = (connections(&server, flood.silent).await, connections(&server, flood.slow).await);
    // Half of the silent ones have shown the token.
    for stream in silent.iter_mut().step_by(2) {
        stream.write_all(format!("{get}\r\n").as_bytes()).await.unwrap();
        Answer::read_to(stream, "resident_bytes").await;
    }
    for (at, stream) in slow.iter_mut().enumerate() {
        stream.write_all(&get.as_bytes()[..20 + at % 20]).await.unwrap();
    }
    let clients = (0..flood.clients).map(|_| async {
        let (mut stream, mut longest) = (server.connect().await, std::time::Duration::ZERO);
        for _ in 0..5 {
            let started = Instant::now();
            let head = server.head("POST /v1/say");
            let text = format!("{head}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}");
            stream.write_all(text.as_bytes()).await.unwrap();
            Answer::read_to(&mut stream, "\r\n\r\nhi").await;
            longest = longest.max(started.elapsed());
        }
        (stream, longest)
    });
    let served = futures_util::future::join_all(clients).await;
    let longest = served.iter().map(|(_, longest)| *longest).max().unwrap();
    if let (Some(before), Some(after)) = (before, resident_bytes()) {
        let more = (after as f64 - before as f64) / MIB;
        let Flood { slow, silent, clients, .. } = flood;
        println!("{slow} slow, {silent} silent, {clients} clients: +{more:.1} MiB, slowest answer {longest:?}");
        if flood.is_alone {
            assert!(more <= 64.0, "{more:.1} MiB");
        }
    }
    // Those who have shown the token still have their connections.
    for stream in silent.iter_mut().step_by(2) {
        stream.write_all(format!("{get}\r\n").as_bytes()).await.unwrap();
        Answer::read_to(stream, "resident_bytes").await;
    }
}
