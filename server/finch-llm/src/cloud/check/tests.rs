use std::time::Instant;

use super::super::provider::tests::server::{Reply, Server};
use super::*;
use crate::{
    ProviderId,
    cloud::{Cleartext, Endpoint, Header, Key},
};

const KEY: &str = "sk-CANARY-0123456789abcdef";

fn spec(service: Service, url: &str) -> CloudSpec {
    let endpoint = Endpoint::new(url, Cleartext::Loopback).unwrap();
    let key = Some(Key::new(KEY).unwrap());
    CloudSpec { key, ..CloudSpec::new(ProviderId::new("test"), service, "model-1", endpoint) }
}

fn list(body: &str) -> Reply {
    Reply::status("200 OK", "Content-Type: application/json", body)
}

/// What comes of it when the server answers so; no secret is in any error.
async fn outcome(service: Service, reply: Reply) -> String {
    let server = Server::start([reply]).await;
    let outcome = check(&spec(service, &server.url)).await;
    let said = outcome.map_or_else(|error| format!("{}: {error}", error.kind()), |checked| format!("{checked:?}"));
    assert!(!said.contains("CANARY"), "{said}");
    assert_eq!(server.requests().len(), 1, "one try");
    said
}

#[tokio::test]
async fn each_service_is_asked_for_its_models_with_the_key_in_its_header_and_nothing_else() {
    for (service, line, header) in [
        (Service::Claude, "GET /v1/models?limit=1000 HTTP/1.1", format!("x-api-key: {KEY}\r\n")),
        (Service::Gemini, "GET /v1/models?pageSize=1000 HTTP/1.1", format!("x-goog-api-key: {KEY}\r\n")),
        (Service::OpenAi, "GET /v1/models HTTP/1.1", format!("authorization: Bearer {KEY}\r\n")),
        (Service::Grok, "GET /v1/models HTTP/1.1", format!("authorization: Bearer {KEY}\r\n")),
        (Service::Mistral, "GET /v1/models HTTP/1.1", format!("authorization: Bearer {KEY}\r\n")),
        (Service::Groq, "GET /v1/models HTTP/1.1", format!("authorization: Bearer {KEY}\r\n")),
        (Service::Compatible, "GET /v1/models HTTP/1.1", format!("authorization: Bearer {KEY}\r\n")),
    ] {
        let server = Server::start([list("{}")]).await;
        let mut spec = spec(service, &server.url);
        spec.headers = vec![Header { name: "x-own".to_owned(), value: Key::new("mine").unwrap() }];
        assert_eq!(check(&spec).await, Ok(Checked::Unknown), "{service:?}");
        let request = &server.requests()[0];
        assert_eq!(request.lines().next(), Some(line), "{service:?}");
        assert!(request.contains(&header) && request.contains("x-own: mine\r\n"), "{request}");
        assert_eq!(request.contains("anthropic-version: "), service == Service::Claude, "{request}");
        assert!(request.ends_with("\r\n\r\n") && request.matches(KEY).count() == 1, "no body: {request}");
        assert!(!request.contains("model-1"), "{request}");
    }
}

#[tokio::test]
async fn a_list_says_whether_the_model_is_there() {
    let cases = [
        (Service::OpenAi, r#"{"data":[{"id":"other"},{"id":"model-1"}]}"#, "Listed"),
        (Service::OpenAi, r#"{"data":[{"id":"model-10"}]}"#, "NotListed"),
        (Service::Mistral, r#"{"data":[{"id":"x","aliases":["model-1"]}]}"#, "Listed"),
        (Service::Compatible, r#"{"data":[{"id":"model-1:latest"}]}"#, "Listed"),
        (Service::Claude, r#"{"data":[{"id":"model-1"}],"has_more":true}"#, "Listed"),
        (Service::Claude, r#"{"data":[{"id":"other"}],"has_more":true}"#, "Unknown"),
        (Service::Claude, r#"{"data":[{"id":"other"}],"has_more":false}"#, "NotListed"),
        (Service::Gemini, r#"{"models":[{"name":"models/model-1"}]}"#, "Listed"),
        (Service::Gemini, r#"{"models":[{"name":"models/other"}],"nextPageToken":"n"}"#, "Unknown"),
        (Service::Gemini, r#"{"models":[{"name":"models/other"}]}"#, "NotListed"),
    ];
    for (service, body, expected) in cases {
        assert_eq!(outcome(service, list(body)).await, expected, "{body}");
    }
}

#[tokio::test]
async fn another_shape_tells_nothing_of_the_model() {
    for body in ["{}", "[]", "null", r#"{"data":[]}"#, r#"{"data":{}}"#, r#"{"data":[1,{"id":2}]}"#] {
        assert_eq!(outcome(Service::Compatible, list(body)).await, "Unknown", "{body}");
    }
    let long = format!(r#"{{"data":[{{"id":"model-1{}"}}]}}"#, " ".repeat(limits::MODELS_BYTES_MAX));
    assert_eq!(outcome(Service::Compatible, list(&long)).await, "Unknown");
}

#[tokio::test]
async fn a_refusal_is_told_from_an_answer_that_says_nothing_of_the_key() {
    let refused = r#"{"error":{"message":"no such key: sk-CANARY-0123456789abcdef"}}"#;
    for (status, body, expected) in [
        ("401 Unauthorized", refused, "unauthorized: not authorised: HTTP 401: no such key: "),
        ("403 Forbidden", "", "unauthorized: not authorised: HTTP 403"),
        ("400 Bad Request", r#"{"error":{"message":"API key not valid."}}"#, "unauthorized: not authorised: HTTP 400"),
        ("404 Not Found", "", "refused: the provider refused: HTTP 404"),
        ("503 Service Unavailable", "", "unavailable: HTTP 503"),
        ("429 Too Many Requests", "", "rate-limited: "),
        (
            "200 OK",
            "<html>Welcome to our network</html>",
            "protocol: protocol error: the answer to GET models is no JSON",
        ),
        ("200 OK", r#"{"error":{"type":"authentication_error","message":"no"}}"#, "unauthorized: "),
    ] {
        let said = outcome(Service::OpenAi, Reply::status(status, "", body)).await;
        assert!(said.starts_with(expected), "{status}: {said}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start([list("{}")]).await;
    let to = format!("Location: {}/models", elsewhere.url);
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let said = outcome(Service::OpenAi, Reply::status(status, &to, "")).await;
        assert!(said.starts_with("protocol: ") && said.contains("redirects are not followed"), "{said}");
    }
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left_when_the_wait_is_over() {
    let half = || Reply::new("200 OK", "Content-Length: 100", "{\"data\":").stalling();
    for reply in [Reply::mute(), half()] {
        let server = Server::start([reply]).await;
        let begun = Instant::now();
        let outcome = check_within(&spec(Service::OpenAi, &server.url), Duration::from_millis(200)).await;
        let reason = "nothing came for 0.2 s".to_owned();
        assert_eq!(outcome, Err(LlmError::Unavailable { reason }));
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn where_nobody_listens_it_says_so() {
    let server = Server::start([]).await;
    let error = check(&spec(Service::OpenAi, &server.url)).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot be reached: "), "{error}");
}
