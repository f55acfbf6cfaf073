use super::*;

#[track_caller]
fn check(status: u16, body: &str, outcome: &str) {
    let key = Key::new("sk-CANARY-1234567890").unwrap();
    let found = error(Refusal { status, retry_after: None, body: body.as_bytes() }, &[key], 8192);
    let found = format!("{}: {found}", found.kind());
    assert!(!found.contains("CANARY") && !found.contains(char::is_control), "{found}");
    assert_eq!(found, outcome);
}

#[test]
fn a_status_says_what_to_do_next() {
    check(401, "", "unauthorized: not authorised: HTTP 401");
    check(403, "no json", "unauthorized: not authorised: HTTP 403");
    check(402, r#"{"error": "no credit"}"#, "refused: the provider refused: HTTP 402: no credit");
    check(404, r#"{"error": {"message": "no model x"}}"#, "refused: the provider refused: HTTP 404: no model x");
    check(400, r#"{"message": "bad"}"#, "protocol: protocol error: HTTP 400: bad");
    check(422, r#"{"detail": [{"msg": "bad role"}]}"#, "protocol: protocol error: HTTP 422: bad role");
    for status in [408, 500, 502, 503, 504, 529] {
        check(status, "<html>", &format!("unavailable: HTTP {status}"));
    }
    check(307, "", "protocol: protocol error: HTTP 307: redirects are not followed");
    check(429, "", "rate-limited: the provider asks to wait 5s");
}

#[test]
fn an_empty_account_is_no_reason_to_wait() {
    let body = r#"{"error": {"message": "You exceeded your current quota, please check your plan", "type": "insufficient_quota"}}"#;
    check(
        429,
        body,
        "refused: the provider refused: HTTP 429: You exceeded your current quota, please check your plan (insufficient_quota)",
    );
}

#[test]
fn a_pause_is_in_the_header_or_in_the_body_and_has_a_bound() {
    let pause_of =
        |retry_after, body: &str| match error(Refusal { status: 429, retry_after, body: body.as_bytes() }, &[], 0) {
            LlmError::RateLimited { retry_after } => retry_after.as_secs_f64(),
            other => panic!("{other}"),
        };
    let google = r#"[{"error": {"message": "slow", "details": [{"@type": "x"}, {"retryDelay": "34.5s"}]}}]"#;
    assert_eq!(pause_of(Some(" 7 "), ""), 7.0);
    assert_eq!(pause_of(None, google), 34.5);
    assert_eq!(pause_of(Some("2"), google), 2.0);
    assert_eq!(pause_of(Some("Fri, 31 Dec 1999 23:59:59 GMT"), ""), limits::RETRY_AFTER_DEFAULT.as_secs_f64());
    assert_eq!(pause_of(Some("1e300"), ""), limits::RETRY_AFTER_DEFAULT.as_secs_f64());
    assert_eq!(pause_of(Some("99999999"), ""), limits::RETRY_AFTER_MAX.as_secs_f64());
    assert_eq!(pause_of(Some("-1"), ""), limits::RETRY_AFTER_DEFAULT.as_secs_f64());
}

#[test]
fn a_prompt_that_is_too_long_is_known_by_its_words() {
    let openai = r#"{"error": {"message": "This model's maximum context length is 16385 tokens. However, your messages resulted in 20010 tokens.", "code": "context_length_exceeded"}}"#;
    check(400, openai, "context-too-long: the prompt has 20010 tokens and the model holds 16385");
    let claude = r#"{"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 212000 tokens > 200000 maximum"}}"#;
    check(400, claude, "context-too-long: the prompt has 212000 tokens and the model holds 200000");
    let gemini = r#"{"error": {"code": 400, "message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."}}"#;
    check(400, gemini, "context-too-long: the prompt has 1200000 tokens and the model holds 1048576");
    check(413, "", "context-too-long: the prompt has 8192 tokens and the model holds 8192");
}

#[test]
fn a_providers_words_are_one_short_line_without_the_key() {
    let body = r#"{"error": {"message": "Incorrect key sk-CANARY-1234567890\n[INFO] \u001b[31mforged"}}"#;
    check(401, body, "unauthorized: not authorised: HTTP 401: Incorrect key (key) [INFO]  [31mforged");
    let long = format!(r#"{{"error": "{}"}}"#, "é".repeat(5000));
    let found = error(Refusal { status: 500, retry_after: None, body: long.as_bytes() }, &[], 0).to_string();
    assert_eq!(found.chars().count(), "HTTP 500: ".len() + limits::REASON_CHARS_MAX);
}

#[test]
fn a_key_that_gemini_does_not_know_is_no_broken_request() {
    let body = r#"{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}"#;
    check(400, body, "unauthorized: not authorised: HTTP 400: API key not valid.");
}

#[track_caller]
fn check_in_stream(event: &str, outcome: Option<&str>) {
    let found = in_stream(&serde_json::from_str(event).unwrap(), &[], 100);
    assert_eq!(found.map(|error| format!("{}: {error}", error.kind())).as_deref(), outcome);
}

#[test]
fn an_error_within_a_stream_is_no_end() {
    let overloaded = r#"{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}"#;
    check_in_stream(overloaded, Some("unavailable: Overloaded (overloaded_error)"));
    let limited = r#"{"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}"#;
    check_in_stream(limited, Some("rate-limited: the provider asks to wait 5s"));
    let refused = r#"{"error": {"type": "invalid_request_error", "message": "no"}}"#;
    check_in_stream(refused, Some("refused: the provider refused: no (invalid_request_error)"));
    check_in_stream(r#"{"error": {"code": 401, "message": "no key"}}"#, Some("unauthorized: not authorised: no key"));
    check_in_stream(r#"{"error": "boom"}"#, Some("unavailable: boom"));
    check_in_stream(r#"{"error": null, "choices": []}"#, None);
    check_in_stream(r#"{"choices": []}"#, None);
}
