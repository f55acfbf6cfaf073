//! A value turned to what its schema wants, where nothing is lost by it.

use serde_json::{Number, Value};

use super::{
    Mismatch,
    check::{self, Steps, is_of, kinds, resolved},
};
use crate::limits::SCHEMA_DEPTH_MAX;

/// The value as it fits, and the items of lists that had to be left out.
///
/// # Errors
/// What still does not fit.
pub(super) fn fit(value: Value, schema: &Value, steps: &Steps) -> Result<(Value, Vec<Mismatch>), Mismatch> {
    let mut fitter = Fitter { root: schema, dropped: Vec::new(), steps };
    let value = fitter.unwrap(value);
    let value = fitter.fit(value, schema, "$", 0)?;
    check::check(&value, schema, schema, steps)?;
    Ok((value, fitter.dropped))
}

struct Fitter<'s> {
    root: &'s Value,
    dropped: Vec<Mismatch>,
    steps: &'s Steps,
}

impl<'s> Fitter<'s> {
    /// Takes off an object of one member that the schema knows nothing of: `{"result": …}`, `{"data": […]}`.
    fn unwrap(&self, mut value: Value) -> Value {
        let Some(schema) = resolved(self.root, self.root) else { return value };
        let wanted = kinds(schema);
        for _ in 0..2 {
            let Value::Object(members) = &mut value else { return value };
            let (name, inner) = match (members.len(), members.iter_mut().next()) {
                (1, Some((name, inner))) => (name, inner),
                _ => return value,
            };
            let is_known = schema["properties"].get(name).is_some();
            let fits_better = !wanted.is_empty()
                && wanted.iter().any(|kind| is_of(inner, kind))
                && (!wanted.contains(&"object") || schema["properties"].is_object() && inner.is_object());
            if is_known || !fits_better {
                return value;
            }
            value = inner.take();
        }
        value
    }

    fn fit(&mut self, value: Value, schema: &'s Value, path: &str, depth: usize) -> Result<Value, Mismatch> {
        if depth > SCHEMA_DEPTH_MAX || self.steps.take().is_err() {
            return Err(Mismatch { path: path.to_owned(), problem: "it is too much to check".to_owned() });
        }
        let Some(schema) = resolved(schema, self.root) else { return Ok(value) };
        for word in ["anyOf", "oneOf"] {
            if let Some(ways) = schema[word].as_array() {
                return self.first_way(value, ways, path, depth);
            }
        }
        let value = to_kind(value, &kinds(schema));
        match value {
            Value::Object(mut members) => {
                for (name, value) in &mut members {
                    if let Some(of_member) = schema["properties"].get(name) {
                        *value = self.fit(value.take(), of_member, &format!("{path}.{name}"), depth + 1)?;
                    }
                }
                Ok(Value::Object(members))
            }
            Value::Array(items) => match schema.get("items") {
                Some(of_item) => self.items(items, of_item, path, depth),
                None => Ok(Value::Array(items)),
            },
            other => Ok(other),
        }
    }

    /// The first way that the value fits. What was left out on the others does not count.
    fn first_way(&mut self, value: Value, ways: &'s [Value], path: &str, depth: usize) -> Result<Value, Mismatch> {
        for way in ways {
            let dropped = self.dropped.len();
            if let Ok(fitted) = self.fit(value.clone(), way, path, depth + 1)
                && self.dropped.len() == dropped
                && self.fits(&fitted, way)
            {
                return Ok(fitted);
            }
            self.dropped.truncate(dropped);
        }
        Ok(value)
    }

    /// Items that fit; the others are left out, unless none is left.
    fn items(&mut self, items: Vec<Value>, of_item: &'s Value, path: &str, depth: usize) -> Result<Value, Mismatch> {
        let had_some = !items.is_empty();
        let mut kept = Vec::with_capacity(items.len());
        let mut first = None;
        for (index, item) in items.into_iter().enumerate() {
            let place = format!("{path}[{index}]");
            let inner = self.dropped.len();
            let outcome = self
                .fit(item, of_item, &place, depth + 1)
                .and_then(|item| self.problem(&item, of_item, &place).map_or(Ok(item), Err));
            match outcome {
                Ok(item) => kept.push(item),
                Err(mismatch) => {
                    self.dropped.truncate(inner);
                    first.get_or_insert_with(|| mismatch.clone());
                    self.dropped.push(mismatch);
                }
            }
        }
        match first {
            Some(mismatch) if had_some && kept.is_empty() => Err(mismatch),
            _ => Ok(Value::Array(kept)),
        }
    }

    fn fits(&self, value: &Value, schema: &'s Value) -> bool {
        self.problem(value, schema, "$").is_none()
    }

    /// What is wrong with a part of the value. References of the part lead into the whole schema.
    fn problem(&self, value: &Value, schema: &'s Value, path: &str) -> Option<Mismatch> {
        let mismatch = check::check(value, schema, self.root, self.steps).err()?;
        Some(Mismatch { path: mismatch.path.replacen('$', path, 1), problem: mismatch.problem })
    }
}

/// The same value in another type: `"3"` as 3, 3.0 as 3, 3 as `"3"`, `"true"` as true.
fn to_kind(value: Value, wanted: &[&str]) -> Value {
    if wanted.is_empty() || wanted.iter().any(|kind| is_of(&value, kind)) {
        return match value {
            Value::Number(number) if wanted.contains(&"integer") && !wanted.contains(&"number") => whole(&number),
            value => value,
        };
    }
    let wants = |kind: &str| wanted.contains(&kind);
    match value {
        Value::String(text) => {
            let trimmed = text.trim();
            let number = serde_json::from_str::<Number>(trimmed).ok();
            match (number, trimmed.to_ascii_lowercase().as_str()) {
                (Some(number), _) if wants("number") => Value::Number(number),
                (Some(number), _) if wants("integer") => match whole(&number) {
                    whole if is_of(&whole, "integer") => whole,
                    _ => Value::String(text),
                },
                (_, "true") if wants("boolean") => Value::Bool(true),
                (_, "false") if wants("boolean") => Value::Bool(false),
                (_, "null" | "") if wants("null") => Value::Null,
                _ => Value::String(text),
            }
        }
        Value::Number(number) if wants("string") => Value::String(number.to_string()),
        Value::Bool(truth) if wants("string") => Value::String(truth.to_string()),
        other => other,
    }
}

/// 3.0 as 3; a number with a fraction as it is.
fn whole(number: &Number) -> Value {
    /// Up to here every whole number is told from its neighbours.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= EXACT_MAX => {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and in bounds")]
            let whole = float as i64;
            Value::Number(whole.into())
        }
        _ => Value::Number(number.clone()),
    }
}
