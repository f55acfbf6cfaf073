//! The protocol's meta model, and whether a value has a type of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The largest `uinteger` and `integer` of the protocol.
const INTEGER_MAX: i64 = i32::MAX as i64;
const INTEGER_MIN: i64 = i32::MIN as i64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// Nothing but what is written down.
    Strict,
    /// More members, and null for what is optional.
    Lenient,
}

/// Where in a value the first fault is, and what it is: "/items/0: …".
pub(crate) type Checked = Result<(), String>;

pub(crate) struct MetaModel {
    requests: HashMap<String, Value>,
    notifications: HashMap<String, Value>,
    structures: HashMap<String, Value>,
    enumerations: HashMap<String, Value>,
    aliases: HashMap<String, Value>,
}

impl MetaModel {
    /// The meta model of this machine, or the path where there is none.
    pub(crate) fn find() -> Result<MetaModel, PathBuf> {
        let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/lsp/metaModel.json");
        let path = std::env::var_os("FINCH_LSP_METAMODEL").map_or_else(beside, PathBuf::from);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(MetaModel::read(&serde_json::from_str(&text).expect("the meta model is JSON"))),
            Err(_) => Err(path),
        }
    }

    pub(super) fn read(model: &Value) -> MetaModel {
        let table = |part: &str, key: &str| {
            let all = model[part].as_array().into_iter().flatten();
            all.map(|one| (one[key].as_str().unwrap_or_default().to_owned(), one.clone())).collect()
        };
        MetaModel {
            requests: table("requests", "method"),
            notifications: table("notifications", "method"),
            structures: table("structures", "name"),
            enumerations: table("enumerations", "name"),
            aliases: table("typeAliases", "name"),
        }
    }

    pub(super) fn request(&self, method: &str) -> Option<&Value> {
        self.requests.get(method)
    }

    pub(super) fn notification(&self, method: &str) -> Option<&Value> {
        self.notifications.get(method)
    }

    /// Whether `value` is of a type as the meta model writes types.
    pub(super) fn check(&self, shape: &Value, value: &Value, strictness: Strictness) -> Checked {
        match shape["kind"].as_str() {
            Some("base") => base(&shape["name"], value),
            Some("reference") => self.named(shape["name"].as_str().unwrap_or_default(), value, strictness),
            Some("array") => self.array(&shape["element"], value, strictness),
            Some("map") => self.map(shape, value, strictness),
            Some("or") => self.any_of(&shape["items"], value, strictness),
            Some("and") => items(&shape["items"]).try_for_each(|part| self.check(part, value, Strictness::Lenient)),
            Some("tuple") => self.tuple(&shape["items"], value, strictness),
            Some("literal") => self.members(items(&shape["value"]["properties"]).collect(), value, strictness),
            Some("stringLiteral" | "integerLiteral" | "booleanLiteral") => {
                fits(*value == shape["value"], || format!(": {value} is not {}", shape["value"]))
            }
            _ => Err(format!(": the meta model has an unknown type {shape}")),
        }
    }

    pub(super) fn named(&self, name: &str, value: &Value, strictness: Strictness) -> Checked {
        if let Some(structure) = self.structures.get(name) {
            return self.members(self.properties(structure), value, strictness);
        }
        if let Some(enumeration) = self.enumerations.get(name) {
            let is_open = enumeration["supportsCustomValues"] == true;
            let is_known = items(&enumeration["values"]).any(|one| one["value"] == *value);
            base(&enumeration["type"]["name"], value)?;
            return fits(is_open || is_known, || format!(": {value} is no {name}"));
        }
        match self.aliases.get(name) {
            // Any JSON, and by far the most frequent type.
            Some(_) if name == "LSPAny" => Ok(()),
            Some(alias) => self.check(&alias["type"], value, strictness),
            None => Err(format!(": the meta model has no {name}")),
        }
    }

    /// Whether `error` is the error of an answer.
    pub(super) fn check_error(&self, error: &Value, strictness: Strictness) -> Checked {
        let known = ["code", "message", "data"];
        let stranger = error.as_object().and_then(|all| all.keys().find(|key| !known.contains(&key.as_str())));
        match (error["code"].is_i64(), error["message"].is_string(), stranger) {
            (true, true, Some(key)) if strictness == Strictness::Strict => Err(format!("an error has no member {key}")),
            (true, true, _) => Ok(()),
            _ => Err(format!("an error has a code and a message, not {error}")),
        }
    }

    /// The members of a structure, those it inherits first.
    fn properties<'m>(&'m self, structure: &'m Value) -> Vec<&'m Value> {
        let parents = items(&structure["extends"]).chain(items(&structure["mixins"]));
        let inherited = parents.filter_map(|parent| self.structures.get(parent["name"].as_str()?));
        let mut all: Vec<&Value> = inherited.flat_map(|parent| self.properties(parent)).collect();
        for own in items(&structure["properties"]) {
            all.retain(|inherited| inherited["name"] != own["name"]);
            all.push(own);
        }
        all
    }

    fn members(&self, properties: Vec<&Value>, value: &Value, strictness: Strictness) -> Checked {
        let Some(object) = value.as_object() else {
            return Err(format!(": {value} is no object"));
        };
        for property in &properties {
            let name = property["name"].as_str().unwrap_or_default();
            let is_optional = property["optional"] == true;
            match object.get(name) {
                None => fits(is_optional, || format!(": {name} is missing"))?,
                Some(Value::Null) if is_optional && strictness == Strictness::Lenient => {}
                Some(inner) => {
                    self.check(&property["type"], inner, strictness).map_err(|fault| format!("/{name}{fault}"))?;
                }
            }
        }
        let stranger = object.keys().find(|key| !properties.iter().any(|property| property["name"] == key.as_str()));
        match stranger {
            Some(key) if strictness == Strictness::Strict => Err(format!("/{key}: no such member")),
            _ => Ok(()),
        }
    }

    fn array(&self, element: &Value, value: &Value, strictness: Strictness) -> Checked {
        let all = value.as_array().ok_or_else(|| format!(": {value} is no array"))?;
        let mut numbered = all.iter().enumerate();
        numbered.try_for_each(|(at, one)| self.check(element, one, strictness).map_err(|fault| format!("/{at}{fault}")))
    }

    fn map(&self, shape: &Value, value: &Value, strictness: Strictness) -> Checked {
        let all = value.as_object().ok_or_else(|| format!(": {value} is no object"))?;
        all.iter().try_for_each(|(key, one)| {
            self.check(&shape["value"], one, strictness).map_err(|fault| format!("/{key}{fault}"))
        })
    }

    fn tuple(&self, shapes: &Value, value: &Value, strictness: Strictness) -> Checked {
        let all = value.as_array().ok_or_else(|| format!(": {value} is no array"))?;
        fits(all.len() == items(shapes).count(), || format!(": {value} has not the right length"))?;
        items(shapes).zip(all).try_for_each(|(shape, one)| self.check(shape, one, strictness))
    }

    fn any_of(&self, shapes: &Value, value: &Value, strictness: Strictness) -> Checked {
        let mut all = Vec::new();
        for shape in items(shapes) {
            match self.check(shape, value, strictness) {
                Ok(()) => return Ok(()),
                Err(fault) => all.push(fault),
            }
        }
        // The alternative that fits best is the one whose fault lies deepest.
        Err(all
            .into_iter()
            .rev()
            .max_by_key(|fault| fault.split(':').next().map_or(0, |path| path.matches('/').count()))
            .unwrap_or_default())
    }
}

/// A member of an object; null where there is none.
pub(super) fn member<'v>(value: &'v Value, name: &str) -> &'v Value {
    value.get(name).unwrap_or(&Value::Null)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn base(name: &Value, value: &Value) -> Checked {
    let within = |low| value.as_i64().is_some_and(|number| (low..=INTEGER_MAX).contains(&number));
    let is = match name.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("string" | "RegExp") => value.is_string(),
        Some("URI" | "DocumentUri") => value.as_str().is_some_and(|text| text.contains(':')),
        Some("integer") => within(INTEGER_MIN),
        Some("uinteger") => within(0),
        Some("decimal") => value.is_number(),
        _ => false,
    };
    fits(is, || format!(": {value} is no {}", name.as_str().unwrap_or_default()))
}

fn fits(condition: bool, fault: impl FnOnce() -> String) -> Checked {
    if condition { Ok(()) } else { Err(fault()) }
}
