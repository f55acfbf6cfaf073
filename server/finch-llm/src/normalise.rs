//! Any model's answer into JSON of a wanted schema, or an error that can be told to the model.
//!
//! Pure. What surrounds the JSON is taken off, what is commonly written wrong is mended, values are turned to the type
//! the schema wants where nothing is lost by it, and items of a list that do not fit are left out and named. Nothing is
//! made up: what does not fit the schema then is an error, and so is an answer that was cut off.

mod check;
mod find;
mod fit;
mod read;

use check::Steps;
use serde_json::Value;

use crate::limits::{ANSWER_BYTES_MAX, ANSWER_STARTS_MAX, SCHEMA_STEPS_MAX};

/// JSON that fits its schema, and what had to be done for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalised {
    pub value: Value,
    /// The answer was not JSON of this schema as it stood.
    pub was_mended: bool,
    /// Items of lists that did not fit and were left out.
    pub dropped: Vec<Mismatch>,
}

/// A place where a value does not fit its schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct Mismatch {
    /// Such as `$.steps[2].severity`.
    pub path: String,
    pub problem: String,
}

/// Why an answer is no JSON of the schema. The text is fit to be told to the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NormaliseError {
    #[error("the answer is empty")]
    Empty,
    #[error("the answer has {bytes} bytes; at most {ANSWER_BYTES_MAX} are read")]
    TooLong { bytes: usize },
    #[error("the answer has no JSON in it")]
    NoJson,
    #[error("the JSON is cut off: its end is missing")]
    CutOff,
    #[error("the JSON has a mistake at byte {at}: {problem}")]
    Broken { at: usize, problem: &'static str },
    #[error("the JSON does not fit: {0}")]
    Mismatch(Mismatch),
}

/// Reads the first JSON in `answer` that fits `schema`.
///
/// The schema's words `type`, `properties`, `required`, `additionalProperties`, `items`, `enum`, `const`, `anyOf`,
/// `oneOf`, `allOf`, `$ref` within itself, and bounds of numbers, lengths and counts are checked; others are not.
///
/// # Errors
/// [`NormaliseError`] says what is wrong with the best of what was found.
pub fn normalise(answer: &str, schema: &Value) -> Result<Normalised, NormaliseError> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(NormaliseError::TooLong { bytes: answer.len() });
    }
    let text = find::without_thoughts(answer);
    if text.trim().is_empty() {
        return Err(NormaliseError::Empty);
    }
    let steps = Steps::new(SCHEMA_STEPS_MAX);
    if let Ok(value) = serde_json::from_str::<Value>(text.trim())
        && check::check(&value, schema, schema, &steps).is_ok()
    {
        return Ok(Normalised { value, was_mended: text.len() != answer.len(), dropped: Vec::new() });
    }
    let problem = match first_that_fits(text, schema, &steps) {
        Ok(found) => return Ok(found),
        Err(problem) => problem,
    };
    // A schema may want a bare text or number.
    match (problem, read::scalar(text.trim())) {
        (NormaliseError::NoJson, Some(value)) => fitted(value, schema, &steps),
        (problem, _) => Err(problem),
    }
}

/// The first JSON that fits. What looks like JSON and is broken is not searched for its parts: they are not the answer.
fn first_that_fits(text: &str, schema: &Value, steps: &Steps) -> Result<Normalised, NormaliseError> {
    let (mut problem, mut empty, mut from) = (None, None, 0);
    for _ in 0..ANSWER_STARTS_MAX {
        let Some(start) = find::next_start(text, from) else { break };
        let error = match read::value(text, start) {
            Ok((value, end)) => {
                from = end;
                let is_empty = value.as_array().is_some_and(Vec::is_empty);
                match fitted(value, schema, steps) {
                    // An empty list in the middle of prose may be a figure of speech.
                    Ok(found) if is_empty => {
                        empty.get_or_insert(found);
                        continue;
                    }
                    Ok(found) => return Ok(found),
                    Err(error) => error,
                }
            }
            Err(error) => {
                match find::end_of_broken(text, start) {
                    find::BrokenEnd::At(end) => from = end,
                    find::BrokenEnd::Missing => return Err(problem.unwrap_or(error)),
                    find::BrokenEnd::Prose => {
                        from = start + 1;
                        continue;
                    }
                }
                error
            }
        };
        // What parsed and did not fit says more than what did not parse; else the first is what was meant.
        match (&problem, &error) {
            (Some(NormaliseError::Mismatch(_)), _) => {}
            (None, _) | (Some(_), NormaliseError::Mismatch(_)) => problem = Some(error),
            (Some(_), _) => {}
        }
    }
    match (problem, empty) {
        (Some(problem), _) => Err(problem),
        (None, Some(empty)) => Ok(empty),
        (None, None) => Err(NormaliseError::NoJson),
    }
}

fn fitted(value: Value, schema: &Value, steps: &Steps) -> Result<Normalised, NormaliseError> {
    let (value, dropped) = fit::fit(value, schema, steps).map_err(NormaliseError::Mismatch)?;
    Ok(Normalised { value, was_mended: true, dropped })
}

#[cfg(test)]
mod tests;
