//! `Diagnostics`: what the editor reports about files, after an edit as a rule.

use std::{
    collections::BTreeSet,
    fmt,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
};

use finch_llm::ToolSpec;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::lines::cut;
use crate::{
    Access, BadCall, Outcome, Permit, Tool, ToolContext, escape,
    limits::{DIAGNOSTICS_MAX, DIAGNOSTICS_WAIT, LINE_CHARS_MAX},
    tool::{self, Call},
};

/// How bad it is; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
    Information,
    Hint,
}

/// One thing that the editor reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Canonical.
    pub path: PathBuf,
    /// Counted from 1, the column in characters.
    pub line: usize,
    pub column: usize,
    pub severity: Severity,
    pub message: String,
    /// Who says so, such as `rustc`.
    pub source: Option<String>,
}

/// Diagnostics on their way.
pub type Reported<'a> = Pin<Box<dyn Future<Output = Result<Vec<Diagnostic>, String>> + Send + 'a>>;

/// An editor that reports.
pub trait Reports: Send + Sync + 'static {
    /// What is reported about a file, or about all below a folder, once it has caught up with the newest edits.
    fn diagnostics<'a>(&'a self, path: &'a Path) -> Reported<'a>;
}

/// The tool.
pub struct Diagnostics {
    reports: Arc<dyn Reports>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    path: Option<String>,
}

impl Diagnostics {
    #[must_use]
    pub fn new(reports: Arc<dyn Reports>) -> Self {
        Self { reports }
    }

    async fn report(&self, permit: Permit, arguments: &Map<String, Value>, context: &ToolContext) -> Outcome {
        let path = match path(arguments, context) {
            Ok(path) => path,
            Err(bad) => return Outcome::failed(bad.0),
        };
        if !permit.covers(&Access::Read { path: path.clone() }) {
            return Outcome::not_permitted();
        }
        match tokio::time::timeout(DIAGNOSTICS_WAIT, self.reports.diagnostics(&path)).await {
            Ok(Ok(found)) => {
                let files: BTreeSet<PathBuf> = found.iter().map(|one| one.path.clone()).collect();
                Outcome::done(in_words(found, &path, context)).of(files)
            }
            Ok(Err(why)) => Outcome::failed(format!("the editor reports nothing: {why}")),
            Err(_) => Outcome::failed(format!("the editor did not answer within {} s", DIAGNOSTICS_WAIT.as_secs())),
        }
    }
}

impl Tool for Diagnostics {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "Diagnostics".to_owned(),
            description: "Gives the errors and warnings that the editor shows, as FILE:LINE:COLUMN: KIND: MESSAGE."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "path": {"type": "string", "description": "A file or a folder, from the workspace folder; that one if left out"}
                },
                "additionalProperties": false
            }),
        }
    }

    fn access(&self, arguments: &Map<String, Value>, context: &ToolContext) -> Result<Vec<Access>, BadCall> {
        Ok(vec![Access::Read { path: path(arguments, context)? }])
    }

    fn call<'a>(&'a self, permit: Permit, arguments: Map<String, Value>, context: &'a ToolContext) -> Call<'a> {
        Box::pin(async move { self.report(permit, &arguments, context).await })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Information => "information",
            Self::Hint => "hint",
        })
    }
}

fn path(arguments: &Map<String, Value>, context: &ToolContext) -> Result<PathBuf, BadCall> {
    let arguments: Arguments = tool::read(arguments)?;
    context.resolve(arguments.path.as_deref().unwrap_or("."))
}

/// What was permitted of it, the worst first.
fn in_words(mut found: Vec<Diagnostic>, below: &Path, context: &ToolContext) -> String {
    found.retain(|one| one.path.starts_with(below) && !(context.leave_out)(&one.path));
    found.sort_by(|a, b| (a.severity, &a.path, a.line, a.column).cmp(&(b.severity, &b.path, b.line, b.column)));
    let mut text: String = found
        .iter()
        .take(DIAGNOSTICS_MAX)
        .map(|Diagnostic { path, line, column, severity, message, source }| {
            let source = source.as_ref().map_or(String::new(), |source| format!(" [{}]", escape::text(source)));
            let message = message.replace(['\n', '\r'], " ");
            let message = cut(&escape::text(&message), LINE_CHARS_MAX);
            format!("{}:{line}:{column}: {severity}: {message}{source}\n", context.name(path))
        })
        .collect();
    if found.is_empty() {
        text.push_str("The editor reports nothing.\n");
    }
    if found.len() > DIAGNOSTICS_MAX {
        text.push_str(&format!("({DIAGNOSTICS_MAX} of {}; name a file to see its own)\n", found.len()));
    }
    text
}
