use serde_json::json;

use super::*;

#[track_caller]
fn check(schema: Value, reduced: Value) {
    assert_eq!(for_gemini(&schema), reduced);
}

#[test]
fn gemini_gets_what_it_knows() {
    check(
        json!({
            "$schema": "x", "type": "object", "additionalProperties": false, "required": ["a", "gone"],
            "properties": {
                "a": {"type": ["string", "null"], "format": "uri", "default": "x"},
                "b": {"const": "only"},
                "c": {"enum": [1, 2], "type": "integer", "exclusiveMinimum": 0, "minimum": 1},
                "d": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "number", "$comment": "x"}}]},
            },
        }),
        json!({
            "type": "object", "required": ["a"],
            "properties": {
                "a": {"nullable": true, "type": "string"},
                "b": {"enum": ["only"], "type": "string"},
                "c": {"type": "integer", "minimum": 1},
                "d": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "number"}}]},
            },
        }),
    );
    check(json!({"type": ["string", "integer"]}), json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}));
}

#[test]
fn references_are_followed_and_circles_end() {
    let defs = json!({"name": {"type": "string"}});
    check(
        json!({"$defs": defs, "type": "array", "items": {"$ref": "#/$defs/name"}}),
        json!({"type": "array", "items": {"type": "string"}}),
    );
    let endless = json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"});
    check(endless, json!({"type": "object"}));
    let tree = json!({"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}});
    assert!(for_gemini(&tree).to_string().len() < 1_000_000);
}

#[test]
fn a_strict_schema_is_closed_everywhere() {
    let closed = |properties: Value, required: Value| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    assert!(is_strict(&closed(json!({"a": {"type": "string"}}), json!(["a"]))));
    assert!(is_strict(&closed(json!({"a": {"type": "array", "items": {"type": "string"}}}), json!(["a"]))));
    assert!(!is_strict(&closed(json!({"a": {"type": "string"}}), json!([]))));
    assert!(!is_strict(&json!({"type": "object", "properties": {}, "required": []})));
    assert!(!is_strict(&closed(json!({"a": {"type": "object"}}), json!(["a"]))));
    assert!(!is_strict(&closed(json!({"a": {"oneOf": []}}), json!(["a"]))));
    assert!(!is_strict(&json!(true)));
}
