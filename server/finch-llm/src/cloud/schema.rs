//! A JSON Schema in the part of the language that a provider takes.
//!
//! Pure. What is left out is checked again when the answer is read, so an answer never passes for being asked less.

use std::cell::Cell;

use serde_json::{Map, Value};

use crate::limits::{SCHEMA_DEPTH_MAX, SCHEMA_NODES_MAX};

/// What Gemini knows of a schema.
const GEMINI: &[&str] = &[
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "enum",
    "maxItems",
    "minItems",
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "anyOf",
    "items",
    "minimum",
    "maximum",
    "propertyOrdering",
];

/// Whether OpenAI takes it as strict: every object closed and every member of it required.
pub(crate) fn is_strict(schema: &Value) -> bool {
    is_strict_at(schema, 0)
}

fn is_strict_at(schema: &Value, depth: usize) -> bool {
    /// Words that a strict schema may not have.
    const LOOSE: &[&str] = &["oneOf", "allOf", "not", "if", "patternProperties", "dependentSchemas", "prefixItems"];
    let Some(members) = schema.as_object() else { return false };
    if depth > SCHEMA_DEPTH_MAX || LOOSE.iter().any(|word| members.contains_key(*word)) {
        return false;
    }
    if !members.contains_key("type") && !members.contains_key("anyOf") && !members.contains_key("$ref") {
        return false;
    }
    let below = |value: &Value| is_strict_at(value, depth + 1);
    let properties = schema["properties"].as_object();
    let is_closed = schema["type"] != "object" || {
        let required = schema["required"].as_array().map_or(0, Vec::len);
        schema["additionalProperties"] == false && properties.is_some_and(|properties| properties.len() == required)
    };
    is_closed
        && properties.is_none_or(|properties| properties.values().all(below))
        && members.get("items").is_none_or(below)
        && schema["anyOf"].as_array().is_none_or(|ways| ways.iter().all(below))
        && schema["$defs"].as_object().is_none_or(|defs| defs.values().all(below))
}

/// The schema as Gemini takes it: references followed, words it does not know left out.
pub(crate) fn for_gemini(schema: &Value) -> Value {
    gemini(schema, schema, 0, &Cell::new(SCHEMA_NODES_MAX))
}

/// `left` counts the schemas that may still be written: two references to oneself double with each level.
fn gemini(schema: &Value, root: &Value, depth: usize, left: &Cell<usize>) -> Value {
    let mut schema = schema;
    let mut hops = 0;
    while let Some(target) = schema["$ref"].as_str().and_then(|path| root.pointer(path.strip_prefix('#')?)) {
        hops += 1;
        if hops > SCHEMA_DEPTH_MAX {
            return any_object();
        }
        schema = target;
    }
    // A schema that holds itself has no end; from here on anything goes, and is checked later.
    let Some(members) = schema.as_object().filter(|_| depth < SCHEMA_DEPTH_MAX && left.get() > 0) else {
        return any_object();
    };
    left.set(left.get() - 1);
    let mut out = Map::new();
    for (word, value) in members {
        let below = |value: &Value| gemini(value, root, depth + 1, left);
        match word.as_str() {
            "type" => kind(value, &mut out),
            "properties" => {
                let properties = value.as_object().into_iter().flatten();
                let properties: Map<String, Value> =
                    properties.map(|(name, value)| (name.clone(), below(value))).collect();
                out.insert("properties".to_owned(), Value::Object(properties));
            }
            "items" => drop(out.insert("items".to_owned(), below(value))),
            "anyOf" | "oneOf" => {
                let ways = value.as_array().into_iter().flatten().map(below).collect();
                out.insert("anyOf".to_owned(), Value::Array(ways));
            }
            "const" => choices(std::slice::from_ref(value), &mut out),
            "enum" => choices(value.as_array().map_or(&[][..], Vec::as_slice), &mut out),
            "format"
                if !matches!(value.as_str(), Some("enum" | "date-time" | "int32" | "int64" | "float" | "double")) => {}
            "required" => {
                let known = |name: &&Value| name.as_str().is_some_and(|name| schema["properties"].get(name).is_some());
                let names: Vec<Value> = value.as_array().into_iter().flatten().filter(known).cloned().collect();
                if !names.is_empty() {
                    out.insert("required".to_owned(), Value::Array(names));
                }
            }
            word if GEMINI.contains(&word) => drop(out.insert(word.to_owned(), value.clone())),
            _ => {}
        }
    }
    Value::Object(out)
}

fn any_object() -> Value {
    Value::Object(Map::from_iter([("type".to_owned(), "object".into())]))
}

/// One type and whether it may be null; a choice of types becomes a choice of schemas.
fn kind(value: &Value, out: &mut Map<String, Value>) {
    let Some(kinds) = value.as_array() else { return drop(out.insert("type".to_owned(), value.clone())) };
    let real: Vec<&Value> = kinds.iter().filter(|kind| *kind != "null").collect();
    if real.len() < kinds.len() {
        out.insert("nullable".to_owned(), true.into());
    }
    match real[..] {
        [] => {}
        [kind] => drop(out.insert("type".to_owned(), kind.clone())),
        _ => {
            let ways = real.into_iter().map(|kind| Value::Object(Map::from_iter([("type".to_owned(), kind.clone())])));
            out.insert("anyOf".to_owned(), ways.collect());
        }
    }
}

/// Only texts can be enumerated.
fn choices(values: &[Value], out: &mut Map<String, Value>) {
    if !values.is_empty() && values.iter().all(Value::is_string) {
        out.insert("enum".to_owned(), values.to_vec().into());
        out.entry("type").or_insert_with(|| "string".into());
    }
}

#[cfg(test)]
mod tests;
