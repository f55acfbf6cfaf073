//! `GET /health`: that finch is here, to anybody; and to who can read the endpoint's file, that it is the daemon which wrote it.

use std::sync::Arc;

use axum::extract::{Extension, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, extract::rejection::QueryRejection};
use serde::Deserialize;

use crate::endpoint::PROTOCOL;
use crate::limits::CHALLENGE_CHARS;
use crate::serve::{Connection, Refusal};
use crate::{Host, wire};

#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    challenge: Option<String>,
}

pub(crate) async fn health(
    State(host): State<Host>,
    Extension(connection): Extension<Arc<Connection>>,
    uri: Uri,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let challenge = match asked {
        Ok(Query(Asked { challenge })) => challenge,
        Err(_) => return bad_challenge(&uri),
    };
    if challenge.as_deref().is_some_and(|challenge| !is_challenge(challenge)) {
        return bad_challenge(&uri);
    }
    // Where the client came in, whatever it calls that.
    let proof = challenge.map(|challenge| host.nonce.proof(&challenge, connection.local));
    Json(wire::Health { name: "finch".to_owned(), version: host.version, protocol: PROTOCOL, proof }).into_response()
}

fn is_challenge(text: &str) -> bool {
    CHALLENGE_CHARS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn bad_challenge(uri: &Uri) -> Response {
    let (least, most) = (CHALLENGE_CHARS.start(), CHALLENGE_CHARS.end());
    let message = format!("a challenge has {least} to {most} visible ASCII characters");
    Refusal::new(StatusCode::BAD_REQUEST, "bad_challenge", message).answer(uri.path())
}

#[cfg(test)]
mod tests {
    use super::is_challenge;

    #[test]
    fn a_challenge_is_neither_short_nor_long_nor_odd() {
        assert!(is_challenge(&"a".repeat(16)));
        assert!(is_challenge(&"~".repeat(128)));
        for odd in [String::new(), "a".repeat(15), "a".repeat(129), " ".repeat(16), "\n".repeat(16), "é".repeat(16)] {
            assert!(!is_challenge(&odd), "{odd:?}");
        }
    }
}
