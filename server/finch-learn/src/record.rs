//! A line of the journal. What stands here is a promise to later versions, with a schema in `schemas/journal.json`.
//!
//! Texts (prompts, offers, what was kept, corrections, paths) are there only when the user lets finch collect them;
//! [`Record::without_text`] is what remains otherwise. A note is what a person wrote down on purpose and remains.
//! Reading is forgiving: what is missing takes its default and a number out of bounds the nearest one in them.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::{NAME_BYTES_MAX, NOTE_BYTES_MAX, PATH_BYTES_MAX, TEXT_BYTES_MAX, WEIGHT_MAX, WEIGHT_MIN};

/// The version of the format that this code writes.
pub const SCHEMA: u32 = 1;

/// Something that happened to a suggestion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// The version of this format.
    pub schema: u32,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    #[serde(flatten)]
    pub about: About,
    #[serde(flatten)]
    pub event: Event,
}

/// The suggestion that a record is about, and where it came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct About {
    /// The process that made the suggestion.
    pub session: String,
    /// The number of the suggestion in its session.
    pub suggestion: u64,
    /// The language of the document, as the editor names it.
    #[serde(default)]
    pub language: String,
    #[serde(default)]
    pub provider: String,
    #[serde(default)]
    pub model: String,
    /// What was learnt on top of the model, if anything was in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// `model`, `cache`, `typed-through` or `in-flight`.
    #[serde(default)]
    pub source: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// It became visible.
    Shown(Shown),
    /// It was put into the text, whole or in part.
    Accepted(Accepted),
    /// It was visible and not wanted.
    Rejected(Rejected),
    /// Some time after it was accepted.
    Kept(Kept),
    /// Somebody said what it was worth.
    Feedback(Feedback),
    /// Somebody took feedback back.
    Forgotten(Forgotten),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shown {
    /// Only when texts are collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Texts>,
}

/// What the model saw and what it offered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Texts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Text before the cursor: its end, if it was long.
    #[serde(default)]
    pub prefix: String,
    /// Text behind the cursor.
    #[serde(default)]
    pub suffix: String,
    #[serde(default)]
    pub offered: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    pub kind: AcceptedKind,
    /// UTF-16 code units of the suggestion that are in the text now, from its start.
    #[serde(default)]
    pub length: u64,
}

/// How much was accepted in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AcceptedKind {
    Word,
    Line,
    Full,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rejected {
    /// `typed-over`, `typed-through`, `moved-on`, `closed`, or a client's word such as `dismissed`.
    #[serde(default)]
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Kept {
    /// Seconds since it was accepted: 30 or 300.
    pub after_s: u32,
    /// The share of the inserted characters that are still there, 0 to 1.
    #[serde(deserialize_with = "share")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
    /// What stands there now; only when texts are collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Feedback {
    /// What `finch feedback forget` names it by.
    #[serde(rename = "feedback")]
    pub id: u64,
    /// 1 is good, -3 is a minor fault, -10 is bad.
    #[serde(deserialize_with = "weight")]
    #[schemars(range(min = -10, max = 1))]
    pub weight: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What stands in the place of the suggestion; only when texts are collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forgotten {
    /// The feedback that was taken back.
    pub feedback: u64,
}

/// What a person can say of a suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Good,
    Bad,
    /// Bad, but not by much.
    BadMinor,
}

impl Verdict {
    #[must_use]
    pub fn weight(self) -> i32 {
        match self {
            Self::Good => WEIGHT_MAX,
            Self::BadMinor => -3,
            Self::Bad => WEIGHT_MIN,
        }
    }
}

/// Whether a record may be lost when there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Worth {
    /// There will be another.
    Sight,
    /// A measurement.
    Measure,
    /// Something a person did.
    Act,
}

impl Record {
    #[must_use]
    pub fn new(at_ms: u64, about: About, event: Event) -> Self {
        Self { schema: SCHEMA, at_ms, about, event }
    }

    /// The same without anything that a user typed, read or was offered. A note stays.
    #[must_use]
    pub fn without_text(mut self) -> Self {
        match &mut self.event {
            Event::Shown(shown) => shown.text = None,
            Event::Kept(kept) => kept.text = None,
            Event::Feedback(feedback) => feedback.correction = None,
            Event::Accepted(_) | Event::Rejected(_) | Event::Forgotten(_) => {}
        }
        self
    }

    pub(crate) fn has_text(&self) -> bool {
        match &self.event {
            Event::Shown(shown) => shown.text.is_some(),
            Event::Kept(kept) => kept.text.is_some(),
            Event::Feedback(feedback) => feedback.correction.is_some(),
            Event::Accepted(_) | Event::Rejected(_) | Event::Forgotten(_) => false,
        }
    }

    /// The same with every text within its bound.
    pub(crate) fn within_bounds(mut self) -> Self {
        let about = &mut self.about;
        for name in [&mut about.session, &mut about.language, &mut about.provider, &mut about.model, &mut about.source]
            .into_iter()
            .chain(&mut about.adapter)
        {
            keep_start(name, NAME_BYTES_MAX);
        }
        match &mut self.event {
            Event::Shown(Shown { text: Some(text) }) => {
                if let Some(path) = &mut text.path {
                    keep_start(path, PATH_BYTES_MAX);
                }
                keep_end(&mut text.prefix, TEXT_BYTES_MAX);
                keep_start(&mut text.suffix, TEXT_BYTES_MAX);
                keep_start(&mut text.offered, TEXT_BYTES_MAX);
            }
            Event::Rejected(rejected) => keep_start(&mut rejected.reason, NAME_BYTES_MAX),
            Event::Kept(Kept { text: Some(text), .. }) => keep_start(text, TEXT_BYTES_MAX),
            Event::Feedback(feedback) => {
                if let Some(note) = &mut feedback.note {
                    keep_start(note, NOTE_BYTES_MAX);
                }
                if let Some(correction) = &mut feedback.correction {
                    keep_start(correction, TEXT_BYTES_MAX);
                }
            }
            Event::Shown(_) | Event::Accepted(_) | Event::Kept(_) | Event::Forgotten(_) => {}
        }
        self
    }

    pub(crate) fn worth(&self) -> Worth {
        match self.event {
            Event::Shown(_) => Worth::Sight,
            Event::Kept(_) => Worth::Measure,
            Event::Accepted(_) | Event::Rejected(_) | Event::Feedback(_) | Event::Forgotten(_) => Worth::Act,
        }
    }
}

fn keep_start(text: &mut String, bytes_max: usize) {
    text.truncate(text.floor_char_boundary(bytes_max));
}

fn keep_end(text: &mut String, bytes_max: usize) {
    let from = text.ceil_char_boundary(text.len().saturating_sub(bytes_max));
    text.drain(..from);
}

fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    finite(deserializer).map(|share| share.clamp(0.0, 1.0))
}

/// A file may say anything; nothing in it outweighs what a person can say.
fn weight<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    let weight = finite(deserializer)?.clamp(f64::from(WEIGHT_MIN), f64::from(WEIGHT_MAX));
    Ok(weight.round() as i32)
}

fn finite<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if number.is_finite() { Ok(number) } else { Err(serde::de::Error::custom("a number without bounds")) }
}

#[cfg(test)]
mod tests;
