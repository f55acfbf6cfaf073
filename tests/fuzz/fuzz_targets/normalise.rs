//! Any text as a model's answer: nothing panics, and what comes out is JSON that comes out the same again.

#![no_main]

use std::sync::LazyLock;

use finch_llm::normalise::normalise;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

static SCHEMAS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let step = json!({
        "type": "object",
        "properties": {"title": {"type": "string"}, "severity": {"type": "integer", "minimum": 1}, "more": {"$ref": "#"}},
        "required": ["title"],
    });
    vec![
        json!({"type": "array", "items": step}),
        step,
        json!({}),
        json!({"anyOf": [{"type": "number"}, {"type": "string"}]}),
    ]
});

fuzz_target!(|answer: &str| {
    for schema in SCHEMAS.iter() {
        if let Ok(found) = normalise(answer, schema) {
            let again = normalise(&found.value.to_string(), schema).expect("what fits once fits again");
            assert_eq!(again.value, found.value);
        }
    }
});
