//! `Grep`: the lines that fit a regular expression, in files as the editor has them.

mod sink;

use std::{
    collections::BTreeSet,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use finch_llm::ToolSpec;
use globset::GlobMatcher;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::sink::{Lines, Results, Stoppable};
use super::walk::{self, Patience, StopOnDrop};
use crate::{
    Access, BadCall, Outcome, Permit, Tool, ToolContext,
    limits::{
        GREP_CONTEXT_MAX, GREP_FILE_BYTES_MAX, GREP_LINE_BYTES_MAX, GREP_MATCHES_MAX, GREP_SMALL_BYTES_MAX,
        PATTERN_BYTES_MAX, PATTERN_SIZE_MAX,
    },
    tool::{self, Call},
    view::{Content, disk},
};

/// The tool.
#[derive(Debug, Clone, Copy, Default)]
pub struct Grep;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    pattern: String,
    path: Option<String>,
    glob: Option<String>,
    ignore_case: Option<bool>,
    context: Option<usize>,
}

/// What is looked for, and where.
struct Search {
    root: PathBuf,
    matcher: RegexMatcher,
    glob: Option<GlobMatcher>,
    context_lines: usize,
}

impl Tool for Grep {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "Grep".to_owned(),
            description: format!(
                "Searches files for lines that a regular expression (Rust syntax, no look-around) fits. What git \
                 ignores is left out, links are not followed, binary files too. Gives FILE:LINE:TEXT, and FILE-LINE-TEXT \
                 for lines around; up to {GREP_MATCHES_MAX} matches."
            ),
            parameters: json!({
                "type": "object",
                "properties": {
                    "pattern": {"type": "string", "description": "The regular expression"},
                    "path": {"type": "string", "description": "The folder or file to search, from the workspace folder; that one if left out"},
                    "glob": {"type": "string", "description": "Only files whose paths this glob fits, such as *.rs"},
                    "ignore_case": {"type": "boolean", "description": "Take a and A for the same"},
                    "context": {"type": "integer", "minimum": 0, "maximum": GREP_CONTEXT_MAX, "description": "Lines to show around each match"}
                },
                "required": ["pattern"],
                "additionalProperties": false
            }),
        }
    }

    fn access(&self, arguments: &Map<String, Value>, context: &ToolContext) -> Result<Vec<Access>, BadCall> {
        Ok(vec![Access::Read { path: Search::read(arguments, context)?.root }])
    }

    fn call<'a>(&'a self, permit: Permit, arguments: Map<String, Value>, context: &'a ToolContext) -> Call<'a> {
        let context = context.clone();
        Box::pin(async move {
            let dropped = StopOnDrop::default();
            let patience = Patience::new(dropped.flag());
            tool::blocking(move || match Search::read(&arguments, &context) {
                Ok(search) => search.run(&permit, &context, &patience),
                Err(bad) => Outcome::failed(bad.0),
            })
            .await
        })
    }
}

impl Search {
    fn read(arguments: &Map<String, Value>, context: &ToolContext) -> Result<Self, BadCall> {
        let arguments: Arguments = tool::read(arguments)?;
        if arguments.pattern.len() > PATTERN_BYTES_MAX {
            return Err(BadCall(format!("the pattern is longer than {PATTERN_BYTES_MAX} bytes")));
        }
        let matcher = RegexMatcherBuilder::new()
            .case_insensitive(arguments.ignore_case == Some(true))
            .multi_line(true)
            .line_terminator(Some(b'\n'))
            .size_limit(PATTERN_SIZE_MAX)
            // `$` stands before `\r\n` too.
            .build(&format!("(?R){}", arguments.pattern))
            .map_err(|error| BadCall(format!("the pattern is no regular expression for one line: {error}")))?;
        Ok(Self {
            root: context.resolve(arguments.path.as_deref().unwrap_or("."))?,
            matcher,
            glob: arguments.glob.as_deref().map(walk::glob).transpose()?,
            context_lines: arguments.context.unwrap_or(0).min(GREP_CONTEXT_MAX),
        })
    }

    fn run(&self, permit: &Permit, context: &ToolContext, patience: &Patience) -> Outcome {
        if !permit.covers(&Access::Read { path: self.root.clone() }) {
            return Outcome::not_permitted();
        }
        if self.root.symlink_metadata().is_err() && context.view.overlaid().iter().all(|path| *path != self.root) {
            return Outcome::failed(format!("{} does not exist", context.name(&self.root)));
        }
        let overlaid: BTreeSet<PathBuf> = context.view.overlaid().into_iter().collect();
        let results = Results::default();
        let cut = walk::files(&self.root, context, patience, || {
            let (mut searcher, mut buffer) = (self.searcher(), vec![0; GREP_SMALL_BYTES_MAX]);
            let (overlaid, results) = (&overlaid, &results);
            move |path: &Path| {
                let below = path.strip_prefix(&self.root).unwrap_or(path);
                let below = if below.as_os_str().is_empty() { path } else { below };
                if self.glob.as_ref().is_some_and(|glob| !glob.is_match(below)) {
                    return;
                }
                let mut lines = Lines::new(path, context, patience, results);
                let searched = if overlaid.contains(path) {
                    self.search_seen(path, context, &mut searcher, &mut lines)
                } else {
                    self.search_disk(path, patience, (&mut searcher, &mut buffer), &mut lines)
                };
                match searched {
                    Ok(()) => results.add(path, lines, patience),
                    Err(error) => results.skip(path, &error),
                }
            }
        });
        results.into_outcome(cut, context)
    }

    fn search_seen(
        &self,
        path: &Path,
        context: &ToolContext,
        searcher: &mut Searcher,
        lines: &mut Lines<'_>,
    ) -> io::Result<()> {
        match context.view.look(path)? {
            Content::Text(seen) => searcher.search_slice(&self.matcher, seen.text.as_bytes(), lines),
            _ => Ok(()),
        }
    }

    fn search_disk(
        &self,
        path: &Path,
        patience: &Patience,
        (searcher, buffer): (&mut Searcher, &mut [u8]),
        lines: &mut Lines<'_>,
    ) -> io::Result<()> {
        match disk::open(path)? {
            // Most files: one read, and nothing is moved about. Files of the system say that they are empty.
            disk::Opened::File { mut file, bytes } if (1..=buffer.len() as u64).contains(&bytes) => {
                let read = file.read(buffer)?;
                let begun = &buffer[..read];
                if read as u64 == bytes {
                    return searcher.search_slice(&self.matcher, begun, lines);
                }
                searcher.search_reader(&self.matcher, begun.chain(Stoppable::new(file, patience)), lines)
            }
            disk::Opened::File { bytes, .. } if bytes > GREP_FILE_BYTES_MAX => {
                Err(io::Error::other(format!("it has {bytes} bytes")))
            }
            disk::Opened::File { file, .. } => {
                searcher.search_reader(&self.matcher, Stoppable::new(file, patience), lines)
            }
            disk::Opened::Nothing | disk::Opened::Folder | disk::Opened::Special => Ok(()),
        }
    }

    fn searcher(&self) -> Searcher {
        SearcherBuilder::new()
            .binary_detection(BinaryDetection::quit(0))
            .heap_limit(Some(GREP_LINE_BYTES_MAX))
            .before_context(self.context_lines)
            .after_context(self.context_lines)
            .build()
    }
}
