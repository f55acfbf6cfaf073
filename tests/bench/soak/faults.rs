//! Clients that do it wrong: they hang up, send half a body or no JSON, read nothing, or change their mind.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::client::Door;
use super::tally::Outcome;

/// How long one that reads nothing stays, and one that changes its mind thinks.
const STARE: Duration = Duration::from_secs(20);
const THINK: Duration = Duration::from_millis(60);
const PATH: &str = "/v1/chat/completions";

/// One of the five, in turns.
pub(super) async fn make(door: &Door, turn: usize) -> Result<Outcome> {
    match turn % 5 {
        0 => cut_off(door).await?,
        1 => half_a_body(door).await?,
        2 => no_json(door).await?,
        3 => read_nothing(door).await?,
        _ => change_mind(door).await,
    }
    Ok(Outcome::Right)
}

/// Asks for more than anybody waits for.
fn long_answer() -> String {
    let messages = json!([{"role": "user", "content": "Count to a thousand, in words."}]);
    json!({"model": "local", "stream": true, "max_tokens": 400, "messages": messages}).to_string()
}

async fn begin(door: &Door, body: &str, length: usize) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(door.address).await?;
    let (address, token) = (door.address, door.token.expose());
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    Ok(stream)
}

async fn cut_off(door: &Door) -> Result<()> {
    let body = long_answer();
    let mut stream = begin(door, &body, body.len()).await?;
    let mut heard = [0; 512];
    stream.read_exact(&mut heard).await.context("the stream that is cut did not begin")?;
    ensure!(heard.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&heard));
    Ok(())
}

async fn half_a_body(door: &Door) -> Result<()> {
    let body = long_answer();
    let mut stream = begin(door, &body[..body.len() / 2], body.len()).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(!answer.starts_with("HTTP/1.1 2"), "half a body was answered: {answer}");
    Ok(())
}

async fn no_json(door: &Door) -> Result<()> {
    let (status, body) = door.post(PATH, r#"{"messages": [{"role": "user", "content": "a"}"#.to_owned()).await?;
    let code = serde_json::from_str::<Value>(&body)?["error"]["code"].clone();
    ensure!(status == 400 && code == "invalid_json", "{status}: {body}");
    Ok(())
}

async fn read_nothing(door: &Door) -> Result<()> {
    let body = long_answer();
    let stream = begin(door, &body, body.len()).await?;
    sleep(STARE).await;
    drop(stream);
    Ok(())
}

async fn change_mind(door: &Door) {
    // Whether it was answered by then is all the same.
    drop(timeout(THINK, door.post(PATH, long_answer())).await);
}
