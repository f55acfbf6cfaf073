//! Keeps text from outside apart from the template's own words while both are one string.
//!
//! A chat template mixes the two freely, trims and splits them, and only then is it known where the template's control
//! tokens stand. So before rendering, every place in a text from outside where a control token could be read is marked
//! with a character that occurs nowhere else: no control token is read across a wall, nor right behind a guard. Behind
//! rendering they are taken out again. Everything else of the text reaches the template unchanged.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The spellings of control tokens, found by their first byte.
#[derive(Debug, Default)]
pub(crate) struct Spellings {
    by_first: BTreeMap<u8, Vec<Spelling>>,
}

#[derive(Debug)]
struct Spelling {
    text: String,
    token: u32,
}

impl Spellings {
    pub(crate) fn new(names: impl IntoIterator<Item = (String, u32)>) -> Self {
        let mut by_first: BTreeMap<u8, Vec<Spelling>> = BTreeMap::new();
        for (text, token) in names {
            if let Some(&first) = text.as_bytes().first() {
                by_first.entry(first).or_default().push(Spelling { text, token });
            }
        }
        for spellings in by_first.values_mut() {
            // The longest goes first; of one text there is one token.
            spellings.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then(a.token.cmp(&b.token)));
        }
        Self { by_first }
    }

    /// The longest control token that is spelled at the start of `text`: its token and length.
    fn at_start(&self, text: &str) -> Option<(u32, usize)> {
        let spellings = self.by_first.get(text.as_bytes().first()?)?;
        spellings.iter().find(|it| text.starts_with(&it.text)).map(|it| (it.token, it.text.len()))
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        self.by_first.values().flatten().map(|spelling| spelling.text.as_str())
    }

    /// Whether `text` could be the rest of a control token that begins before it.
    fn may_continue(&self, text: &str) -> bool {
        let rests = |name: &str| {
            let ends = name.char_indices().skip(1).map(|(at, _)| &name[at..]).collect::<Vec<_>>();
            ends.into_iter().any(|rest| text.starts_with(rest) || rest.starts_with(text))
        };
        !text.is_empty() && self.all().any(rests)
    }

    /// Whether a control token could begin at the end of `text` and go on behind it.
    fn may_begin(&self, text: &str) -> bool {
        self.all().any(|name| name.char_indices().skip(1).any(|(at, _)| text.ends_with(&name[..at])))
    }
}

/// A piece of a rendered conversation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Control(u32),
    Text(String),
}

/// The marks of one rendering.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shield<'s> {
    spellings: &'s Spellings,
    wall: char,
    guard: char,
}

/// Private-use characters: no text means anything by them.
const MARKS: std::ops::RangeInclusive<char> = '\u{f0000}'..='\u{ffffd}';

impl<'s> Shield<'s> {
    /// Marks that none of the texts contains; `None` if they contain nearly all of them.
    pub(crate) fn new<'t>(spellings: &'s Spellings, texts: impl Iterator<Item = &'t str> + Clone) -> Option<Self> {
        let mut free = MARKS.filter(|&mark| !texts.clone().any(|text| text.contains(mark)));
        Some(Self { spellings, wall: free.next()?, guard: free.next()? })
    }

    /// Marks every place where a control token could be read.
    pub(crate) fn cover(&self, text: &str) -> String {
        let mut covered = String::with_capacity(text.len());
        if self.spellings.may_continue(text) {
            covered.push(self.wall);
        }
        for (at, character) in text.char_indices() {
            if self.spellings.at_start(&text[at..]).is_some() {
                covered.push(self.guard);
            }
            // Written as an escape in JSON, a mark can hide from whoever chose it.
            if !self.is_mark(character) {
                covered.push(character);
            }
        }
        if self.spellings.may_begin(text) {
            covered.push(self.wall);
        }
        covered
    }

    /// The same for all texts inside a JSON value, names included.
    pub(crate) fn cover_json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.cover(text)),
            Value::Array(items) => items.iter().map(|item| self.cover_json(item)).collect(),
            Value::Object(fields) => Value::Object(self.cover_fields(fields)),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn cover_fields(&self, fields: &Map<String, Value>) -> Map<String, Value> {
        fields.iter().map(|(name, value)| (self.cover(name), self.cover_json(value))).collect()
    }

    fn is_mark(&self, character: char) -> bool {
        character == self.wall || character == self.guard
    }

    /// Splits a rendered conversation into control tokens and text.
    pub(crate) fn pieces(&self, rendered: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = rendered;
        let mut is_guarded = false;
        while let Some(character) = rest.chars().next() {
            let control = if is_guarded { None } else { self.spellings.at_start(rest) };
            is_guarded = character == self.guard;
            if let Some((token, length)) = control {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(Piece::Control(token));
                rest = &rest[length..];
                continue;
            }
            if !self.is_mark(character) {
                text.push(character);
            }
            rest = &rest[character.len_utf8()..];
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        pieces
    }
}

#[cfg(test)]
mod tests;
