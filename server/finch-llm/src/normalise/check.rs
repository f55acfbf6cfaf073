//! Whether a value fits a schema: the words of JSON Schema that are used to ask models for something.
//!
//! What it does not know it does not check; `normalise` lists what it knows.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::Mismatch;
use crate::limits::SCHEMA_DEPTH_MAX;

/// Checks that may still be made for one answer: choices within choices double with each level.
#[derive(Debug)]
pub(super) struct Steps(Cell<usize>);

impl Steps {
    pub(super) fn new(steps: usize) -> Self {
        Self(Cell::new(steps))
    }

    /// Takes one; none is left once it fails.
    pub(super) fn take(&self) -> Result<(), ()> {
        let left = self.0.get().checked_sub(1).ok_or(())?;
        self.0.set(left);
        Ok(())
    }
}

/// Checks against `schema`, which is `root` or a part of it.
///
/// # Errors
/// The first place that does not fit.
pub(super) fn check(value: &Value, schema: &Value, root: &Value, steps: &Steps) -> Result<(), Mismatch> {
    Checker { root, steps }.check(value, schema, &mut "$".to_owned(), 0)
}

/// The schema a reference leads to. A circle of references leads nowhere.
pub(super) fn resolved<'s>(schema: &'s Value, root: &'s Value) -> Option<&'s Value> {
    let mut schema = schema;
    for _ in 0..SCHEMA_DEPTH_MAX {
        match schema.get("$ref").and_then(Value::as_str) {
            None => return Some(schema),
            Some(path) => schema = root.pointer(path.strip_prefix('#')?)?,
        }
    }
    None
}

/// Whether a value is of a type of JSON Schema.
pub(super) fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    }
}

/// The types a schema names; empty if any will do.
pub(super) fn kinds(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

struct Checker<'s> {
    root: &'s Value,
    steps: &'s Steps,
}

impl<'s> Checker<'s> {
    fn check(&self, value: &Value, schema: &'s Value, path: &mut String, depth: usize) -> Result<(), Mismatch> {
        let wrong = |path: &str, problem: String| Err(Mismatch { path: path.to_owned(), problem });
        if depth > SCHEMA_DEPTH_MAX || self.steps.take().is_err() {
            return wrong(path, "it is too much to check".to_owned());
        }
        if let Value::Bool(allows) = schema {
            return if *allows { Ok(()) } else { wrong(path, "nothing may stand here".to_owned()) };
        }
        let Some(schema) = resolved(schema, self.root) else {
            return wrong(path, "the schema refers to what it does not have".to_owned());
        };
        let kinds = kinds(schema);
        if !kinds.is_empty() && !kinds.iter().any(|kind| is_of(value, kind)) {
            return wrong(path, format!("{} is wanted and {} is there", kinds.join(" or "), named(value)));
        }
        if schema.get("const").is_some_and(|only| !same(only, value)) {
            return wrong(path, format!("only {} is allowed", schema["const"]));
        }
        if let Some(choices) = schema["enum"].as_array()
            && !choices.iter().any(|choice| same(choice, value))
        {
            return wrong(path, format!("one of {} is wanted", schema["enum"]));
        }
        self.ways(value, schema, path, depth)?;
        match value {
            Value::Object(members) => self.object(members, schema, path, depth),
            Value::Array(items) => self.array(items, schema, path, depth),
            Value::String(text) => bounds(text.chars().count(), schema, ["minLength", "maxLength"], "characters", path),
            Value::Number(number) => range(number.as_f64().unwrap_or(f64::NAN), schema, path),
            Value::Null | Value::Bool(_) => Ok(()),
        }
    }

    fn ways(&self, value: &Value, schema: &'s Value, path: &mut String, depth: usize) -> Result<(), Mismatch> {
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.check(value, part, path, depth + 1)?;
        }
        for (word, is_one) in [("anyOf", false), ("oneOf", true)] {
            let Some(ways) = schema[word].as_array() else { continue };
            let mut fits = 0;
            let mut problem = None;
            for way in ways {
                match self.check(value, way, path, depth + 1) {
                    Ok(()) => fits += 1,
                    Err(mismatch) => drop(problem.get_or_insert(mismatch)),
                }
            }
            if let (0, Some(problem)) = (fits, problem) {
                return Err(problem);
            }
            if is_one && fits > 1 {
                return Err(Mismatch { path: path.clone(), problem: "it fits more than one of the ways".to_owned() });
            }
        }
        Ok(())
    }

    fn object(
        &self,
        members: &Map<String, Value>,
        schema: &'s Value,
        path: &mut String,
        depth: usize,
    ) -> Result<(), Mismatch> {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                return Err(Mismatch { path: path.clone(), problem: format!("{name:?} is missing") });
            }
        }
        bounds(members.len(), schema, ["minProperties", "maxProperties"], "members", path)?;
        for (name, value) in members {
            let of_member = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
            let Some(of_member) = of_member else { continue };
            let length = path.len();
            path.extend([".", name]);
            self.check(value, of_member, path, depth + 1)?;
            path.truncate(length);
        }
        Ok(())
    }

    fn array(&self, items: &[Value], schema: &'s Value, path: &mut String, depth: usize) -> Result<(), Mismatch> {
        bounds(items.len(), schema, ["minItems", "maxItems"], "items", path)?;
        let Some(of_item) = schema.get("items") else { return Ok(()) };
        for (index, item) in items.iter().enumerate() {
            let length = path.len();
            path.push_str(&format!("[{index}]"));
            self.check(item, of_item, path, depth + 1)?;
            path.truncate(length);
        }
        Ok(())
    }
}

fn named(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// 1 and 1.0 are the same number.
fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn bounds(count: usize, schema: &Value, [least, most]: [&str; 2], what: &str, path: &str) -> Result<(), Mismatch> {
    let bound = |word: &str| schema[word].as_u64().and_then(|bound| usize::try_from(bound).ok());
    if bound(least).is_some_and(|least| count < least) || bound(most).is_some_and(|most| count > most) {
        return Err(Mismatch { path: path.to_owned(), problem: format!("{count} {what} are too few or too many") });
    }
    Ok(())
}

fn range(number: f64, schema: &Value, path: &str) -> Result<(), Mismatch> {
    let bound = |word: &str| schema[word].as_f64();
    let fits = bound("minimum").is_none_or(|bound| number >= bound)
        && bound("maximum").is_none_or(|bound| number <= bound)
        && bound("exclusiveMinimum").is_none_or(|bound| number > bound)
        && bound("exclusiveMaximum").is_none_or(|bound| number < bound);
    if fits {
        return Ok(());
    }
    Err(Mismatch { path: path.to_owned(), problem: format!("{number} is out of its bounds") })
}
