//! Who is taken for a daemon, and what strangers get to hear.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Contact, Dialler, UnderWay};
use crate::endpoint::{Endpoint, Nonce, PROTOCOL, Token};

/// How a server answers every request of one connection after the other.
type Answers = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

struct Server {
    address: SocketAddr,
    heard: Arc<Mutex<String>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(answers: impl FnOnce(SocketAddr) -> Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answers, heard) = (answers(address), Arc::<Mutex<String>>::default());
        let ears = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            // Kept open: a server that says nothing does not hang up.
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let head = read(&mut stream).await;
                ears.lock().unwrap().push_str(&head);
                match answers(&head) {
                    Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                    None => silent.push(stream),
                }
            }
        });
        Self { address, heard, task }
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().clone()
    }
}

/// A request up to the end of its headers.
async fn read(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).await.is_ok() {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn challenge(head: &str) -> &str {
    head.split("challenge=").nth(1).unwrap().split(' ').next().unwrap()
}

fn health(name: &str, protocol: u32, proof: &str) -> String {
    let body = serde_json::json!({"name": name, "version": "9.9.9", "protocol": protocol, "proof": proof, "new": 1});
    answer("200 OK", "", &body.to_string())
}

fn write_endpoint(home: &Path, address: SocketAddr, nonce: &Nonce) {
    let endpoint = Endpoint { url: format!("http://{address}"), pid: 1, version: "9.9.9".into(), nonce: nonce.clone() };
    endpoint.write(home).unwrap();
}

fn said(contact: &Contact) -> &'static str {
    match contact {
        Contact::Daemon(_) => "daemon",
        Contact::Other(_) => "other",
        Contact::None => "none",
        Contact::Stranger { .. } => "stranger",
        Contact::Silent { .. } => "silent",
    }
}

/// Dials a server that answers like this, and holds that only a daemon hears the token.
async fn check(expected: &str, answers: impl FnOnce(SocketAddr, Nonce) -> Answers) {
    let (home, nonce) = (tempfile::tempdir().unwrap(), Nonce::new().unwrap());
    let token = Token::read_or_make(home.path()).unwrap();
    let server = Server::start(|address| answers(address, nonce.clone())).await;
    write_endpoint(home.path(), server.address, &nonce);
    let contact = Dialler::new().unwrap().contact(home.path()).await.unwrap();
    assert_eq!(said(&contact), expected);
    assert!(server.heard().starts_with("GET /health?challenge="), "{}", server.heard());
    assert!(!server.heard().contains(token.expose()), "the token was sent before the proof");
    assert!(!server.heard().to_lowercase().contains("authorization"), "{}", server.heard());
}

#[tokio::test]
async fn who_proves_it_is_a_daemon() {
    check("daemon", |at, nonce| {
        Box::new(move |head| Some(health("finch", PROTOCOL, &nonce.proof(challenge(head), at))))
    })
    .await;
    check("other", |at, nonce| {
        Box::new(move |head| Some(health("finch", PROTOCOL + 1, &nonce.proof(challenge(head), at))))
    })
    .await;
}

#[tokio::test]
async fn who_does_not_prove_it_is_a_stranger() {
    check("stranger", |_, _| Box::new(|_| Some(health("finch", PROTOCOL, "")))).await;
    check("stranger", |_, _| Box::new(|_| Some(answer("200 OK", "", "Ollama is running")))).await;
    check("stranger", |_, _| Box::new(|_| Some(answer("404 Not Found", "", "{}")))).await;
    check("stranger", |_, _| Box::new(|_| Some("SSH-2.0-OpenSSH_9.6\r\n".to_owned()))).await;
    check("stranger", |_, _| Box::new(|_| Some(answer("200 OK", "", &" ".repeat(1 << 20))))).await;
    check("stranger", |at, nonce| {
        Box::new(move |head| Some(health("other", PROTOCOL, &nonce.proof(challenge(head), at))))
    })
    .await;
    // Who passes the question on to the daemon gets a proof for another address.
    check("stranger", |_, nonce| {
        let elsewhere = "127.0.0.1:1".parse().unwrap();
        Box::new(move |head| Some(health("finch", PROTOCOL, &nonce.proof(challenge(head), elsewhere))))
    })
    .await;
    // An answer to a question of before.
    check("stranger", |at, nonce| {
        Box::new(move |_| Some(health("finch", PROTOCOL, &nonce.proof("a question of before", at))))
    })
    .await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(|_| Box::new(|_| Some(answer("200 OK", "", "{}")))).await;
    let to = format!("location: http://{}/health\r\n", elsewhere.address);
    check("stranger", move |_, _| Box::new(move |_| Some(answer("307 Temporary Redirect", &to, "")))).await;
    assert_eq!(elsewhere.heard(), "");
}

#[tokio::test]
async fn who_says_nothing_is_waited_for_no_longer_than_that() {
    let started = std::time::Instant::now();
    check("silent", |_, _| Box::new(|_| None)).await;
    assert!(started.elapsed() < 2 * super::HANDSHAKE_WAIT, "{:?}", started.elapsed());
    check("silent", |_, _| Box::new(|_| Some(String::new()))).await;
}

#[tokio::test]
async fn without_a_file_or_a_listener_there_is_no_daemon() {
    let (home, dialler) = (tempfile::tempdir().unwrap(), Dialler::new().unwrap());
    assert_eq!(said(&dialler.contact(home.path()).await.unwrap()), "none");
    let bound = tokio::net::TcpSocket::new_v4().unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    write_endpoint(home.path(), bound.local_addr().unwrap(), &Nonce::new().unwrap());
    assert_eq!(said(&dialler.contact(home.path()).await.unwrap()), "none");
    std::fs::write(home.path().join("daemon/endpoint.json"), "{").unwrap();
    assert_eq!(said(&dialler.contact(home.path()).await.unwrap()), "none");
}

#[tokio::test]
async fn a_daemon_is_asked_with_the_token() {
    let (home, nonce) = (tempfile::tempdir().unwrap(), Nonce::new().unwrap());
    let token = Token::read_or_make(home.path()).unwrap();
    let for_proof = nonce.clone();
    let server = Server::start(|at| {
        Box::new(move |head| {
            Some(match head.split(' ').nth(1).unwrap().split('?').next().unwrap() {
                "/health" => health("finch", PROTOCOL, &for_proof.proof(challenge(head), at)),
                "/v1/status" => answer("200 OK", "", r#"{"clients": 2}"#),
                _ => answer("403 Forbidden", "", r#"{"error": {"message": "not you"}}"#),
            })
        })
    })
    .await;
    write_endpoint(home.path(), server.address, &nonce);
    let dialler = Dialler::new().unwrap();
    let Contact::Daemon(daemon) = dialler.contact(home.path()).await.unwrap() else { panic!("no daemon") };
    assert_eq!(dialler.status(&daemon).await.unwrap()["clients"], 2);
    assert!(server.heard().contains(&format!("authorization: Bearer {}", token.expose())), "{}", server.heard());
    let refused = dialler.shut_down(&daemon, UnderWay::Finish).await.unwrap_err().to_string();
    assert_eq!(refused, format!("the daemon at {} refuses: 403 not you", server.address));
}

#[tokio::test]
async fn a_token_that_is_gone_is_not_made_by_who_asks() {
    let (home, nonce) = (tempfile::tempdir().unwrap(), Nonce::new().unwrap());
    let for_proof = nonce.clone();
    let server = Server::start(|at| {
        Box::new(move |head| Some(health("finch", PROTOCOL, &for_proof.proof(challenge(head), at))))
    })
    .await;
    write_endpoint(home.path(), server.address, &nonce);
    let error = Dialler::new().unwrap().contact(home.path()).await.unwrap_err();
    assert!(error.is_for_want_of_a_token() && error.to_string().contains("token"), "{error}");
    assert!(!home.path().join("daemon/token").exists(), "the daemon would not know it");
}
