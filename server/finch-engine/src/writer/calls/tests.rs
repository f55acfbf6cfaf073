use super::{RawCall, Unread, read};

#[track_caller]
fn check(text: &str, expected: Result<&[(&str, &str)], Unread>) {
    let call = |&(name, arguments): &(&str, &str)| RawCall { name: name.into(), arguments_json: arguments.into() };
    assert_eq!(read(text), expected.map(|calls| calls.iter().map(call).collect()));
}

#[test]
fn arguments_stay_the_text_of_the_model() {
    let numbers = r#"{"b": 1.0, "a": 123456789012345678901234567890, "c":[ ]}"#;
    check(&format!(r#"{{"name": "f", "arguments": {numbers}}}"#), Ok(&[("f", numbers)]));
    check(r#"{"arguments": "{\"a\": 1}", "name": "f"}"#, Ok(&[("f", r#"{"a": 1}"#)]));
    check(r#"{"id": 1, "function": {"name": "f", "arguments": {}}}"#, Ok(&[("f", "{}")]));
}

#[test]
fn the_beginning_of_a_call_is_told_from_what_is_none() {
    for unfinished in ["", "{", r#"{"name": "f", "arguments": {"a"#, r#"[{"name": "f"}"#, "f", "f[ARGS]", "f[ARGS]{"] {
        check(unfinished, Err(Unread::Unfinished));
    }
    for none in ["}", "[1]", "{}", r#"{"name": "f"}"#, "f()", "f(){}", r#"{"name": "f", "arguments": {}} x"#] {
        check(none, Err(Unread::NoCall));
    }
}

#[test]
fn a_call_inside_a_call_inside_a_call_is_none() {
    let deep = format!("{}{{}}{}", r#"{"function": "#.repeat(50_000), "}".repeat(50_000));
    check(&deep, Err(Unread::NoCall));
}
