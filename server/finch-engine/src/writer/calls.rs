//! Reads the tool calls that local models write: JSON in the forms of the families.
//!
//! Arguments stay the very text of the model, and what is not exactly a call is not made into one.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A call as the model wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawCall {
    pub(crate) name: String,
    /// The text of a JSON object.
    pub(crate) arguments_json: String,
}

/// Why a text is no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It could be the beginning of one.
    Unfinished,
    NoCall,
}

/// A name before its arguments, and what may stand between them.
const MARKS: [&str; 2] = ["[ARGS]", "[CALL_ID]"];

/// Whether this control token belongs inside a list of calls.
pub(crate) fn is_mark(name: &str) -> bool {
    MARKS.contains(&name)
}

#[derive(Deserialize)]
struct Fields<'j> {
    name: Option<String>,
    #[serde(borrow)]
    arguments: Option<&'j RawValue>,
    #[serde(borrow)]
    parameters: Option<&'j RawValue>,
    #[serde(borrow)]
    function: Option<&'j RawValue>,
}

/// The calls that a text is: a list of objects, objects one after the other, or names with their arguments.
pub(crate) fn read(text: &str) -> Result<Vec<RawCall>, Unread> {
    let text = text.trim();
    let calls = match text.chars().next() {
        None => return Err(Unread::Unfinished),
        Some('[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| why(&error))?;
            items.into_iter().map(|item| call(item.get())).collect::<Result<Vec<_>, _>>()?
        }
        Some('{') => objects(text)?,
        Some(_) => named(text)?,
    };
    if calls.is_empty() { Err(Unread::NoCall) } else { Ok(calls) }
}

fn why(error: &serde_json::Error) -> Unread {
    if error.is_eof() { Unread::Unfinished } else { Unread::NoCall }
}

fn objects(text: &str) -> Result<Vec<RawCall>, Unread> {
    let mut calls = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (object, behind) = first_value(rest)?;
        calls.push(call(object)?);
        rest = behind.trim_start_matches(|c: char| c == ';' || c == ',' || c.is_whitespace());
    }
    Ok(calls)
}

fn named(text: &str) -> Result<Vec<RawCall>, Unread> {
    let mut calls = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let end = rest.find(|c| !is_of_name(c)).ok_or(Unread::Unfinished)?;
        let behind = rest[end..].trim_start();
        let is_marked = |mark: &&str| behind.starts_with(*mark) || mark.starts_with(behind);
        if end == 0 || !(behind.starts_with('{') || MARKS.iter().any(is_marked)) {
            return Err(Unread::NoCall);
        }
        let at = rest.find('{').ok_or(Unread::Unfinished)?;
        let name = rest[..end].to_owned();
        let (arguments, behind) = first_value(&rest[at..])?;
        calls.push(RawCall { name, arguments_json: arguments.to_owned() });
        rest = behind.trim_start();
    }
    Ok(calls)
}

/// The JSON value at the start of a text, and what follows it.
fn first_value(text: &str) -> Result<(&str, &str), Unread> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    match values.next() {
        Some(Ok(value)) => {
            let end = values.byte_offset();
            Ok((value.get(), &text[end..]))
        }
        Some(Err(error)) => Err(why(&error)),
        None => Err(Unread::Unfinished),
    }
}

fn call(object: &str) -> Result<RawCall, Unread> {
    let fields: Fields<'_> = serde_json::from_str(object).map_err(|_| Unread::NoCall)?;
    match fields.function {
        // One level deep and no deeper: `{"type": "function", "function": {"name": …}}`.
        Some(inner) if fields.name.is_none() && inner.get().starts_with('{') => {
            flat_call(serde_json::from_str(inner.get()).map_err(|_| Unread::NoCall)?)
        }
        Some(_) | None => flat_call(fields),
    }
}

fn flat_call(fields: Fields<'_>) -> Result<RawCall, Unread> {
    let arguments = fields.arguments.or(fields.parameters);
    let name = match (fields.name, fields.function) {
        (Some(name), _) => name,
        (None, Some(function)) => serde_json::from_str(function.get()).map_err(|_| Unread::NoCall)?,
        (None, None) => return Err(Unread::NoCall),
    };
    let arguments = arguments.ok_or(Unread::NoCall)?.get();
    // Some models write the object as a text that holds its JSON.
    let arguments_json = match serde_json::from_str::<String>(arguments) {
        Ok(inner) => inner,
        Err(_) => arguments.to_owned(),
    };
    let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&arguments_json).is_ok();
    if name.is_empty() || !is_object { Err(Unread::NoCall) } else { Ok(RawCall { name, arguments_json }) }
}

#[cfg(test)]
mod tests;
