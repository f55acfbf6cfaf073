//! Row D9: connections that say nothing, connections that say it slowly, and clients that want something meanwhile.
//!
//! `cargo bench --bench bench -- flood` is many times this against a daemon with a model, and measures what it costs.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::server::{Answer, Server};

const SLOW: usize = 25;
const SILENT: usize = 50;
const CLIENTS: usize = 20;

async fn connections(server: &Server, number: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..number {
        streams.push(server.connect().await);
    }
    streams
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_served_while_others_hold_connections() {
    let server = Server::start().await;
    let get = server.head("GET /v1/status");
    let (mut silent, mut slow) = (connections(&server, SILENT).await, connections(&server, SLOW).await);
    // Half of the silent ones have shown the token.
    for stream in silent.iter_mut().step_by(2) {
        stream.write_all(format!("{get}\r\n").as_bytes()).await.unwrap();
        Answer::read_to(stream, "resident_bytes").await;
    }
    for (at, stream) in slow.iter_mut().enumerate() {
        stream.write_all(&get.as_bytes()[..20 + at % 20]).await.unwrap();
    }
    let clients = (0..CLIENTS).map(|_| async {
        let mut stream = server.connect().await;
        for _ in 0..5 {
            let head = server.head("POST /v1/say");
            let text = format!("{head}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}");
            stream.write_all(text.as_bytes()).await.unwrap();
            Answer::read_to(&mut stream, "\r\n\r\nhi").await;
        }
        stream
    });
    futures_util::future::join_all(clients).await;
    // Those who have shown the token still have their connections.
    for stream in silent.iter_mut().step_by(2) {
        stream.write_all(format!("{get}\r\n").as_bytes()).await.unwrap();
        Answer::read_to(stream, "resident_bytes").await;
    }
}
