//! What a session answers to bytes that are no message.

use serde_json::{Value, json};

use super::support::Client;
use crate::{BODY_BYTES_MAX, Ended};

/// Sends `bytes` on a fresh connection and closes it; the error codes that come back, and that the session ends.
#[track_caller]
fn check(bytes: &[u8], codes: &[i64]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let mut client = Client::connect();
        client.send_bytes(bytes).await;
        client.close_input();
        let seen: Vec<Value> =
            client.rest().await.into_iter().map(|message| message["error"]["code"].clone()).collect();
        assert_eq!(seen, codes.iter().map(|&code| json!(code)).collect::<Vec<_>>());
        assert_eq!(client.ended().await, Ended::WithoutShutdown);
    });
}

fn framed(body: &str) -> Vec<u8> {
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn what_is_no_json_is_answered_and_the_next_message_is_read() {
    let mut stream = framed("{");
    stream.extend(framed("[]"));
    stream.extend(framed(""));
    stream.extend(framed(r#"{"jsonrpc":"2.0","id":1.5,"method":"x"}"#));
    stream.extend(framed(r#"{"jsonrpc":"2.0","id":5,"method":"x"}"#));
    check(&stream, &[-32700, -32600, -32700, -32600, -32002]);
}

#[test]
fn a_lost_framing_is_answered_and_ends_the_session() {
    check(b"Content-Length: abc\r\n\r\n", &[-32700]);
    check(b"hello\r\n\r\n", &[-32700]);
    check(&[b'x'; 40_000], &[-32700]);
    check(b"Content-Length: 99999999999999999999\r\n\r\n", &[-32700]);
}

#[test]
fn an_end_inside_a_message_is_an_end() {
    check(b"Content-Length: 100\r\n\r\n{", &[]);
    check(b"Content-Le", &[]);
    check(b"", &[]);
}

#[tokio::test]
async fn a_lost_framing_ends_the_session_though_the_input_stays_open() {
    let mut client = Client::connect();
    client.send_bytes(b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.receive().await.map(|message| message["error"]["code"].clone()), Some(json!(-32700)));
    assert_eq!(client.ended().await, Ended::WithoutShutdown);
}

#[tokio::test]
async fn a_message_above_the_limit_is_refused_and_the_session_goes_on() {
    let mut client = Client::open("small").await;
    let bytes = BODY_BYTES_MAX + 1;
    client.send_bytes(format!("Content-Length: {bytes}\r\n\r\n").as_bytes()).await;
    let chunk = vec![b' '; 1024 * 1024];
    let mut left = usize::try_from(bytes).unwrap();
    while left > 0 {
        let part = left.min(chunk.len());
        client.send_bytes(&chunk[..part]).await;
        left -= part;
    }
    let refused = client.wait_for(|message| message["id"].is_null() && message.get("error").is_some()).await;
    assert_eq!(refused["error"]["code"], -32600);
    assert_eq!(client.ask("finch/status", Value::Null).await["result"]["state"], "ready");
}

#[tokio::test]
async fn a_session_may_arrive_byte_by_byte() {
    let mut client = Client::connect();
    let initialize = framed(r#"{"jsonrpc":"2.0","id":"é","method":"initialize","params":{"capabilities":{}}}"#);
    for byte in initialize {
        client.send_bytes(&[byte]).await;
    }
    let answer = client.receive().await.expect("an answer");
    assert_eq!((&answer["id"], answer["result"].is_object()), (&json!("é"), true));
}
