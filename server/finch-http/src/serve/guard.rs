//! Who is let in: programs of this machine that hold the token, and no web page.
//!
//! A page that a browser shows can send requests here: by a name that suddenly means this machine, from its own origin, as
//! a form, as a WebSocket. Each carries what a browser cannot leave out, and is refused by it before anything else is read.

use std::net::SocketAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};

use super::refusal::Refusal;
use crate::endpoint::Token;

/// Whether a program of this machine asks.
pub(crate) fn is_from_here(parts: &Parts, listens_at: SocketAddr) -> Result<(), Refusal> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).unwrap_or_default();
    if hosts.next().is_some() || !names_us(host, listens_at) {
        return Err(forbidden("host", format!("this server answers to 127.0.0.1:{} alone", listens_at.port())));
    }
    // A whole address in the first line counts before the header.
    let is_other = |text: &str| !names_us(text, listens_at);
    if parts.uri.authority().is_some_and(|authority| is_other(authority.as_str()))
        || parts.uri.scheme_str().is_some_and(|scheme| scheme != "http")
    {
        return Err(forbidden("host", "the address in the first line is not this server's".to_owned()));
    }
    if parts.headers.contains_key(header::ORIGIN) {
        return Err(forbidden("origin", "web pages may not ask: the request has an Origin".to_owned()));
    }
    if parts.headers.get("sec-fetch-site").is_some_and(|site| site != "none") {
        return Err(forbidden("origin", "web pages may not ask: the request has a Sec-Fetch-Site".to_owned()));
    }
    if is_web_socket(&parts.headers) {
        return Err(forbidden("upgrade", "there are no WebSockets here; use plain requests".to_owned()));
    }
    Ok(())
}

fn forbidden(code: &'static str, message: String) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, code, message).and_ends_the_connection()
}

/// Whether that is this server by one of its own names. A name that only resolves to this machine is none of them.
fn names_us(host: &str, listens_at: SocketAddr) -> bool {
    let port = listens_at.port();
    let is = |name: &str| host.eq_ignore_ascii_case(&format!("{name}:{port}")) || (port == 80 && host == name);
    is("127.0.0.1") || is("localhost") || is("[::1]") || host == listens_at.to_string()
}

fn is_web_socket(headers: &HeaderMap) -> bool {
    let upgrades = |value: &axum::http::HeaderValue| {
        value.to_str().map_or(true, |value| value.to_ascii_lowercase().contains("websocket"))
    };
    headers.get_all(header::UPGRADE).iter().any(upgrades) || headers.contains_key(header::SEC_WEBSOCKET_KEY)
}

/// Whether the request shows the token.
pub(crate) fn shows_the_token(headers: &HeaderMap, token: &Token) -> Result<(), Refusal> {
    let bearer = headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
    });
    let keys = headers.get_all("x-api-key").iter().filter_map(|value| value.to_str().ok());
    if bearer.chain(keys).any(|shown| token.is(shown)) {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::UNAUTHORIZED,
        "invalid_api_key",
        "the token is missing or wrong; it stands in daemon/token of FINCH_HOME and goes into `Authorization: Bearer …`",
    ))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[track_caller]
    fn check(uri: &str, headers: &[(&str, &str)], expected: Option<&str>) {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let refusal = is_from_here(&parts, "127.0.0.1:11435".parse().unwrap()).err();
        assert_eq!(refusal.map(|refusal| refusal.code), expected, "{uri} {headers:?}");
    }

    #[test]
    fn only_this_servers_own_names_are_hosts() {
        for host in ["127.0.0.1:11435", "localhost:11435", "LocalHost:11435", "[::1]:11435"] {
            check("/", &[("host", host)], None);
        }
        let strange = [
            "",
            "evil.example:11435",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1:114350",
            "127.0.0.1.evil:11435",
            "127.0.0.1:11435.evil",
            "127.1:11435",
            "2130706433:11435",
            "0.0.0.0:11435",
            "localhost.:11435",
            "localhost.evil:11435",
            "user@127.0.0.1:11435",
            "127.0.0.1:11435@evil",
            "127.0.0.1:11435, evil",
            "[::ffff:127.0.0.1]:11435",
            "::1:11435",
        ];
        for host in strange {
            check("/", &[("host", host)], Some("host"));
        }
        check("/", &[], Some("host"));
        check("/", &[("host", "127.0.0.1:11435"), ("host", "evil")], Some("host"));
    }

    #[test]
    fn a_whole_address_in_the_first_line_is_this_servers() {
        let host = ("host", "127.0.0.1:11435");
        check("http://127.0.0.1:11435/v1/models", &[host], None);
        check("http://evil.example/v1/models", &[host], Some("host"));
        check("https://127.0.0.1:11435/v1/models", &[host], Some("host"));
        check("http://127.0.0.1:11435/v1/models", &[("host", "evil.example")], Some("host"));
    }

    #[test]
    fn web_pages_are_refused() {
        let host = ("host", "127.0.0.1:11435");
        for origin in ["https://evil.example", "null", "http://127.0.0.1:11435", "vscode-webview://x", ""] {
            check("/", &[host, ("origin", origin)], Some("origin"));
        }
        check("/", &[host, ("sec-fetch-site", "cross-site")], Some("origin"));
        check("/", &[host, ("sec-fetch-site", "same-origin")], Some("origin"));
        // An address that somebody typed; Node's fetch.
        check("/", &[host, ("sec-fetch-site", "none")], None);
        check("/", &[host, ("sec-fetch-mode", "cors")], None);
        check("/", &[host, ("upgrade", "WebSocket")], Some("upgrade"));
        check("/", &[host, ("sec-websocket-key", "x")], Some("upgrade"));
        // Java's client asks for HTTP/2 so and takes no for an answer.
        check("/", &[host, ("upgrade", "h2c")], None);
    }

    #[test]
    fn the_token_is_taken_as_either_api_sends_it() {
        let folder = tempfile::tempdir().unwrap();
        let token = Token::read_or_make(folder.path()).unwrap();
        let shows = |name: &'static str, value: String| {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            shows_the_token(&headers, &token).is_ok()
        };
        let right = token.expose();
        assert!(shows("authorization", format!("Bearer {right}")));
        assert!(shows("authorization", format!("bearer  {right}")));
        assert!(shows("x-api-key", right.to_owned()));
        for wrong in [String::new(), right.to_owned(), format!("Basic {right}"), format!("Bearer {}", &right[1..])] {
            assert!(!shows("authorization", wrong));
        }
        assert!(!shows("x-api-key", format!("Bearer {right}")));
        assert!(!shows("cookie", right.to_owned()));
    }
}
