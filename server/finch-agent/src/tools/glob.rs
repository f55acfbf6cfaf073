//! `Glob`: the files whose paths fit a pattern.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use finch_llm::ToolSpec;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::walk::{self, Patience, StopOnDrop};
use crate::{
    Access, BadCall, Outcome, Permit, Tool, ToolContext,
    limits::{GLOB_FOUND_MAX, GLOB_NAMED_MAX},
    tool::{self, Call},
    view::Content,
};

/// The tool.
#[derive(Debug, Clone, Copy, Default)]
pub struct Glob;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    pattern: String,
    path: Option<String>,
}

impl Tool for Glob {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "Glob".to_owned(),
            description: format!(
                "Finds files by their paths, such as src/**/*.rs or *.{{ts,tsx}}. What git ignores is left out, links \
                 are not followed. Names up to {GLOB_NAMED_MAX} files, in order."
            ),
            parameters: json!({
                "type": "object",
                "properties": {
                    "pattern": {"type": "string", "description": "A glob over paths from the folder; without a / it fits names in any folder"},
                    "path": {"type": "string", "description": "The folder to search, from the workspace folder; that one if left out"}
                },
                "required": ["pattern"],
                "additionalProperties": false
            }),
        }
    }

    fn access(&self, arguments: &Map<String, Value>, context: &ToolContext) -> Result<Vec<Access>, BadCall> {
        let arguments: Arguments = tool::read(arguments)?;
        walk::glob(&arguments.pattern)?;
        Ok(vec![Access::Read { path: root(&arguments, context)? }])
    }

    fn call<'a>(&'a self, permit: Permit, arguments: Map<String, Value>, context: &'a ToolContext) -> Call<'a> {
        let context = context.clone();
        Box::pin(async move {
            let dropped = StopOnDrop::default();
            let patience = Patience::new(dropped.flag());
            tool::blocking(move || {
                run(&permit, &arguments, &context, &patience).unwrap_or_else(|bad| Outcome::failed(bad.0))
            })
            .await
        })
    }
}

fn root(arguments: &Arguments, context: &ToolContext) -> Result<PathBuf, BadCall> {
    context.resolve(arguments.path.as_deref().unwrap_or("."))
}

fn run(
    permit: &Permit,
    arguments: &Map<String, Value>,
    context: &ToolContext,
    patience: &Patience,
) -> Result<Outcome, BadCall> {
    let arguments: Arguments = tool::read(arguments)?;
    let (root, matcher) = (root(&arguments, context)?, walk::glob(&arguments.pattern)?);
    if !permit.covers(&Access::Read { path: root.clone() }) {
        return Ok(Outcome::not_permitted());
    }
    if !root.is_dir() {
        return Ok(Outcome::failed(format!("{} is no folder", context.name(&root))));
    }
    let found = Mutex::new(Vec::new());
    let overlaid: BTreeSet<PathBuf> = context.view.overlaid().into_iter().collect();
    let look = |path: &Path| {
        if !path.strip_prefix(&root).is_ok_and(|path| matcher.is_match(path)) {
            return;
        }
        // Staged to be removed.
        if overlaid.contains(path) && matches!(context.view.look(path), Ok(Content::Missing { .. })) {
            return;
        }
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        found.push(path.to_owned());
        if found.len() >= GLOB_FOUND_MAX {
            patience.end();
        }
    };
    let cut = walk::files(&root, context, patience, || look);
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort();
    let mut text: String = found.iter().take(GLOB_NAMED_MAX).map(|path| format!("{}\n", context.name(path))).collect();
    if found.is_empty() {
        text = format!("No file below {} fits.\n", context.name(&root));
    }
    if found.len() > GLOB_NAMED_MAX {
        let more = if found.len() >= GLOB_FOUND_MAX { " or more" } else { "" };
        text.push_str(&format!("({GLOB_NAMED_MAX} of {}{more} files; narrow the pattern)\n", found.len()));
    }
    text.extend(cut.note());
    Ok(Outcome::done(text))
}
