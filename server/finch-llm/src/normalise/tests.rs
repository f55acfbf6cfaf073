use proptest::prelude::*;
use serde_json::json;

use super::*;

fn steps() -> Value {
    json!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"title": {"type": "string"}, "severity": {"type": "integer", "minimum": 1, "maximum": 10}},
            "required": ["title", "severity"],
        },
    })
}

fn object() -> Value {
    json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})
}

fn fits(value: &Value, schema: &Value) -> bool {
    check::check(value, schema, schema, &Steps::new(SCHEMA_STEPS_MAX)).is_ok()
}

/// The value, or the error, or the value and what was left out.
#[track_caller]
fn check(schema: &Value, answer: &str, outcome: &str) {
    let found = match normalise(answer, schema) {
        Ok(found) if found.dropped.is_empty() => found.value.to_string(),
        Ok(found) => format!(
            "{} without {}",
            found.value,
            found.dropped.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        ),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, outcome, "{answer}");
}

#[test]
fn what_is_json_of_the_schema_stays_as_it_is() {
    let answer = r#"[{"title": "A \"b\" }", "severity": 3, "more": null}]"#;
    let found = normalise(answer, &steps()).unwrap();
    assert_eq!((found.value, found.was_mended), (serde_json::from_str(answer).unwrap(), false));
}

#[test]
fn what_surrounds_the_json_is_taken_off() {
    let wanted = r#"{"a":1}"#;
    for answer in [
        "\u{FEFF}{\"a\": 1}",
        "```json\n{\"a\": 1}\n```",
        "Here you are [as asked]:\n```\n{\"a\": 1}\n```\nAnything else?",
        "<think>Maybe {\"a\": 7}? No.</think>\n{\"a\": 1}",
        "Maybe {\"a\": 7}? No.</think>{\"a\": 1}",
        "Use { to open it. {\"a\": 1}",
        "See [1] and {\"b\": 2}, then {\"a\": 1} or {\"a\": 2}",
    ] {
        check(&object(), answer, wanted);
    }
    check(&json!({"type": "string"}), "\"a </think> b\"", "\"a </think> b\"");
}

#[test]
fn common_mistakes_are_mended() {
    let any = json!({});
    check(&any, "{\"a\": [1, 2,], }", r#"{"a":[1,2]}"#);
    check(&any, "{'a': 'it\\'s', b_c: \"x\"}", r#"{"a":"it's","b_c":"x"}"#);
    check(&any, "{\"a\": \"one\ntwo\tthree\"}", r#"{"a":"one\ntwo\tthree"}"#);
    check(&any, "{\"a\": NaN, \"b\": -Infinity, \"c\": None, \"d\": True}", r#"{"a":null,"b":null,"c":null,"d":true}"#);
    check(&any, "{\"a\": 1, // one\n /* two */ \"b\": +2, \"c\": .5}", r#"{"a":1,"b":2.0,"c":0.5}"#);
    check(
        &any,
        r#"{"path": "C:\dir", "u": "\u00e9\ud83d\ude00\ud800"}"#,
        "{\"path\":\"C:\\\\dir\",\"u\":\"é😀\u{FFFD}\"}",
    );
}

#[test]
fn values_are_turned_to_the_type_that_is_wanted() {
    check(&object(), r#"{"a": "3"}"#, r#"{"a":3}"#);
    check(&object(), r#"{"a": 3.0}"#, r#"{"a":3.0}"#);
    check(&object(), r#"{"a": "3.5"}"#, "the JSON does not fit: $.a: integer is wanted and string is there");
    let texts = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": ["boolean", "null"]}}});
    check(&texts, r#"{"a": 3, "b": "true"}"#, r#"{"a":"3","b":true}"#);
    check(&texts, r#"{"a": false, "b": ""}"#, r#"{"a":"false","b":null}"#);
    check(&json!({"type": "number"}), " 4.5 ", "4.5");
    check(&json!({"type": "string"}), "just words", "the answer has no JSON in it");
}

#[test]
fn wrappers_are_taken_off() {
    let wanted = r#"[{"title":"A","severity":3}]"#;
    check(&steps(), &format!("{{\"result\": {wanted}}}"), wanted);
    check(
        &steps(),
        &format!("{{\"data\": {{\"items\": {wanted}}}}}"),
        "the JSON does not fit: $: array is wanted and object is there",
    );
    check(&object(), r#"{"result": {"a": 1}}"#, r#"{"a":1}"#);
    check(&object(), r#"{"a": {"a": 1}}"#, "the JSON does not fit: $.a: integer is wanted and object is there");
}

#[test]
fn items_that_do_not_fit_are_left_out_and_named() {
    check(
        &steps(),
        r#"[{"title": "A", "severity": "8"}, {"title": "B", "severity": 8.5}, {"severity": 1}, {"title": "C", "severity": 11}]"#,
        "[{\"title\":\"A\",\"severity\":8}] without $[1].severity: integer is wanted and number is there; \
         $[2]: \"title\" is missing; $[3].severity: 11 is out of its bounds",
    );
    let inside = json!({"type": "object", "properties": {"steps": steps()}, "required": ["steps"]});
    check(
        &inside,
        r#"{"steps": [{"title": "A", "severity": 8}, 7]}"#,
        r#"{"steps":[{"title":"A","severity":8}]} without $.steps[1]: object is wanted and number is there"#,
    );
}

#[test]
fn no_failure_becomes_a_success() {
    check(&steps(), r#"[{"title": "A"}]"#, "the JSON does not fit: $[0]: \"severity\" is missing");
    check(&steps(), r#"[{"title": "A", "severity": 3}"#, "the JSON is cut off: its end is missing");
    check(&object(), r#"{"b": {"a": 1}, "#, "the JSON is cut off: its end is missing");
    check(
        &object(),
        r#"{"b": oops, "c": {"a": 1}}"#,
        "the JSON has a mistake at byte 6: a value is missing or has no quotes",
    );
    check(
        &steps(),
        "With `x = []` it fails: [{\"title\": \"A\"}]",
        "the JSON does not fit: $[0]: \"severity\" is missing",
    );
    check(&steps(), "There are no steps: []", "[]");
    check(&steps(), "I cannot do that.", "the answer has no JSON in it");
    check(&steps(), " \n", "the answer is empty");
    check(&steps(), "<think>hm</think>", "the answer is empty");
    check(&json!(false), "[1]", "the JSON does not fit: $: nothing may stand here");
    check(
        &json!({"$ref": "#/$defs/gone"}),
        "[1]",
        "the JSON does not fit: $: the schema refers to what it does not have",
    );
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = "[".repeat(100_000);
    assert!(normalise(&deep, &json!({})).is_err());
    assert!(normalise(&format!("{}{}", "[".repeat(200), "]".repeat(200)), &json!({"type": "array"})).is_err());
    let long = "x".repeat(ANSWER_BYTES_MAX + 1);
    assert_eq!(normalise(&long, &json!({})), Err(NormaliseError::TooLong { bytes: ANSWER_BYTES_MAX + 1 }));
    let tree = json!({"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "array", "items": {"$ref": "#"}}]});
    assert!(normalise(&format!("{}1{}", "[".repeat(30), "]".repeat(30)), &tree).is_err());
}

#[test]
fn the_words_of_a_schema_are_checked() {
    let fits = |schema: Value, value: Value| fits(&value, &schema);
    assert!(fits(json!({"enum": [1, "a"]}), json!(1.0)) && !fits(json!({"enum": [1, "a"]}), json!("b")));
    assert!(fits(json!({"const": null}), json!(null)) && !fits(json!({"const": null}), json!(0)));
    assert!(!fits(json!({"additionalProperties": false, "properties": {"a": {}}}), json!({"b": 1})));
    assert!(!fits(json!({"additionalProperties": {"type": "string"}}), json!({"b": 1})));
    assert!(!fits(json!({"minItems": 2}), json!([1])) && !fits(json!({"maxLength": 1}), json!("éé")));
    assert!(!fits(json!({"allOf": [{"minimum": 1}, {"exclusiveMaximum": 3}]}), json!(3)));
    assert!(!fits(json!({"oneOf": [{"type": "integer"}, {"minimum": 1}]}), json!(2)));
    assert!(fits(json!({"$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n"}}), json!([1])));
}

/// Pieces of answers, whole and broken.
fn an_answer() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "'",
        "\\",
        "\"a\"",
        "\"title\": \"x\"",
        "\"severity\": \"3\"",
        "1",
        "-",
        "1e999",
        "NaN",
        "null",
        "<think>",
        "</think>",
        "```json\n",
        "//",
        "/*",
        "\\u",
        "\\ud83d",
        "\u{FEFF}",
        "é",
        " ",
        "\n",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic_and_what_comes_out_fits(answer in an_answer()) {
        for schema in [steps(), object(), json!({}), json!({"type": ["string", "number"]})] {
            if let Ok(found) = normalise(&answer, &schema) {
                prop_assert!(fits(&found.value, &schema), "{}", found.value);
                let again = normalise(&found.value.to_string(), &schema).unwrap();
                prop_assert_eq!(again.value, found.value);
            }
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(answer in ".{0,80}") {
        normalise(&answer, &steps()).ok();
    }
}

#[test]
fn a_number_stays_the_number_that_was_said() {
    let said = format!("527{}", "4".repeat(40));
    let found = normalise(&said, &json!({})).expect("a number is JSON").value;
    assert_eq!(found.as_f64(), said.parse().ok());
    assert_eq!(normalise(&found.to_string(), &json!({})).expect("it still is").value, found);
}
