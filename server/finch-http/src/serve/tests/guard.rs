use tokio::net::TcpListener;

use super::server::{Answer, Server};

/// The paths of finch's own and of the other APIs.
const PATHS: [&str; 7] =
    ["/v1/status", "/metrics", "/v1/events", "/v1/say", "/v1/shutdown", "/v1/feedback", "/v1/nothing"];

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status(), answer.code().as_str()), (status, code), "{answer:?}");
    for name in ["access-control-allow-origin", "access-control-allow-headers", "set-cookie"] {
        assert_eq!(answer.header(name), None, "{answer:?}");
    }
}

/// Row D1.
#[tokio::test]
async fn a_name_that_means_this_machine_only_to_a_resolver_is_refused() {
    let server = Server::start().await;
    let (port, token) = (server.address.port(), &server.token);
    for host in ["evil.example", "127.0.0.1.evil", "", "0.0.0.0"] {
        for path in ["/v1/say", "/health", "/v1/shutdown"] {
            let head = format!("POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n");
            refused(&server.raw(format!("{head}\r\n")).await, 403, "host");
        }
    }
    let whole = server.head("POST http://evil.example/v1/say");
    refused(&server.raw(format!("{whole}\r\n")).await, 403, "host");
    let nameless = format!("POST /v1/say HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n");
    assert!(server.raw(nameless).await.0.contains(" 403 "));
    let whole = server.head(&format!("POST http://{}/v1/say", server.address));
    assert_eq!(server.raw(format!("{whole}Connection: close\r\n\r\n")).await.status(), 200);
}

/// Row D2.
#[tokio::test]
async fn a_web_page_is_refused_whatever_it_sends() {
    let server = Server::start().await;
    for origin in ["https://evil.example", "null", &format!("http://{}", server.address)] {
        for method in ["POST", "GET", "OPTIONS"] {
            let head = server.head(&format!("{method} /v1/say"));
            refused(&server.raw(format!("{head}Origin: {origin}\r\n\r\n")).await, 403, "origin");
        }
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let head = server.head("POST /v1/say");
        let answer = server.raw(format!("{head}Content-Type: {kind}\r\nContent-Length: 2\r\n\r\n{{}}")).await;
        refused(&answer, 415, "content_type");
    }
    let answer = server.raw(format!("{}Content-Length: 2\r\n\r\n{{}}", server.head("POST /v1/say"))).await;
    refused(&answer, 415, "content_type");
    assert_eq!(server.post("/v1/say", "{}").await.body(), "hi");
}

/// Row D3.
#[tokio::test]
async fn there_are_no_web_sockets() {
    let server = Server::start().await;
    let upgrade =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n";
    for path in ["/", "/v1/events", "/health"] {
        let head = server.head(&format!("GET {path}"));
        refused(&server.raw(format!("{head}{upgrade}\r\n")).await, 403, "upgrade");
        refused(&server.raw(format!("{head}{upgrade}Origin: https://evil.example\r\n\r\n")).await, 403, "origin");
    }
    let tunnel =
        server.raw(format!("{}Connection: close\r\n\r\n", server.head(&format!("CONNECT {}", server.address))));
    assert!((400..500).contains(&tunnel.await.status()));
}

/// Row D4.
#[tokio::test]
async fn without_the_token_there_is_only_health() {
    let server = Server::start().await;
    let host = server.address;
    let wrong = "0".repeat(server.token.len());
    for shown in ["", "Authorization: Bearer \r\n", &format!("Authorization: Bearer {wrong}\r\n"), "x-api-key: x\r\n"] {
        for path in PATHS {
            for method in ["GET", "POST", "DELETE"] {
                let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{shown}Connection: close\r\n\r\n");
                let answer = server.raw(request).await;
                refused(&answer, 401, "invalid_api_key");
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
                assert_eq!(answer.header("x-request-id").map(str::len), Some(36));
                assert_eq!(answer.header("request-id"), answer.header("x-request-id"));
                assert_eq!(answer.json()["error"]["type"], "authentication_error");
            }
        }
        let request = format!("GET /health HTTP/1.1\r\nHost: {host}\r\n{shown}Connection: close\r\n\r\n");
        assert_eq!(server.raw(request).await.status(), 200);
    }
    // The API that asks for it calls it so, and finds errors one level further out.
    let head = format!("POST /v1/say HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: {}\r\n", server.token);
    assert_eq!(server.raw(format!("{head}Connection: close\r\n\r\n")).await.body(), "hi");
    let request = format!("POST /v1/messages HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let answer = server.raw(request).await.json();
    assert_eq!((&answer["type"], &answer["error"]["type"]), (&"error".into(), &"authentication_error".into()));
}

/// Row D5.
#[tokio::test]
async fn a_server_of_other_machines_does_not_start() {
    let server = Server::start_with(|_| {}).await;
    for address in ["0.0.0.0:0", "[::]:0"] {
        let Ok(listener) = TcpListener::bind(address).await else { continue };
        let home = tempfile::tempdir().unwrap();
        let host = crate::Host {
            models: std::sync::Arc::new(NoModel),
            state: server.state.subscribe(),
            token: crate::endpoint::Token::read_or_make(home.path()).unwrap(),
            nonce: server.nonce.clone(),
            version: String::new(),
            journal: None,
            sessions: None,
            idle_max: None,
        };
        let error = crate::serve(listener, host, std::future::pending()).await.unwrap_err().to_string();
        assert!(error.contains("other machines") && error.contains("127.0.0.1"), "{error}");
    }
}

struct NoModel;

impl crate::Models for NoModel {
    fn offers(&self) -> Vec<crate::Offer> {
        Vec::new()
    }

    fn find(&self, _: crate::Asked<'_>) -> Option<crate::Found> {
        None
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_apis_shape() {
    let server = Server::start().await;
    refused(&server.get("/v1/nothing").await, 404, "unknown_url");
    refused(&server.get("/v1/say").await, 405, "wrong_method");
    refused(&server.post("/health", "{}").await, 405, "wrong_method");
    let answer = server.post("/v1/messages/count_tokens", "{}").await.json();
    assert_eq!(answer["error"]["type"], "not_found_error");
}
