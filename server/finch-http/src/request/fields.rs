//! The members of one JSON object, taken out one after the other; what is left at the end was not known.
//!
//! `null` is the same as absent everywhere, as in the official APIs. Every error names the member by its path.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::error::ApiError;

/// What is left of an object.
#[derive(Debug)]
pub(crate) struct Fields {
    path: String,
    members: Map<String, Value>,
}

impl Fields {
    /// The members of the object at that path; the body's path is empty.
    pub(crate) fn of(value: Value, path: impl Into<String>) -> Result<Self, ApiError> {
        let path = path.into();
        match value {
            Value::Object(members) => Ok(Self { path, members }),
            _ if path.is_empty() => Err(ApiError::unreadable("the body has to be a JSON object")),
            _ => Err(ApiError::invalid(path, "has to be an object")),
        }
    }

    /// The path of a member.
    pub(crate) fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The member of that name, if there is one and it is not null.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    /// A member that has to be there.
    pub(crate) fn require(&mut self, name: &str) -> Result<Value, ApiError> {
        self.take(name).ok_or_else(|| ApiError::invalid(self.path(name), "is missing"))
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ApiError::invalid(self.path(name), "has to be a string")),
        }
    }

    pub(crate) fn required_text(&mut self, name: &str) -> Result<String, ApiError> {
        self.text(name)?.ok_or_else(|| ApiError::invalid(self.path(name), "is missing"))
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(ApiError::invalid(self.path(name), "has to be true or false")),
        }
    }

    /// A whole number of that range.
    pub(crate) fn whole(&mut self, name: &str, range: RangeInclusive<usize>) -> Result<Option<usize>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let problem = format!("has to be a whole number from {} to {}", range.start(), range.end());
                Err(ApiError::invalid(self.path(name), &problem))
            }
        }
    }

    /// A number of that range.
    pub(crate) fn number(&mut self, name: &str, range: RangeInclusive<f64>) -> Result<Option<f64>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.as_f64().filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let problem = format!("has to be a number from {} to {}", range.start(), range.end());
                Err(ApiError::invalid(self.path(name), &problem))
            }
        }
    }

    /// The items of an array, each with its path; empty where there is no array.
    pub(crate) fn items(&mut self, name: &str) -> Result<Vec<(String, Value)>, ApiError> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(numbered(&self.path(name), items)),
            Some(_) => Err(ApiError::invalid(self.path(name), "has to be an array")),
        }
    }

    /// The members of an object within.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, ApiError> {
        self.take(name).map(|value| Self::of(value, self.path(name))).transpose()
    }

    /// Refuses a member by name, unless its value asks for nothing.
    pub(crate) fn refuse(
        &mut self,
        name: &str,
        asks_for_nothing: impl FnOnce(&Value) -> bool,
        why: &str,
    ) -> Result<(), ApiError> {
        match self.take(name) {
            Some(value) if !asks_for_nothing(&value) => Err(ApiError::unsupported(self.path(name), why)),
            _ => Ok(()),
        }
    }

    /// Takes out what is known and has no meaning here.
    pub(crate) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.members.remove(*name);
        }
    }

    /// Refuses what is left: nobody here knows whether it changes what the answer means.
    pub(crate) fn end(mut self) -> Result<(), ApiError> {
        self.members.retain(|_, value| !value.is_null());
        match self.members.keys().next() {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().take(64).collect();
                Err(ApiError::unsupported(self.path(&name), "is not known; leave it out"))
            }
        }
    }
}

/// Items with their paths.
pub(crate) fn numbered(path: &str, items: Vec<Value>) -> Vec<(String, Value)> {
    items.into_iter().enumerate().map(|(index, item)| (format!("{path}[{index}]"), item)).collect()
}

/// Values of members that ask for nothing: false, zero, an empty list, an empty object, an empty text.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

/// A factor that changes nothing.
pub(crate) fn is_one(value: &Value) -> bool {
    value.as_f64() == Some(1.0)
}
