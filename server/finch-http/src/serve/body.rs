//! The body of a request: JSON, of a bounded size and shape, whole within a bounded time.
//!
//! What is asked of a browser before it may send `application/json` elsewhere is what keeps web pages out; so no other type
//! is read. Packed bodies are not unpacked.

use std::pin::pin;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::json_shape::{self, Excess};
use super::refusal::Refusal;
use crate::limits::{BODIES_BYTES_MAX, BODY_BYTES_MAX, BODY_WAIT, JSON_DEPTH_MAX, JSON_VALUES_MAX, RETRY_AFTER};

/// Bytes that all bodies together may hold.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Semaphore>);

/// A body and the room it takes.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) bytes: Bytes,
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BODIES_BYTES_MAX)))
    }
}

/// Reads it. No body is an empty one.
pub(crate) async fn read(headers: &HeaderMap, body: Body, room: &Room) -> Result<Whole, Refusal> {
    if body.is_end_stream() {
        return Ok(Whole { bytes: Bytes::new(), room: None });
    }
    is_json(headers)?;
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(too_large());
    }
    let whole = tokio::time::timeout(BODY_WAIT, collect(body, room)).await.map_err(|_| {
        let message = format!("the body did not arrive within {} s", BODY_WAIT.as_secs());
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", message).and_ends_the_connection()
    })??;
    match json_shape::check(&whole.bytes) {
        Ok(()) => Ok(whole),
        Err(Excess::Depth) => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "json_too_deep",
            format!("the body has more than {JSON_DEPTH_MAX} lists and objects within each other"),
        )),
        Err(Excess::Values) => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "json_too_many_values",
            format!("the body has more than {JSON_VALUES_MAX} values"),
        )),
    }
}

async fn collect(body: Body, room: &Room) -> Result<Whole, Refusal> {
    let mut body = pin!(body);
    let (mut parts, mut size) = (Vec::new(), 0);
    let mut taken: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            let message = "the body is not framed as its headers say, or broke off";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "bad_body", message).and_ends_the_connection());
        };
        let Ok(part) = frame.into_data() else { continue };
        size += part.len();
        if size > BODY_BYTES_MAX {
            return Err(too_large());
        }
        // A part is as large as a read at most.
        let permits = u32::try_from(part.len()).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&room.0).try_acquire_many_owned(permits) else { return Err(no_room()) };
        match &mut taken {
            Some(taken) => taken.merge(permit),
            None => taken = Some(permit),
        }
        parts.extend_from_slice(&part);
    }
    Ok(Whole { bytes: parts.into(), room: taken })
}

fn too_large() -> Refusal {
    let message = format!("the body is larger than {} MiB", BODY_BYTES_MAX / 1024 / 1024);
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message).and_ends_the_connection()
}

fn no_room() -> Refusal {
    let message = "the requests under way are too large together; try again";
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "bodies_too_large", message)
        .retry_after(RETRY_AFTER)
        .and_ends_the_connection()
}

fn is_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let refused = |code, message: &str| {
        Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, message).and_ends_the_connection())
    };
    let text = |name| headers.get(name).map(|value: &header::HeaderValue| value.to_str().unwrap_or("?"));
    if !text(header::CONTENT_ENCODING).is_none_or(|encoding| encoding.trim().eq_ignore_ascii_case("identity")) {
        return refused("content_encoding", "bodies are not unpacked; send it without a Content-Encoding");
    }
    let mut parts = text(header::CONTENT_TYPE).unwrap_or_default().split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        !name.trim().eq_ignore_ascii_case("charset") || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    let is_alone = headers.get_all(header::CONTENT_TYPE).iter().count() <= 1;
    if is_json && is_utf8 && is_alone {
        return Ok(());
    }
    refused("content_type", "a body is `Content-Type: application/json`, in UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(headers: &[(&str, &str)], expected: Option<&str>) {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        assert_eq!(is_json(&headers).err().map(|refusal| refusal.code), expected, "{headers:?}");
    }

    #[test]
    fn json_in_utf_8_is_read_and_nothing_else() {
        let kind = "content-type";
        for json in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""] {
            check(&[(kind, json)], None);
        }
        for other in ["text/plain", "application/x-www-form-urlencoded", "", "application/json, text/plain", "json"] {
            check(&[(kind, other)], Some("content_type"));
        }
        check(&[(kind, "application/json; charset=utf-16")], Some("content_type"));
        check(&[], Some("content_type"));
        check(&[(kind, "application/json"), ("content-encoding", "identity")], None);
        for packed in ["gzip", "deflate, gzip", "br", "zstd"] {
            check(&[(kind, "application/json"), ("content-encoding", packed)], Some("content_encoding"));
        }
    }

    #[tokio::test]
    async fn all_bodies_together_are_bounded() {
        let room = Room::default();
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, "application/json".parse().unwrap())]);
        let large = || Body::from(format!("\"{}\"", "a".repeat(BODY_BYTES_MAX - 2)));
        let mut held = Vec::new();
        for _ in 0..BODIES_BYTES_MAX / BODY_BYTES_MAX {
            held.push(read(&headers, large(), &room).await.unwrap());
        }
        let refusal = read(&headers, large(), &room).await.unwrap_err();
        assert_eq!((refusal.status, refusal.code), (StatusCode::TOO_MANY_REQUESTS, "bodies_too_large"));
        held.pop();
        assert!(read(&headers, large(), &room).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, "application/json".parse().unwrap())]);
        let endless = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::convert::Infallible>>());
        let refusal = read(&headers, endless, &Room::default()).await.unwrap_err();
        assert_eq!(refusal.status, StatusCode::REQUEST_TIMEOUT);
    }
}
