//! What a persona says of a plan, and what of it counts.
//!
//! Pure but for the question. A finding names a step; what it claims about the code names file and line and quotes it, and
//! is looked up: a claim that is not there counts for nothing against the plan, and is shown as unfounded. What could not
//! be asked or understood is a failed review and never an empty one.

use finch_llm::structured::StructuredError;
use serde_json::{Value, json};

use super::{Persona, Plan};
use crate::limits::{
    EVIDENCE_LINES_NEAR, FINDINGS_MAX, SMALL_CONCERN_CHARS_MAX, SMALL_FINDINGS_MAX, SMALL_LINE_CHARS_MAX,
};

/// The workspace as the personas' claims are held against it.
pub trait Source: Send + Sync {
    /// The text of a file by its path in the workspace; `None` if it cannot be read.
    fn text(&self, path: &str) -> Option<String>;
}

/// A place in the code that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub file: String,
    /// From 1.
    pub line: usize,
    pub quote: String,
}

/// Something that is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub persona: Persona,
    pub concern: String,
    /// The step it is about, from 1; none for the plan as a whole.
    pub step: Option<usize>,
    /// 1 to 10: 1 to 3 minor, 4 to 6 moderate, 7 to 9 high, 10 critical.
    pub severity: u8,
    /// 1 to 10: 1 to 3 speculative, 4 to 6 likely, 7 to 9 high, 10 certain.
    pub confidence: u8,
    pub evidence: Option<Evidence>,
    /// The evidence does not stand where it is said to.
    pub is_unfounded: bool,
}

/// What a finding means for the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// The plan is not done before this is.
    MustAddress,
    /// Grave if it is true, and few would say that it is.
    MinorityRisk,
    Other,
}

/// What came of asking one persona.
#[derive(Debug, Clone, PartialEq)]
pub enum Review {
    Findings(Vec<Finding>),
    /// It could not be asked, or what it said could not be understood.
    Failed {
        persona: Persona,
        why: String,
    },
}

impl Finding {
    /// Severity times confidence: what is shown first.
    #[must_use]
    pub fn signal(&self) -> u8 {
        self.severity.saturating_mul(self.confidence)
    }

    #[must_use]
    pub fn weight(&self) -> Weight {
        match (self.severity, self.confidence) {
            _ if self.is_unfounded => Weight::Other,
            (8.., 7..) => Weight::MustAddress,
            (7.., ..=4) => Weight::MinorityRisk,
            _ => Weight::Other,
        }
    }
}

/// What a persona has to answer with.
pub(super) fn schema() -> Value {
    let text = json!({"type": "string"});
    schema_of(&json!({"type": "string", "minLength": 1}), &text, FINDINGS_MAX)
}

/// The same for a model that holds little: what fits is short.
pub(super) fn short_schema() -> Value {
    let concern = json!({"type": "string", "minLength": 1, "maxLength": SMALL_CONCERN_CHARS_MAX});
    schema_of(&concern, &json!({"type": "string", "maxLength": SMALL_LINE_CHARS_MAX}), SMALL_FINDINGS_MAX)
}

fn schema_of(concern: &Value, text: &Value, findings_max: usize) -> Value {
    let item = json!({
        "type": "object",
        "properties": {
            "concern": concern,
            "step_ref": {"type": "integer", "minimum": 0},
            "severity": {"type": "integer", "minimum": 1, "maximum": 10},
            "confidence": {"type": "integer", "minimum": 1, "maximum": 10},
            "file": text,
            "line": {"type": "integer", "minimum": 0},
            "quote": text,
        },
        "required": ["concern", "step_ref", "severity", "confidence", "file", "line", "quote"],
        "additionalProperties": false,
    });
    json!({
        "type": "object",
        "properties": {"findings": {"type": "array", "items": item, "maxItems": findings_max}},
        "required": ["findings"],
        "additionalProperties": false,
    })
}

/// What all personas are told.
pub(super) const ATTACKER: &str = "\
You review a plan. Attack it; do not praise it and do not mend it. For each finding: `concern`, one or two sentences; \
`step_ref`, the number of the step it is about, 0 for the whole plan; `severity` 1 to 10 (10: data loss or a hole); \
`confidence` 1 to 10 (10: you saw it). Where you claim something about the code that is there, give `file`, `line` and `quote` \
exactly as it stands; it is looked up, and a claim that is not there counts for nothing. Else leave `file` and `quote` empty and \
`line` 0. No finding is an answer too.";

/// The question to one persona. Who is asked stands last: what stands before it is the same for all seven, so that a
/// provider which keeps what it has read reads it once.
pub(super) fn question(persona: Persona, plan: &str, notes: &str) -> String {
    format!(
        "What is known of the repository:\n{notes}\n\nThe plan:\n{plan}\n\nYou are {name}, one of seven who review this plan, \
         each alone. {questions}",
        name = persona.name(),
        questions = persona.questions(),
    )
}

/// What a persona's answer comes to.
pub(super) fn review(
    persona: Persona,
    answer: Result<Value, StructuredError>,
    plan: &Plan,
    source: &dyn Source,
) -> Review {
    match answer {
        Ok(value) => Review::Findings(findings(persona, &value, plan, source)),
        Err(error) => Review::Failed { persona, why: why(&error) },
    }
}

/// Why there is no answer. What the model said instead is for the log.
pub(super) fn why(error: &StructuredError) -> String {
    match error {
        StructuredError::Llm(error) => error.to_string(),
        StructuredError::Unfit { problem, said } => {
            tracing::info!(%said, "an answer does not fit");
            format!("the model was asked twice and its answer still does not fit: {problem}")
        }
    }
}

fn findings(persona: Persona, answer: &Value, plan: &Plan, source: &dyn Source) -> Vec<Finding> {
    let score = |value: &Value| u8::try_from(value.as_u64().unwrap_or(1)).unwrap_or(10).clamp(1, 10);
    let index = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
    let text = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
    let mut found: Vec<Finding> = answer["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .take(FINDINGS_MAX)
        .map(|item| {
            let evidence =
                Evidence { file: text(&item["file"]), line: index(&item["line"]), quote: text(&item["quote"]) };
            let evidence = (!evidence.file.is_empty() || !evidence.quote.is_empty()).then_some(evidence);
            // A step that is not there is the plan as a whole.
            let step = Some(index(&item["step_ref"])).filter(|step| (1..=plan.steps.len()).contains(step));
            let is_unfounded = evidence.as_ref().is_some_and(|evidence| !stands(evidence, source));
            Finding {
                persona,
                concern: text(&item["concern"]),
                step,
                severity: score(&item["severity"]),
                confidence: score(&item["confidence"]),
                evidence,
                is_unfounded,
            }
        })
        .collect();
    found.sort_by_key(|finding| std::cmp::Reverse(finding.signal()));
    found
}

/// Whether the quote stands in the file, near the line. Space within a line does not count.
fn stands(evidence: &Evidence, source: &dyn Source) -> bool {
    let Some(text) = source.text(&evidence.file) else { return false };
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let quote: Vec<String> = evidence.quote.lines().map(squeezed).filter(|line| !line.is_empty()).collect();
    let lines: Vec<String> = text.lines().map(squeezed).collect();
    if quote.is_empty() || evidence.line == 0 {
        return false;
    }
    let first = (evidence.line - 1).saturating_sub(EVIDENCE_LINES_NEAR);
    let last = (evidence.line - 1).saturating_add(EVIDENCE_LINES_NEAR);
    (first..=last).any(|at| {
        quote.iter().enumerate().all(|(offset, line)| lines.get(at + offset).is_some_and(|there| there.contains(line)))
    })
}

#[cfg(test)]
mod tests;
