//! A message body as JSON-RPC: a call, an answer, or nothing that can be understood.
//!
//! Pure. More lenient than the types of the protocol library in what a client may send (an error object with
//! extra fields, say), and stricter in what becomes a message: a batch or a foreign version is refused.

use std::borrow::Cow;

use serde_json::{Map, Value};
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Request, Response};

/// A message the client sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Incoming {
    /// A request if it has an id, else a notification.
    Call(Request),
    /// The answer to a request of ours.
    Answer(Response),
}

/// Reads one body.
///
/// # Errors
/// The response the sender gets when its body is not a message.
pub(crate) fn parse(body: &[u8]) -> Result<Incoming, Box<Response>> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| refused(Id::Null, ErrorCode::ParseError, error.to_string()))?;
    let Value::Object(mut fields) = value else {
        return Err(refused(Id::Null, ErrorCode::InvalidRequest, "a message is one JSON object".to_owned()));
    };
    let id = match fields.remove("id") {
        None => None,
        Some(id) => Some(serde_json::from_value::<Id>(id).map_err(|_| {
            refused(Id::Null, ErrorCode::InvalidRequest, "an id is a whole number or a string".to_owned())
        })?),
    };
    let refuse = |reason: &str| refused(id.clone().unwrap_or(Id::Null), ErrorCode::InvalidRequest, reason.to_owned());
    if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(refuse("\"jsonrpc\" is not \"2.0\""));
    }
    match fields.remove("method") {
        Some(Value::String(method)) => Ok(Incoming::Call(call(method, fields.remove("params"), id))),
        Some(_) => Err(refuse("a method is a string")),
        None => match (id.clone(), body_of_answer(&mut fields)) {
            (Some(id), Some(body)) => Ok(Incoming::Answer(Response::from_parts(id, body))),
            (_, _) => Err(refuse("neither a method nor an answer to a request")),
        },
    }
}

fn call(method: String, params: Option<Value>, id: Option<Id>) -> Request {
    let mut request = Request::build(method);
    if let Some(params) = params {
        request = request.params(params);
    }
    match id {
        Some(id) => request.id(id).finish(),
        None => request.finish(),
    }
}

fn body_of_answer(fields: &mut Map<String, Value>) -> Option<Result<Value, Error>> {
    // Some clients send both members, the unused one as null.
    match fields.remove("error").filter(|error| !error.is_null()) {
        Some(error) => Some(Err(error_of(&error))),
        None => fields.remove("result").map(Ok),
    }
}

fn error_of(error: &Value) -> Error {
    let code = error.get("code").and_then(Value::as_i64).unwrap_or(ErrorCode::InternalError.code());
    let message = error.get("message").and_then(Value::as_str).unwrap_or("the client gave no reason").to_owned();
    Error { code: ErrorCode::from(code), message: Cow::Owned(message), data: error.get("data").cloned() }
}

fn refused(id: Id, code: ErrorCode, reason: String) -> Box<Response> {
    Box::new(refusal(id, code, reason))
}

/// An error answer with its reason in words.
pub(crate) fn refusal(id: Id, code: ErrorCode, reason: impl Into<Cow<'static, str>>) -> Response {
    Response::from_error(id, Error { code, message: reason.into(), data: None })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_refused(body: &str, code: i64, id: Value) {
        let response = parse(body.as_bytes()).expect_err(body);
        let seen = serde_json::to_value(&response).unwrap();
        assert_eq!((&seen["error"]["code"], &seen["id"]), (&json!(code), &id), "{body}");
    }

    #[test]
    fn what_is_not_a_message_is_refused_with_the_code_that_says_why() {
        for body in ["", "{", "[1", "nul", "{\"a\":1}x", "\u{feff}{}"] {
            check_refused(body, -32700, Value::Null);
        }
        check_refused(&"[".repeat(100_000), -32700, Value::Null);
        for body in ["[]", "1", "null", "\"x\"", r#"[{"jsonrpc":"2.0","method":"a"}]"#] {
            check_refused(body, -32600, Value::Null);
        }
        check_refused("{}", -32600, Value::Null);
        check_refused(r#"{"jsonrpc":"2.0"}"#, -32600, Value::Null);
        check_refused(r#"{"jsonrpc":"2.0","id":7}"#, -32600, json!(7));
        check_refused(r#"{"jsonrpc":"1.0","id":7,"method":"a"}"#, -32600, json!(7));
        check_refused(r#"{"id":"x","method":"a"}"#, -32600, json!("x"));
        check_refused(r#"{"jsonrpc":"2.0","id":7,"method":1}"#, -32600, json!(7));
        for id in ["1.5", "[]", "{}", "true", "1e99"] {
            check_refused(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"a"}}"#), -32600, Value::Null);
        }
    }

    #[test]
    fn invalid_utf8_is_a_parse_error() {
        let response = parse(b"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}").expect_err("not UTF-8");
        assert_eq!(response.error().map(|error| error.code.code()), Some(-32700));
    }

    #[test]
    fn calls_keep_their_id_and_params() {
        let parsed = parse(br#"{"jsonrpc":"2.0","id":"a","method":"m","params":{"x":1}}"#);
        assert_eq!(parsed, Ok(Incoming::Call(Request::build("m").params(json!({"x":1})).id("a").finish())));
        let parsed = parse(br#"{"jsonrpc":"2.0","method":"m"}"#);
        assert_eq!(parsed, Ok(Incoming::Call(Request::build("m").finish())));
    }

    #[test]
    fn answers_are_read_leniently() {
        let parsed = parse(br#"{"jsonrpc":"2.0","id":1,"result":null}"#);
        assert_eq!(parsed, Ok(Incoming::Answer(Response::from_ok(1.into(), Value::Null))));
        let parsed = parse(br#"{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":-1,"message":"no","more":1}}"#);
        assert_eq!(parsed, Ok(Incoming::Answer(refusal(1.into(), ErrorCode::ServerError(-1), "no"))));
    }
}
