//! How the answer is to be drawn, and how many tokens of it: numbers that every dialect has.

use finch_llm::Sampling;
use serde_json::Value;

use crate::{
    error::ApiError,
    limits::{STOP_BYTES_MAX, STOPS_MAX, TOKENS_MAX},
    request::{Extension, Fields, fields},
};

/// What a request wishes; what it does not say is not decided yet.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Wishes {
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) top_k: Option<usize>,
    pub(crate) seed: Option<u64>,
    pub(crate) tokens_max: Option<usize>,
    pub(crate) stop: Vec<String>,
    /// How probable each token was is to be told, and this many others beside it.
    pub(crate) alternatives: Option<usize>,
}

impl Wishes {
    /// OpenAI's members. `tokens` are the names of the one that bounds the answer, the first that is there counts.
    pub(crate) fn read(fields: &mut Fields, tokens: &[&str]) -> Result<Self, ApiError> {
        let mut tokens_max = None;
        for name in tokens {
            tokens_max = tokens_max.or(fields.whole(name, 1..=TOKENS_MAX)?);
        }
        Ok(Self {
            temperature: fields.number("temperature", 0.0..=2.0)?,
            top_p: share(fields, "top_p")?,
            top_k: fields.whole("top_k", 1..=TOKENS_MAX)?,
            seed: seed(fields)?,
            tokens_max,
            stop: stop(fields, "stop")?,
            alternatives: None,
        })
    }

    /// As a provider takes it. Without a temperature the likeliest token is taken always.
    pub(crate) fn sampling(&self, extension: &Extension, tokens_default: usize, seed: u64) -> Sampling {
        #[expect(clippy::cast_possible_truncation, reason = "a temperature is no less true for it")]
        let narrow = |number: f64| number as f32;
        Sampling {
            temperature: self.temperature.map_or(0.0, narrow),
            top_k: extension.top_k.or(self.top_k),
            top_p: self.top_p.map_or(1.0, narrow),
            seed,
            tokens_max: self.tokens_max.unwrap_or(tokens_default),
            stop: self.stop.clone(),
            unsure_below: extension.unsure_below,
            alternatives: self.alternatives,
        }
    }
}

/// A share of the probability: nothing of it is no share.
pub(crate) fn share(fields: &mut Fields, name: &str) -> Result<Option<f64>, ApiError> {
    match fields.number(name, 0.0..=1.0)? {
        // Some clients say 0 where they mean the likeliest token alone.
        Some(0.0) => Ok(Some(f64::from(f32::MIN_POSITIVE))),
        share => Ok(share),
    }
}

fn seed(fields: &mut Fields) -> Result<Option<u64>, ApiError> {
    let Some(value) = fields.take("seed") else { return Ok(None) };
    let seed = value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned));
    seed.map(Some).ok_or_else(|| ApiError::invalid(fields.path("seed"), "has to be a whole number"))
}

/// Texts that end the answer: one or an array. Empty ones end nothing.
pub(crate) fn stop(fields: &mut Fields, name: &str) -> Result<Vec<String>, ApiError> {
    let path = fields.path(name);
    let texts = match fields.take(name) {
        None => return Ok(Vec::new()),
        Some(text @ Value::String(_)) => vec![(path.clone(), text)],
        Some(Value::Array(texts)) => fields::numbered(&path, texts),
        Some(_) => return Err(ApiError::invalid(path, "has to be a string or an array of strings")),
    };
    if texts.len() > STOPS_MAX {
        return Err(ApiError::invalid(path, &format!("has more than {STOPS_MAX} texts")));
    }
    let mut stop = Vec::new();
    for (path, text) in texts {
        match text {
            Value::String(text) if text.len() > STOP_BYTES_MAX => {
                return Err(ApiError::invalid(path, &format!("has more than {STOP_BYTES_MAX} bytes")));
            }
            Value::String(text) if text.is_empty() => {}
            Value::String(text) => stop.push(text),
            _ => return Err(ApiError::invalid(path, "has to be a string")),
        }
    }
    Ok(stop)
}

/// Refuses, by name, what no provider here does and what would make another answer.
pub(crate) fn refuse_others(fields: &mut Fields) -> Result<(), ApiError> {
    const WHY: &str = "is not done here, and without it the answer would be another; leave it out";
    for name in ["frequency_penalty", "presence_penalty", "logit_bias", "min_p", "mirostat"] {
        fields.refuse(name, fields::is_nothing, WHY)?;
    }
    for name in ["repeat_penalty", "repetition_penalty", "typical_p"] {
        fields.refuse(name, fields::is_one, WHY)?;
    }
    for name in ["logprobs", "top_logprobs"] {
        let asks_for_nothing = |value: &Value| *value == Value::Bool(false) || fields::is_nothing(value);
        fields.refuse(name, asks_for_nothing, "is not told at this address; leave it out")?;
    }
    Ok(())
}
