//! A line of the ledger. What stands here is a promise to later versions and to who reads the files.
//!
//! Writing is bounded: names are cut, control characters become spaces, and of many files the first are named, so that
//! a line stays below [`LEDGER_LINE_BYTES_MAX`]. Reading is forgiving: what is missing takes its default.

use finch_llm::Task;
use serde::{Deserialize, Serialize};

use super::{Departs, Ended, LedgerId, Outcome};
use crate::limits::{LEDGER_LINE_BYTES_MAX, LEDGER_NAME_BYTES_MAX, LEDGER_PATH_BYTES_MAX};

/// The version of the format that this code writes.
const SCHEMA: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    schema: u32,
    #[serde(flatten)]
    event: Event,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Departs(DepartsLine),
    Ended(EndedLine),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct DepartsLine {
    id: String,
    at_ms: u64,
    provider: String,
    #[serde(default)]
    model: String,
    host: String,
    is_loopback: bool,
    task: TaskName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workspace: Option<String>,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    files_more: u64,
    bytes: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct EndedLine {
    of: String,
    at_ms: u64,
    outcome: String,
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    cached_tokens: u64,
    #[serde(default)]
    generated_tokens: u64,
    #[serde(default)]
    cost: Option<f64>,
    #[serde(default)]
    ms: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TaskName {
    Completion,
    Chat,
    Plan,
    Critique,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a line tells.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    Departed(String, Departs),
    /// With the name of the departure.
    Ended(String, Ended),
    /// Something that a later version may know.
    Unknown,
    Damaged,
}

/// The line of a departure, without its end of line.
pub(super) fn departure(id: &LedgerId, departs: &Departs) -> String {
    let name = |text: &str| head(text, LEDGER_NAME_BYTES_MAX);
    let mut line = DepartsLine {
        id: id.0.clone(),
        at_ms: departs.at_ms,
        provider: name(&departs.provider),
        model: name(&departs.model),
        host: name(&departs.host),
        is_loopback: departs.is_loopback,
        task: departs.task.into(),
        workspace: departs.workspace.as_deref().map(|path| tail(path, LEDGER_PATH_BYTES_MAX)),
        files: Vec::new(),
        // The longest there is, until it is known.
        files_more: u64::MAX,
        bytes: departs.bytes,
    };
    let mut room = LEDGER_LINE_BYTES_MAX.saturating_sub(text(Event::Departs(line.clone())).len());
    for file in &departs.files {
        let file = tail(file, LEDGER_PATH_BYTES_MAX);
        // With its quotes and a comma.
        let bytes = serde_json::Value::from(file.as_str()).to_string().len() + 1;
        if bytes > room {
            break;
        }
        room -= bytes;
        line.files.push(file);
    }
    line.files_more = departs.files_more.saturating_add((departs.files.len() - line.files.len()) as u64);
    text(Event::Departs(line))
}

/// The line of an end, without its end of line.
pub(super) fn end(id: &LedgerId, ended: &Ended) -> String {
    text(Event::Ended(EndedLine {
        of: id.0.clone(),
        at_ms: ended.at_ms,
        outcome: head(&ended.outcome.to_string(), LEDGER_NAME_BYTES_MAX),
        prompt_tokens: ended.prompt_tokens,
        cached_tokens: ended.cached_tokens,
        generated_tokens: ended.generated_tokens,
        cost: ended.cost.filter(|cost| cost.is_finite()),
        ms: ended.ms,
    }))
}

fn text(event: Event) -> String {
    // Numbers, texts and lists of texts: there is nothing in it that JSON cannot hold.
    serde_json::to_string(&Line { schema: SCHEMA, event }).unwrap_or_default()
}

/// Reads a line.
pub(super) fn parse(line: &[u8]) -> Told {
    /// What every version of the format has.
    #[derive(Deserialize)]
    struct Head {
        schema: u32,
        event: String,
    }
    if let Ok(Line { schema: SCHEMA, event }) = serde_json::from_slice(line) {
        return match event {
            Event::Departs(line) => Told::Departed(line.id.clone(), line.into()),
            Event::Ended(line) => line.told(),
        };
    }
    match serde_json::from_slice::<Head>(line) {
        Ok(head) if head.schema > SCHEMA || !["departs", "ended"].contains(&head.event.as_str()) => Told::Unknown,
        Ok(_) | Err(_) => Told::Damaged,
    }
}

impl From<DepartsLine> for Departs {
    fn from(line: DepartsLine) -> Self {
        Self {
            at_ms: line.at_ms,
            provider: line.provider,
            model: line.model,
            host: line.host,
            is_loopback: line.is_loopback,
            task: line.task.into(),
            workspace: line.workspace,
            files: line.files,
            files_more: line.files_more,
            bytes: line.bytes,
        }
    }
}

impl EndedLine {
    fn told(self) -> Told {
        let Ok(outcome) = self.outcome.parse::<Outcome>() else { return Told::Damaged };
        let ended = Ended {
            at_ms: self.at_ms,
            outcome,
            prompt_tokens: self.prompt_tokens,
            cached_tokens: self.cached_tokens,
            generated_tokens: self.generated_tokens,
            cost: self.cost,
            ms: self.ms,
        };
        Told::Ended(self.of, ended)
    }
}

impl From<Task> for TaskName {
    fn from(task: Task) -> Self {
        match task {
            Task::Completion => Self::Completion,
            Task::Chat => Self::Chat,
            Task::Plan => Self::Plan,
            Task::Critique => Self::Critique,
        }
    }
}

impl From<TaskName> for Task {
    fn from(name: TaskName) -> Self {
        match name {
            TaskName::Completion => Self::Completion,
            TaskName::Chat => Self::Chat,
            TaskName::Plan => Self::Plan,
            TaskName::Critique => Self::Critique,
        }
    }
}

/// The beginning of a name.
fn head(name: &str, bytes_max: usize) -> String {
    let name = printable(name);
    if name.len() <= bytes_max {
        return name;
    }
    format!("{}…", &name[..name.floor_char_boundary(bytes_max - '…'.len_utf8())])
}

/// The end of a path, which says more than its beginning.
fn tail(path: &str, bytes_max: usize) -> String {
    let path = printable(path);
    if path.len() <= bytes_max {
        return path;
    }
    format!("…{}", &path[path.ceil_char_boundary(path.len() + '…'.len_utf8() - bytes_max)..])
}

fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
