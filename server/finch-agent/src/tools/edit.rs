//! `Edit`: a text replaced by another in one file, or a unified diff over several, into the change set.

mod exact;
mod miss;
mod patch;
pub(super) mod plan;

use std::path::{Path, PathBuf};

use finch_llm::ToolSpec;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::{
    exact::Occurrences,
    patch::FilePatch,
    plan::{Plan, Problem, Step},
};
use crate::{
    Access, BadCall, Permit, Tool, ToolContext,
    limits::{FILE_BYTES_MAX, PATCH_BYTES_MAX, PATCH_FILES_MAX},
    tool::{self, Call},
    view::{Content, Seen},
};

/// The tool.
#[derive(Debug, Clone, Copy, Default)]
pub struct Edit;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    path: Option<String>,
    old_text: Option<String>,
    new_text: Option<String>,
    replace_all: Option<bool>,
    patch: Option<String>,
}

/// What is asked for.
#[derive(Debug)]
enum Wish {
    Replace { path: String, old: String, new: String, which: Occurrences },
    Patch(Vec<FilePatch>),
}

impl Tool for Edit {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "Edit".to_owned(),
            description: "Changes files. Either give path, old_text and new_text: old_text must stand in the file \
                          exactly once, as Read shows it but without line numbers, or replace_all be true. Or give \
                          patch: a unified diff over one or more files, which may also make a file (from /dev/null), \
                          remove it (to /dev/null) or rename it."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "path": {"type": "string", "description": "The file, from the workspace folder"},
                    "old_text": {"type": "string", "description": "The text to replace, whole lines or a part"},
                    "new_text": {"type": "string", "description": "The text to put in its place"},
                    "replace_all": {"type": "boolean", "description": "Replace old_text wherever it stands"},
                    "patch": {"type": "string", "description": "A unified diff, in place of all the others"}
                },
                "additionalProperties": false
            }),
        }
    }

    fn access(&self, arguments: &Map<String, Value>, context: &ToolContext) -> Result<Vec<Access>, BadCall> {
        Ok(plan(arguments, context)?.access(context))
    }

    fn call<'a>(&'a self, permit: Permit, arguments: Map<String, Value>, context: &'a ToolContext) -> Call<'a> {
        Box::pin(Plan::carry_out(move |context| plan(&arguments, context), permit, context))
    }
}

impl TryFrom<Arguments> for Wish {
    type Error = BadCall;

    fn try_from(arguments: Arguments) -> Result<Self, BadCall> {
        match arguments {
            Arguments { path: None, old_text: None, new_text: None, replace_all: None, patch: Some(patch) } => {
                if patch.len() > PATCH_BYTES_MAX {
                    return Err(BadCall(format!("the patch is longer than {PATCH_BYTES_MAX} bytes; give it in parts")));
                }
                let files = patch::parse(&patch).map_err(BadCall)?;
                if files.len() > PATCH_FILES_MAX {
                    return Err(BadCall(format!("the patch has more than {PATCH_FILES_MAX} files; give it in parts")));
                }
                Ok(Self::Patch(files))
            }
            Arguments { path: Some(path), old_text: Some(old), new_text: Some(new), replace_all, patch: None } => {
                if old.is_empty() {
                    return Err(BadCall("old_text is empty; to make a file use Write".to_owned()));
                }
                if old == new {
                    return Err(BadCall("old_text and new_text are the same".to_owned()));
                }
                let which = if replace_all == Some(true) { Occurrences::All } else { Occurrences::TheOnly };
                Ok(Self::Replace { path, old, new, which })
            }
            _ => Err(BadCall("give either path, old_text and new_text, or patch alone".to_owned())),
        }
    }
}

fn plan(arguments: &Map<String, Value>, context: &ToolContext) -> Result<Plan, BadCall> {
    match tool::read::<Arguments>(arguments)?.try_into()? {
        Wish::Replace { path, old, new, which } => replace(&context.resolve(&path)?, (&old, &new, which), context),
        Wish::Patch(files) => patch_all(files, context),
    }
}

fn replace(path: &Path, wish: (&str, &str, Occurrences), context: &ToolContext) -> Result<Plan, BadCall> {
    let (old, new, which) = wish;
    let seen = match text(path, context) {
        Ok(seen) => seen,
        Err(problem) => return Ok(Plan::Impossible(problem)),
    };
    Ok(match exact::replace(&seen.text, old, new, which) {
        Ok(after) => Plan::Steps(vec![step(path, seen, Some(after))?]),
        Err(miss) => impossible(path, format!("{}: {}", context.name(path), miss.in_words(&seen.text, old))),
    })
}

fn patch_all(files: Vec<FilePatch>, context: &ToolContext) -> Result<Plan, BadCall> {
    let mut steps: Vec<Step> = Vec::new();
    let alone = files.len() == 1;
    for file in files {
        let old = file.old.as_deref().map(|name| context.resolve(name)).transpose()?;
        let new = file.new.as_deref().map(|name| context.resolve(name)).transpose()?;
        let planned = match (old, new) {
            (Some(old), Some(new)) if old != new => match rename(&file, &old, &new, context)? {
                plan if alone => return Ok(plan),
                Plan::Rename(pair) => Plan::Steps(pair.into()),
                plan => plan,
            },
            (Some(path), to) => change(&file, &path, to.is_some(), context)?,
            (None, Some(path)) => create(&file, path, context)?,
            (None, None) => return Err(BadCall("the patch goes from /dev/null to /dev/null".to_owned())),
        };
        match planned {
            Plan::Steps(more) => {
                if let Some(twice) = more.iter().find(|step| steps.iter().any(|other| other.path == step.path)) {
                    return Err(BadCall(format!("the patch has {} twice", context.name(&twice.path))));
                }
                steps.extend(more);
            }
            other => return Ok(other),
        }
    }
    Ok(Plan::Steps(steps))
}

fn change(file: &FilePatch, path: &Path, stays: bool, context: &ToolContext) -> Result<Plan, BadCall> {
    let seen = match text(path, context) {
        Ok(seen) => seen,
        Err(problem) => return Ok(Plan::Impossible(problem)),
    };
    match file.apply(&seen.text) {
        Ok(after) if stays => Ok(Plan::Steps(vec![step(path, seen, Some(after))?])),
        Ok(rest) if file.hunks.is_empty() || rest.is_empty() => Ok(Plan::Steps(vec![step(path, seen, None)?])),
        Ok(rest) => {
            let name = context.name(path);
            Ok(impossible(
                path,
                format!("{name}: the patch removes the file but leaves {} lines", rest.lines().count()),
            ))
        }
        Err(problem) => Ok(impossible(path, format!("{}: {problem}", context.name(path)))),
    }
}

fn create(file: &FilePatch, path: PathBuf, context: &ToolContext) -> Result<Plan, BadCall> {
    let after = file.apply("").map_err(BadCall)?;
    match context.view.look(&path) {
        Ok(Content::Missing { base }) => {
            Ok(Plan::Steps(vec![Step { path, before: None, base, after: Some(after.into()) }]))
        }
        Ok(other) => {
            let text = format!("{} {}; it is not made anew", context.name(&path), other.in_words());
            Ok(impossible(&path, text))
        }
        Err(error) => Ok(impossible(&path, format!("{} cannot be made: {error}", context.name(&path)))),
    }
}

fn rename(file: &FilePatch, from: &Path, to: &Path, context: &ToolContext) -> Result<Plan, BadCall> {
    let seen = match text(from, context) {
        Ok(seen) => seen,
        Err(problem) => return Ok(Plan::Impossible(problem)),
    };
    let after = match file.apply(&seen.text) {
        Ok(after) => after,
        Err(problem) => return Ok(impossible(from, format!("{}: {problem}", context.name(from)))),
    };
    match context.view.look(to) {
        Ok(Content::Missing { base }) => {
            let comes = Step { path: to.to_owned(), before: None, base, after: Some(after.into()) };
            Ok(Plan::Rename([step(from, seen, None)?, comes]))
        }
        Ok(_) => Ok(impossible(to, format!("{} exists already; a rename replaces nothing", context.name(to)))),
        Err(error) => Ok(impossible(to, format!("{} cannot be made: {error}", context.name(to)))),
    }
}

fn text(path: &Path, context: &ToolContext) -> Result<Seen, Problem> {
    let problem = |text| Problem { reads: vec![path.to_owned()], text };
    match context.view.look(path) {
        Ok(Content::Text(seen)) => Ok(seen),
        Ok(Content::Missing { .. }) => {
            Err(problem(format!("{} does not exist; to make a file use Write", context.name(path))))
        }
        Ok(other) => Err(problem(format!("{} {}", context.name(path), other.in_words()))),
        Err(error) => Err(problem(format!("{} cannot be read: {error}", context.name(path)))),
    }
}

fn step(path: &Path, seen: Seen, after: Option<String>) -> Result<Step, BadCall> {
    if after.as_ref().is_some_and(|text| text.len() as u64 > FILE_BYTES_MAX) {
        return Err(BadCall(format!("the file would be longer than {FILE_BYTES_MAX} bytes; make it smaller")));
    }
    Ok(Step { path: path.to_owned(), before: Some(seen.text), base: seen.base, after: after.map(Into::into) })
}

fn impossible(path: &Path, text: String) -> Plan {
    Plan::Impossible(Problem { reads: vec![path.to_owned()], text })
}
