use finch_learn::record::Event;
use finch_learn::{Collect, Journal, past};
use finch_llm::ModelState;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::server::{Answer, Server};
use crate::endpoint::PROTOCOL;

#[tokio::test]
async fn health_tells_little_and_proves_who_it_is() {
    let server = Server::start().await;
    let little = json!({"name": "finch", "version": "1.2.3", "protocol": PROTOCOL});
    assert_eq!(server.get("/health").await.json(), little);
    let challenge = "0123456789abcdef";
    let answer = server.get(&format!("/health?challenge={challenge}")).await.json();
    let proof = answer["proof"].as_str().unwrap();
    assert!(server.nonce.proves(challenge, server.address, proof));
    // By another name it is the same place.
    let by_name =
        format!("GET /health?challenge={challenge} HTTP/1.1\r\nHost: localhost:{}\r\n", server.address.port());
    let answer = server.raw(format!("{by_name}Connection: close\r\n\r\n")).await.json();
    assert!(server.nonce.proves(challenge, server.address, answer["proof"].as_str().unwrap()));
    for odd in ["short", &"a".repeat(129), "0123456789%0Aabcdef", "0123456789%20abcdef", ""] {
        let answer = server.get(&format!("/health?challenge={odd}")).await;
        assert_eq!((answer.status(), answer.code().as_str()), (400, "bad_challenge"), "{odd}");
    }
    let twice = server.get(&format!("/health?challenge={challenge}&challenge={challenge}")).await;
    assert_eq!(twice.code(), "bad_challenge");
}

#[tokio::test]
async fn each_change_of_the_model_is_an_event() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    stream.write_all(format!("{}\r\n", server.head("GET /v1/events?client=zed")).as_bytes()).await.unwrap();
    let first = Answer::read_to(&mut stream, "\n\n\r\n").await;
    assert_eq!((first.status(), first.header("content-type")), (200, Some("text/event-stream")));
    assert!(first.0.contains(r#"data: {"state":{"state":"starting"}}"#), "{first:?}");
    server.state.send_replace(ModelState::Loading { model: "greeter".to_owned() });
    Answer::read_to(&mut stream, r#"data: {"state":{"state":"loading","model":"greeter"}}"#).await;
    server.state.send_replace(ModelState::Ready { model: "greeter".to_owned() });
    let ready = Answer::read_to(&mut stream, "\n\n").await.0;
    assert!(ready.contains(r#""state":"ready""#) && ready.contains(r#""context_tokens_max":4096"#), "{ready}");
    let second = server.get("/v1/status").await.json();
    assert_eq!(second["clients"], json!(["zed"]));
    for odd in ["", "%0A", &"a".repeat(129), "a&client=b"] {
        let answer = server.get(&format!("/v1/events?client={odd}")).await;
        assert_eq!((answer.status(), answer.code().as_str()), (400, "bad_client"), "{odd}");
    }
    drop(stream);
    let gone = async { while server.get("/v1/status").await.json()["clients"] != json!([]) {} };
    tokio::time::timeout(super::server::SOON, gone).await.unwrap();
}

#[tokio::test]
async fn status_and_metrics_tell_true_numbers() {
    let server = Server::start().await;
    server.post("/v1/say", "{}").await;
    server.post("/v1/say", "{}").await;
    server.raw("GET / HTTP/1.1\r\nHost: evil\r\n\r\n").await;
    let status = server.get("/v1/status").await.json();
    assert_eq!(status["version"], "1.2.3");
    assert_eq!(status["pid"], std::process::id());
    assert_eq!(status["state"], json!({"state": "starting"}));
    assert_eq!(status["models"], json!(["greeter"]));
    assert_eq!(status["requests"], json!({"running": 1, "total": 4, "refused": 1, "failed": 0}));
    let idle = json!({"running": 0, "waiting": 0});
    let busy = json!({"running": 2, "waiting": 1});
    assert_eq!(status["lanes"], json!({"interactive": idle, "batch": busy, "warm": idle}));
    assert_eq!(status["tokens"], json!({"prompt": 20, "cached": 8, "generated": 4}));
    assert!(status["tokens_per_second"].as_f64().unwrap() > 0.0);
    if cfg!(target_os = "linux") {
        assert!(status["memory"]["resident_bytes"].as_u64().unwrap() > 1 << 20);
    }
    let metrics = server.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "finch_requests_total 5",
        "finch_requests_running 1",
        r#"finch_answers_total{path="other",status="200"} 2"#,
        r#"finch_answers_total{path="/v1/status",status="200"} 1"#,
        r#"finch_refused_total{reason="host"} 1"#,
        r#"finch_lane_requests{lane="batch",state="running"} 2"#,
        r#"finch_tokens_total{kind="cached"} 8"#,
        "finch_first_token_seconds_count 2",
        "finch_connections 1",
    ] {
        assert!(metrics.body().lines().any(|there| there == line), "no {line:?} in {}", metrics.body());
    }
}

#[tokio::test]
async fn feedback_is_on_the_disk_when_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path().to_owned(), Collect::Text, 1);
    let server = Server::start_with(|host| host.journal = Some(journal.clone())).await;
    let minor = json!({"verdict": "bad", "severity": "minor", "note": "too long", "correction": "x", "suggestion": 3,
        "session": "s", "language": "rust", "model": "greeter"});
    let answer = server.post("/v1/feedback", &minor.to_string()).await;
    assert_eq!(answer.status(), 200);
    // Nothing was closed or flushed: what a kill would leave is there.
    let (records, skipped) = past::feedback(folder.path()).unwrap();
    assert_eq!((records.len(), skipped.total()), (1, 0));
    let Event::Feedback(said) = &records[0].event else { panic!("{records:?}") };
    assert_eq!((said.weight, said.note.as_deref(), said.correction.as_deref()), (-3, Some("too long"), Some("x")));
    assert_eq!((records[0].about.session.as_str(), records[0].about.suggestion), ("s", 3));
    assert_eq!(answer.json(), json!({"id": said.id, "weight": -3, "keeps_correction": true}));
    for (body, weight) in
        [(r#"{"verdict":"good"}"#, 1), (r#"{"verdict":"bad"}"#, -10), (r#"{"verdict":"bad","severity":"major"}"#, -10)]
    {
        assert_eq!(server.post("/v1/feedback", body).await.json()["weight"], weight);
    }
    assert_eq!(past::feedback(folder.path()).unwrap().0.len(), 4);
}

#[tokio::test]
async fn feedback_that_cannot_be_kept_as_it_is_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path().to_owned(), Collect::Counts, 1);
    let server = Server::start_with(|host| host.journal = Some(journal.clone())).await;
    let long = format!(r#"{{"verdict":"bad","note":"{}"}}"#, "a".repeat(finch_learn::NOTE_BYTES_MAX + 1));
    for body in [
        "",
        "{",
        "[]",
        r#"{"verdict":"fine"}"#,
        r#"{"verdict":"good","severity":"minor"}"#,
        r#"{"verdict":"good","verdict":"bad"}"#,
        r#"{"verdict":"good","weight":5}"#,
        r#"{"verdict":"good","suggestion":-1}"#,
        &long,
    ] {
        let answer = server.post("/v1/feedback", body).await;
        assert_eq!((answer.status(), answer.code().as_str()), (400, "bad_feedback"), "{body}");
    }
    let answer = server.post("/v1/feedback", r#"{"verdict":"bad","correction":"secret"}"#).await.json();
    assert_eq!(answer["keeps_correction"], false);
    journal.close();
    let answer = server.post("/v1/feedback", r#"{"verdict":"bad"}"#).await;
    assert_eq!((answer.status(), answer.code().as_str()), (503, "journal"));
    let server = Server::start().await;
    let answer = server.post("/v1/feedback", r#"{"verdict":"bad"}"#).await;
    assert_eq!((answer.status(), answer.code().as_str()), (503, "learning_off"));
}
