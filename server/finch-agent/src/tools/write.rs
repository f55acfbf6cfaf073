//! `Write`: a new file, or the whole text of one, into the change set.

use finch_llm::ToolSpec;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    edit::plan::{Plan, Problem, Step},
    lines::line_end,
};
use crate::{
    Access, BadCall, Permit, Tool, ToolContext,
    limits::FILE_BYTES_MAX,
    tool::{self, Call},
    view::Content,
};

/// The tool.
#[derive(Debug, Clone, Copy, Default)]
pub struct Write;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    path: String,
    content: String,
}

impl Tool for Write {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "Write".to_owned(),
            description: "Makes a file, or replaces the whole text of one. Folders are made as needed. To change a \
                          part of a file use Edit."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "path": {"type": "string", "description": "The file, from the workspace folder"},
                    "content": {"type": "string", "description": "The whole text"}
                },
                "required": ["path", "content"],
                "additionalProperties": false
            }),
        }
    }

    fn access(&self, arguments: &Map<String, Value>, context: &ToolContext) -> Result<Vec<Access>, BadCall> {
        Ok(plan(&tool::read(arguments)?, context)?.access(context))
    }

    fn call<'a>(&'a self, permit: Permit, arguments: Map<String, Value>, context: &'a ToolContext) -> Call<'a> {
        Box::pin(Plan::carry_out(move |context| plan(&tool::read(&arguments)?, context), permit, context))
    }
}

fn plan(arguments: &Arguments, context: &ToolContext) -> Result<Plan, BadCall> {
    if arguments.content.len() as u64 > FILE_BYTES_MAX {
        return Err(BadCall(format!("the text is longer than {FILE_BYTES_MAX} bytes; write it in parts")));
    }
    let path = context.resolve(&arguments.path)?;
    let problem = |path, text: String| Ok(Plan::Impossible(Problem { reads: vec![path], text }));
    let name = context.name(&path);
    match context.view.look(&path) {
        Ok(Content::Text(seen)) => {
            let content = with_line_ends(&arguments.content, line_end(&seen.text));
            if content == *seen.text {
                return problem(path, format!("{name} has this text already"));
            }
            Ok(Plan::Steps(vec![Step { path, before: Some(seen.text), base: seen.base, after: Some(content.into()) }]))
        }
        Ok(Content::Missing { base }) => {
            let after = Some(arguments.content.as_str().into());
            Ok(Plan::Steps(vec![Step { path, before: None, base, after }]))
        }
        Ok(other) => problem(path, format!("{name} {}; it is not replaced", other.in_words())),
        Err(error) => problem(path, format!("{name} cannot be read, and so is not replaced: {error}")),
    }
}

/// Text with the line ends of the file it replaces, unless it brings such itself.
fn with_line_ends(text: &str, end: &str) -> String {
    if end == "\r\n" && !text.contains('\r') { text.replace('\n', "\r\n") } else { text.to_owned() }
}
