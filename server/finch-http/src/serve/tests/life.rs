use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use super::server::{Answer, Server};
use crate::serve::Ended;

const HALF_AN_HOUR: Duration = Duration::from_secs(1800);

/// An allowed request whose answer never comes.
async fn waiting(server: &Server) -> tokio::net::TcpStream {
    let mut stream = server.connect().await;
    stream.write_all(format!("{}\r\n", server.head("POST /v1/wait")).as_bytes()).await.unwrap();
    let running = async || server.get("/v1/status").await.json()["requests"]["running"].as_u64().unwrap();
    while running().await < 2 {
        tokio::task::yield_now().await;
    }
    stream
}

#[tokio::test]
async fn a_client_that_may_can_stop_it() {
    let server = Server::start().await;
    let mut silent = server.connect().await;
    let mut events = listening(&server, "zed").await;
    assert_eq!(server.post("/v1/shutdown", "").await.status(), 202);
    // Streams end in order, and silent connections do not hold it up.
    assert!(Answer::read(&mut events).await.0.ends_with("0\r\n\r\n"));
    assert_eq!(Answer::read(&mut silent).await.0, "");
    let address = server.address;
    assert_eq!(server.ended().await, Ended::Stopped);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_is_under_way_ends_before_the_server_does() {
    let mut server = Server::start().await;
    let mut stream = server.connect().await;
    let head = format!("{}Content-Type: application/json\r\nContent-Length: 4\r\n\r\n", server.head("POST /v1/echo"));
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b"\"a").await.unwrap();
    let mut known = server.connect().await;
    known.write_all(format!("{}\r\n", server.head("GET /v1/status")).as_bytes()).await.unwrap();
    Answer::read_to(&mut known, "resident_bytes").await;
    server.stop();
    assert_eq!(Answer::read(&mut known).await.0, "");
    stream.write_all(b"b\"").await.unwrap();
    let answer = Answer::read(&mut stream).await;
    assert_eq!((answer.status(), answer.body()), (200, "\"ab\""));
    assert_eq!(server.ended().await, Ended::Stopped);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_is_cut() {
    let mut server = Server::start().await;
    let mut stream = waiting(&server).await;
    let started = Instant::now();
    server.stop();
    assert_eq!(server.ended().await, Ended::Stopped);
    assert_eq!(started.elapsed().as_secs(), 10);
    assert_eq!(Answer::read(&mut stream).await.0, "");
}

#[tokio::test(start_paused = true)]
async fn a_second_stop_cuts_at_once() {
    let mut server = Server::start().await;
    let mut stream = waiting(&server).await;
    let started = Instant::now();
    assert_eq!(server.post("/v1/shutdown", "").await.status(), 202);
    server.stop();
    assert_eq!(server.ended().await, Ended::Stopped);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(Answer::read(&mut stream).await.0, "");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_wants_no_delay_has_it_cut_at_once() {
    let server = Server::start().await;
    let mut stream = waiting(&server).await;
    let started = Instant::now();
    let answer = server.post("/v1/shutdown", r#"{"now":true}"#).await;
    assert_eq!(answer.status(), 202, "it is told before everything is cut");
    assert_eq!(server.ended().await, Ended::Stopped);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(Answer::read(&mut stream).await.0, "");
}

#[tokio::test(start_paused = true)]
async fn without_that_wish_it_has_its_time() {
    for body in ["", "{}", r#"{"now":false}"#] {
        let server = Server::start().await;
        let mut stream = waiting(&server).await;
        let started = Instant::now();
        assert_eq!(server.post("/v1/shutdown", body).await.status(), 202);
        assert_eq!(server.ended().await, Ended::Stopped);
        assert_eq!(started.elapsed().as_secs(), 10, "{body}");
        assert_eq!(Answer::read(&mut stream).await.0, "");
    }
}

#[tokio::test]
async fn a_wish_that_nobody_understands_ends_nothing() {
    let server = Server::start().await;
    for body in ["{", "[]", "true", r#"{"now":1}"#, r#"{"now":true,"then":1}"#, r#"{"now":true,"now":true}"#] {
        let answer = server.post("/v1/shutdown", body).await;
        assert_eq!((answer.status(), answer.code().as_str()), (400, "bad_shutdown"), "{body}");
    }
    assert_eq!(server.get("/v1/status").await.status(), 200);
}

async fn listening(server: &Server, client: &str) -> tokio::net::TcpStream {
    let mut stream = server.connect().await;
    let head = server.head(&format!("GET /v1/events?client={client}"));
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    Answer::read_to(&mut stream, "\"state\":").await;
    stream
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_nobody_was_there_for_long_enough() {
    let server = Server::start_with(|host| host.idle_max = Some(HALF_AN_HOUR)).await;
    let started = Instant::now();
    let looks = async {
        // A monitor is nobody.
        for path in ["/health", "/metrics", "/v1/status"] {
            tokio::time::sleep(Duration::from_secs(300)).await;
            assert_eq!(server.get(path).await.status(), 200);
        }
    };
    looks.await;
    assert_eq!(server.running.await.unwrap().unwrap(), Ended::Idle);
    assert_eq!(started.elapsed().as_secs(), HALF_AN_HOUR.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_request_begins_the_time_anew_and_a_client_that_listens_stops_it() {
    let server = Server::start_with(|host| host.idle_max = Some(HALF_AN_HOUR)).await;
    tokio::time::sleep(Duration::from_secs(1000)).await;
    assert_eq!(server.post("/v1/say", "{}").await.body(), "hi");
    tokio::time::sleep(Duration::from_secs(1000)).await;
    let mut stream = listening(&server, "zed").await;
    // Signs of life come all the while.
    let listens = async {
        for _ in 0..500 {
            Answer::read_to(&mut stream, ":\n\n").await;
        }
    };
    let began = Instant::now();
    listens.await;
    assert!(began.elapsed() > HALF_AN_HOUR * 4, "{:?}", began.elapsed());
    assert!(!server.running.is_finished());
    drop(stream);
    let left = Instant::now();
    let ended = tokio::time::timeout(HALF_AN_HOUR * 2, server.running).await.unwrap().unwrap().unwrap();
    assert_eq!(ended, Ended::Idle);
    assert!(left.elapsed() >= HALF_AN_HOUR, "{:?}", left.elapsed());
}
