//! A plan: its steps, its file in Markdown, and the hash that an approval is bound to.
//!
//! The file is for people, who may edit it. What is ticked is no part of the hash: a step that is done does not undo the
//! approval, and a step that was changed does.

use std::fmt::{self, Write as _};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Persona;
use crate::limits::{
    PLAN_BYTES_MAX, PLAN_STEPS_MAX, SMALL_LINE_CHARS_MAX, SMALL_STEP_FILES_MAX, SMALL_STEPS_MAX, SMALL_WHAT_CHARS_MAX,
};

/// The line that says how far a plan is.
const STATE: &str = "State:";
/// Behind this line the file says what was found wrong with the plan; no step of it stands there.
const FINDINGS: &str = "# Findings";
/// How a finding ends there that must be addressed.
const MUST_ADDRESS: &str = " **must be addressed**";
/// What is said there of a persona, behind its name in brackets, whose review is not known.
const NOT_HEARD: &str = " was not heard: ";

/// One step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// One line.
    pub title: String,
    /// What to do, in full.
    pub what: String,
    /// The files that it touches, by their paths in the workspace.
    pub files: Vec<String>,
    /// How one sees that it is done: a command, as a rule.
    pub check: String,
    pub is_done: bool,
}

/// What is going to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The task, as the user put it.
    pub task: String,
    pub steps: Vec<Step>,
}

/// Names a plan by its content. An approval holds for one of these.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PlanHash(String);

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PlanHash {
    /// The hash of this spelling, as [`PlanHash`] is shown; none if it is no such spelling.
    pub(crate) fn read(shown: &str) -> Option<Self> {
        let is_hash = shown.len() == 64 && shown.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_hash.then(|| Self(shown.to_owned()))
    }
}

/// A text that is no plan. Says what is missing and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPlan {
    #[error("the plan has {bytes} bytes; at most {PLAN_BYTES_MAX} are read")]
    TooLong { bytes: usize },
    #[error("line {line}: {problem}")]
    Line { line: usize, problem: &'static str },
    #[error("the plan has no steps")]
    NoSteps,
    #[error("the plan has {steps} steps; at most {PLAN_STEPS_MAX} are carried out")]
    TooManySteps { steps: usize },
}

impl Plan {
    /// The hash over the task and the steps, without their ticks.
    #[must_use]
    pub fn hash(&self) -> PlanHash {
        let mut sum = Sha256::new();
        // Lengths in front, so that no two plans run into the same bytes.
        let mut add = |text: &str| {
            sum.update((text.len() as u64).to_le_bytes());
            sum.update(text.as_bytes());
        };
        add(&self.task);
        for step in &self.steps {
            add(&step.title);
            add(&step.what);
            add(&step.files.join("\n"));
            add(&step.check);
        }
        let mut hash = String::new();
        for byte in sum.finalize() {
            // Writing to a string cannot fail.
            write!(hash, "{byte:02x}").ok();
        }
        PlanHash(hash)
    }

    /// What the model has to answer with.
    #[must_use]
    pub fn schema() -> Value {
        let text = json!({"type": "string", "minLength": 1});
        let files = json!({"type": "array", "items": {"type": "string"}});
        schema(&text, &text, &files, &json!({"type": "string"}), PLAN_STEPS_MAX)
    }

    /// The same for a model that holds little: what fits is short.
    pub(super) fn short_schema() -> Value {
        let text = |least: usize, most: usize| json!({"type": "string", "minLength": least, "maxLength": most});
        let line = |least| text(least, SMALL_LINE_CHARS_MAX);
        let files = json!({"type": "array", "items": line(1), "maxItems": SMALL_STEP_FILES_MAX});
        schema(&line(1), &text(1, SMALL_WHAT_CHARS_MAX), &files, &line(0), SMALL_STEPS_MAX)
    }

    /// The plan in an answer that fits [`Plan::schema`].
    ///
    /// # Errors
    /// [`BadPlan`] if there is no step in it.
    pub fn from_answer(task: &str, answer: &Value) -> Result<Self, BadPlan> {
        let text = |value: &Value| one_text(value.as_str().unwrap_or_default());
        let line = |value: &Value| one_line(value.as_str().unwrap_or_default());
        let steps: Vec<Step> = answer["steps"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|step| Step {
                title: line(&step["title"]),
                what: text(&step["what"]),
                files: step["files"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(line)
                    .filter(|file| !file.is_empty())
                    .collect(),
                check: line(&step["check"]),
                is_done: false,
            })
            .collect();
        Self { task: one_text(task), steps }.checked()
    }

    /// The plan alone.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        self.to_markdown_with("", "")
    }

    /// The file: the plan with how far it is, and with what was said of it, neither of which is part of the plan.
    #[must_use]
    pub fn to_markdown_with(&self, state: &str, findings: &str) -> String {
        let mut text = format!("# Plan\n\n{}\n", quoted(&self.task));
        if !state.is_empty() {
            // Writing to a string cannot fail.
            write!(text, "\n{STATE} {state}\n").ok();
        }
        for (number, step) in (1..).zip(&self.steps) {
            let tick = if step.is_done { 'x' } else { ' ' };
            // Writing to a string cannot fail.
            write!(text, "\n## {number}. [{tick}] {}\n\n{}\n", step.title, step.what).ok();
            text.push('\n');
            for file in &step.files {
                writeln!(text, "- file: `{file}`").ok();
            }
            if !step.check.is_empty() {
                writeln!(text, "- check: `{}`", step.check).ok();
            }
        }
        if !findings.is_empty() {
            write!(text, "\n{FINDINGS}\n\n{findings}").ok();
        }
        text
    }

    /// The text of a plan's file with this step, from 1, ticked; `None` if it has no such step.
    #[must_use]
    pub fn ticked(text: &str, step: usize) -> Option<String> {
        let (mut number, mut ticked) = (0, None);
        let lines = text.split_inclusive('\n').map(|line| {
            number += usize::from(line.starts_with("## "));
            match line.starts_with("## ") && number == step {
                true => {
                    let done = line.replacen("[ ]", "[x]", 1);
                    ticked = Some(());
                    done
                }
                false => line.to_owned(),
            }
        });
        let text: String = lines.collect();
        ticked.map(|()| text)
    }

    /// The text with this said of how far it is; unchanged where it does not say so.
    #[must_use]
    pub fn with_state(text: &str, state: &str) -> String {
        let lines = text.split_inclusive('\n').map(|line| match line.starts_with(STATE) {
            true => format!("{STATE} {state}\n"),
            false => line.to_owned(),
        });
        lines.collect()
    }

    /// What the file says of a finding that must be addressed.
    pub(crate) fn must_address() -> &'static str {
        MUST_ADDRESS
    }

    /// What the file says of a persona that was not heard.
    pub(crate) fn not_heard(persona: Persona, why: &str) -> String {
        format!("- [{}]{NOT_HEARD}{why}\n", persona.name())
    }

    /// How many findings the file has open: those that must be addressed, and reviews that are not known.
    #[must_use]
    pub fn open_findings(text: &str) -> usize {
        let found = text.lines().skip_while(|line| line.trim_end() != FINDINGS).filter(|line| line.starts_with("- ["));
        let is_open = |line: &&str| {
            let said = line.split_once(']').map_or("", |(_, said)| said);
            line.trim_end().ends_with(MUST_ADDRESS) || said.starts_with(NOT_HEARD)
        };
        found.filter(is_open).count()
    }

    /// Reads a file, whoever has edited it.
    ///
    /// # Errors
    /// [`BadPlan`] says where it is no plan.
    pub fn from_markdown(text: &str) -> Result<Self, BadPlan> {
        if text.len() > PLAN_BYTES_MAX {
            return Err(BadPlan::TooLong { bytes: text.len() });
        }
        let mut plan = Self::default();
        let mut task = Vec::new();
        for (number, line) in (1..).zip(text.lines().take_while(|line| line.trim_end() != FINDINGS)) {
            if let Some(head) = line.strip_prefix("## ") {
                let bad = BadPlan::Line { line: number, problem: "a step begins with `## 1. [ ] Title`" };
                plan.steps.push(step_head(head).ok_or(bad)?);
            } else if let Some(step) = plan.steps.last_mut() {
                step.take(line);
            } else if let Some(quoted) = line.strip_prefix('>') {
                task.push(quoted.strip_prefix(' ').unwrap_or(quoted));
            }
        }
        plan.task = one_text(&task.join("\n"));
        for step in &mut plan.steps {
            step.what = one_text(&step.what);
        }
        plan.checked()
    }

    fn checked(self) -> Result<Self, BadPlan> {
        match self.steps.len() {
            0 => Err(BadPlan::NoSteps),
            steps if steps > PLAN_STEPS_MAX => Err(BadPlan::TooManySteps { steps }),
            _ => Ok(self),
        }
    }
}

impl Step {
    fn take(&mut self, line: &str) {
        let of = |mark: &str| line.strip_prefix(mark)?.trim().strip_prefix('`')?.strip_suffix('`').map(str::to_owned);
        if let Some(file) = of("- file:") {
            self.files.push(file);
        } else if let Some(check) = of("- check:") {
            self.check = check;
        } else {
            self.what.push_str(line);
            self.what.push('\n');
        }
    }
}

fn schema(title: &Value, what: &Value, files: &Value, check: &Value, steps_max: usize) -> Value {
    let step = json!({
        "type": "object",
        "properties": {"title": title, "what": what, "files": files, "check": check},
        "required": ["title", "what", "files", "check"],
        "additionalProperties": false,
    });
    json!({
        "type": "object",
        "properties": {"steps": {"type": "array", "items": step, "minItems": 1, "maxItems": steps_max}},
        "required": ["steps"],
        "additionalProperties": false,
    })
}

/// `1. [x] Title`; the number is for people.
fn step_head(head: &str) -> Option<Step> {
    let (number, rest) = head.split_once(". [")?;
    let (tick, title) = rest.split_once(']')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_done = match tick {
        "x" | "X" => true,
        " " | "" => false,
        _ => return None,
    };
    let title = title.trim().to_owned();
    (is_number && !title.is_empty()).then(|| Step { title, is_done, ..Step::default() })
}

/// Without what would make it something else in the file: blank ends, and lines that look like steps or items.
fn one_text(text: &str) -> String {
    let plain = |line: &str| match ["## ", "- file:", "- check:", FINDINGS].iter().any(|mark| line.starts_with(mark)) {
        true => format!(" {line}"),
        false => line.to_owned(),
    };
    let lines: Vec<String> = text.replace('\r', "").lines().map(|line| plain(line.trim_end())).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "'")
}

fn quoted(text: &str) -> String {
    text.lines().map(|line| format!("> {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
