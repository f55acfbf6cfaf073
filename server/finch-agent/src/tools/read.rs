//! `Read`: a file, or a part of it, with line numbers.

use finch_llm::ToolSpec;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use similar::DiffableStr;

use super::lines::numbered;
use crate::{
    Access, BadCall, Outcome, Permit, Tool, ToolContext,
    changes::Standing,
    limits::{READ_BYTES_MAX, READ_LINES_MAX},
    tool::{self, Call},
    view::{Content, Seen},
};

/// The tool.
#[derive(Debug, Clone, Copy, Default)]
pub struct Read;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    path: String,
    /// The first line, counted from 1.
    offset: Option<usize>,
    limit: Option<usize>,
}

impl Tool for Read {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "Read".to_owned(),
            description: format!(
                "Reads a text file as the editor has it, unsaved changes included. Each line comes as its number, a \
                 tab and its text. At most {READ_LINES_MAX} lines at once; give offset and limit to read on."
            ),
            parameters: json!({
                "type": "object",
                "properties": {
                    "path": {"type": "string", "description": "The file, from the workspace folder"},
                    "offset": {"type": "integer", "minimum": 1, "description": "The first line to read, counted from 1"},
                    "limit": {"type": "integer", "minimum": 1, "description": "How many lines to read"}
                },
                "required": ["path"],
                "additionalProperties": false
            }),
        }
    }

    fn access(&self, arguments: &Map<String, Value>, context: &ToolContext) -> Result<Vec<Access>, BadCall> {
        let arguments: Arguments = tool::read(arguments)?;
        if arguments.offset == Some(0) || arguments.limit == Some(0) {
            return Err(BadCall("offset and limit count from 1".to_owned()));
        }
        Ok(vec![Access::Read { path: context.resolve(&arguments.path)? }])
    }

    fn call<'a>(&'a self, permit: Permit, arguments: Map<String, Value>, context: &'a ToolContext) -> Call<'a> {
        let context = context.clone();
        Box::pin(tool::blocking(move || {
            run(&permit, &arguments, &context).unwrap_or_else(|bad| Outcome::failed(bad.0))
        }))
    }
}

fn run(permit: &Permit, arguments: &Map<String, Value>, context: &ToolContext) -> Result<Outcome, BadCall> {
    let arguments: Arguments = tool::read(arguments)?;
    let path = context.resolve(&arguments.path)?;
    if !permit.covers(&Access::Read { path: path.clone() }) {
        return Ok(Outcome::not_permitted());
    }
    let name = context.name(&path);
    Ok(match context.view.look(&path) {
        Ok(Content::Text(seen)) => shown(&name, &seen, &arguments).of([path]),
        Ok(other) => Outcome::failed(format!("{name} {}", other.in_words())),
        Err(error) => Outcome::failed(format!("{name} cannot be read: {error}")),
    })
}

fn shown(name: &str, seen: &Seen, arguments: &Arguments) -> Outcome {
    let lines = seen.text.tokenize_lines();
    let first = arguments.offset.unwrap_or(1) - 1;
    if lines.is_empty() {
        return Outcome::done(format!("({name} is empty)"));
    }
    if first >= lines.len() {
        return Outcome::failed(format!("{name} has {} lines; offset {} is beyond its end", lines.len(), first + 1));
    }
    let limit = arguments.limit.unwrap_or(READ_LINES_MAX).min(READ_LINES_MAX);
    let (mut text, count) = numbered(lines[first..].iter().take(limit).copied(), first, READ_BYTES_MAX);
    let end = first + count;
    if end < lines.len() {
        text.push_str(&format!(
            "({name} has {} lines; these are {} to {end}: read on with offset {})\n",
            lines.len(),
            first + 1,
            end + 1
        ));
    }
    if let Some(note) = seen.base.encoding.note() {
        text.push_str(&format!("({note})\n"));
    }
    if seen.text.contains("\r\n") {
        text.push_str("(lines end with CRLF)\n");
    }
    if seen.standing == Standing::InConflict {
        text.push_str("(the user changed this file where you had changed it: what you see is the user's text)\n");
    }
    Outcome::done(text)
}
