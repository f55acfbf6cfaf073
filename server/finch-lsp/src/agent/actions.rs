//! `textDocument/codeAction`: what finch can do with the code at the cursor. No model is asked, and no grammar read.
//!
//! It has to answer in a few milliseconds in a document of any size, on each move of the cursor. So it looks at lines:
//! at those of the cursor, and at a bounded number around them for the function that they are in.

use std::ops::RangeInclusive;
use std::sync::Arc;

use finch_text::{Document, Position};
use serde_json::{Value, json};
use tower_lsp::lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, Command, Diagnostic, DiagnosticSeverity,
};

use super::lenses::paper_actions;
use super::place::folders;
use super::review::lines_of;
use crate::dispatch::Shared;
use crate::limits::{
    ACTION_DIAGNOSTICS_MAX, ACTION_LINE_BYTES_MAX, FUNCTION_BYTES_MAX, FUNCTION_HEAD_LINES_MAX, FUNCTION_LINES_MAX,
};
use crate::path::folder_of;
use crate::session::Session;

/// How lines begin, after blanks and words like `pub`, that hold a function.
const FUNCTION_WORDS: [&str; 7] = ["fn", "def", "func", "function", "fun", "sub", "proc"];
/// What may stand before these.
const BEFORE_FUNCTION: [&str; 14] = [
    "pub",
    "async",
    "const",
    "unsafe",
    "extern",
    "export",
    "default",
    "static",
    "local",
    "private",
    "public",
    "protected",
    "override",
    "inline",
];
const COMMENT_MARKS: [&str; 8] = ["//", "#", "--", "/*", "*", ";", "<!--", "%"];

/// Whether the client can ask the user for text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Box,
    None,
}

/// What can be done at a place.
#[derive(Debug, Clone, PartialEq)]
struct Offer {
    title: String,
    kind: CodeActionKind,
    command: &'static str,
    argument: Value,
    /// What it puts right.
    diagnostic: Option<Diagnostic>,
}

pub(crate) fn code_actions(
    shared: &Arc<Shared>,
    params: CodeActionParams,
) -> impl Future<Output = Vec<CodeActionOrCommand>> + Send + use<> {
    let found = shared.with_session(|session| {
        (
            source_offers(session, &params),
            session.facts.takes_actions,
            is_outside(session, params.text_document.uri.as_str()),
        )
    });
    let (offers, takes_actions, is_outside) = found.unwrap_or_default();
    let line = |line: u32| usize::try_from(line).unwrap_or(usize::MAX);
    let lines = line(params.range.start.line)..=line(params.range.end.line);
    let uri = params.text_document.uri.to_string();
    let on_paper = is_outside.then(|| paper_actions(shared, uri, lines));
    let only = params.context.only;
    async move {
        let papers = match on_paper {
            Some(commands) => commands.await,
            None => Vec::new(),
        };
        let papers = papers.into_iter().map(|command| (CodeActionKind::REFACTOR, command, None));
        let offers = offers.into_iter().map(|offer| {
            let Offer { title, kind, command, argument, diagnostic } = offer;
            (kind, Command { title, command: command.to_owned(), arguments: Some(vec![argument]) }, diagnostic)
        });
        let wanted = |kind: &CodeActionKind| only.as_ref().is_none_or(|only| only.iter().any(|want| holds(want, kind)));
        let put = |(kind, command, diagnostic): (CodeActionKind, Command, Option<Diagnostic>)| match takes_actions {
            true => CodeActionOrCommand::CodeAction(CodeAction {
                title: command.title.clone(),
                kind: Some(kind),
                diagnostics: diagnostic.map(|diagnostic| vec![diagnostic]),
                command: Some(command),
                ..CodeAction::default()
            }),
            false => CodeActionOrCommand::Command(command),
        };
        papers.chain(offers).filter(|(kind, _, _)| wanted(kind)).map(put).collect()
    }
}

/// Plans and reviews lie in no folder that is worked in.
fn is_outside(session: &Session, uri: &str) -> bool {
    folder_of(uri).is_some_and(|path| !folders(session).iter().any(|folder| path.starts_with(folder)))
}

/// Whether one kind of action is the other or a kind of it.
fn holds(want: &CodeActionKind, kind: &CodeActionKind) -> bool {
    let (want, kind) = (want.as_str(), kind.as_str());
    want.is_empty() || kind == want || kind.strip_prefix(want).is_some_and(|rest| rest.starts_with('.'))
}

fn source_offers(session: &Session, params: &CodeActionParams) -> Vec<Offer> {
    let uri = params.text_document.uri.as_str();
    let Ok(snapshot) = session.documents.snapshot(uri) else { return Vec::new() };
    // A document without a place in a folder is nothing to work on.
    if folders(session).is_empty() || is_outside(session, uri) {
        return Vec::new();
    }
    let input = if session.facts.own.ask_user { Input::Box } else { Input::None };
    let document = &snapshot.document;
    let place = |position: tower_lsp::lsp_types::Position| {
        let place = Position { line: position.line, character: position.character };
        document.offset(place, session.facts.encoding)
    };
    let (one, other) = (place(params.range.start), place(params.range.end));
    let selection = one.min(other)..one.max(other);
    let at = At { uri, range: json!(params.range), document, input };
    at.offers(selection, &params.context.diagnostics)
}

/// A place in a document.
struct At<'a> {
    uri: &'a str,
    range: Value,
    document: &'a Document,
    input: Input,
}

impl At<'_> {
    fn offers(&self, selection: std::ops::Range<usize>, diagnostics: &[Diagnostic]) -> Vec<Offer> {
        let line = self.document.line_of(selection.start);
        let mut offers = Vec::new();
        for diagnostic in diagnostics.iter().take(ACTION_DIAGNOSTICS_MAX) {
            offers.extend(self.for_diagnostic(diagnostic));
        }
        let comment = self.comment(line);
        let is_to_do = comment.as_deref().is_some_and(says_to_do);
        // What the rest is about: the selection, else the function around.
        let (range, is_code) = match selection.is_empty() {
            false => (self.range.clone(), true),
            true => match function_around(self.document, line) {
                Some(lines) => (self.lines(&lines), true),
                None => (self.range.clone(), false),
            },
        };
        let here = json!({"uri": self.uri, "range": range});
        if is_to_do {
            let comment = self.lines(&self.comment_lines(line));
            offers.push(action("Plan this task", "finch.plan", json!({"uri": self.uri, "range": comment})));
        } else if is_code {
            offers.push(action("Plan this task", "finch.plan", here.clone()));
        }
        offers.push(action("Explain with finch", "finch.explain", here.clone()));
        if is_code {
            offers.push(action("Write a test", "finch.test", here.clone()));
            offers.push(action("Document", "finch.document", here.clone()));
        }
        match self.input {
            Input::Box => {
                if is_code {
                    offers.push(action("Edit with finch…", "finch.edit", here.clone()));
                }
                offers.push(action("Ask finch…", "finch.ask", here));
            }
            Input::None => {
                if let Some(comment) = comment.filter(|comment| !comment.is_empty()) {
                    let range = self.lines(&self.comment_lines(line));
                    let argument = json!({"uri": self.uri, "range": range, "instruction": comment});
                    offers.push(action("Do what this comment says", "finch.edit", argument));
                }
            }
        }
        offers
    }

    fn for_diagnostic(&self, diagnostic: &Diagnostic) -> [Offer; 2] {
        let Diagnostic { range, message, source, severity, .. } = diagnostic;
        let about = json!({"message": message, "source": source, "range": range});
        let fix = json!({"uri": self.uri, "range": range, "diagnostic": about});
        let kind = match severity {
            Some(DiagnosticSeverity::ERROR) => "error",
            _ => "problem",
        };
        let plan = json!({"uri": self.uri, "range": range, "task": format!("Put this {kind} right: {message}")});
        let put = |title: &str, command, argument| Offer {
            title: title.to_owned(),
            kind: CodeActionKind::QUICKFIX,
            command,
            argument,
            diagnostic: Some(diagnostic.clone()),
        };
        [put("Fix with finch", "finch.fix", fix), put("Plan this task", "finch.plan", plan)]
    }

    /// What a line of comment says, without its mark.
    fn comment(&self, line: usize) -> Option<String> {
        let range = self.document.line_range(line)?;
        let text = self.document.slice(range.start..range.end.min(range.start + ACTION_LINE_BYTES_MAX));
        let text = text.trim();
        let whole = COMMENT_MARKS.iter().find_map(|mark| text.strip_prefix(mark));
        // Behind code only the marks that no operator is.
        let behind = || {
            [" // ", "\t// ", " # ", " /* ", " -- "].iter().find_map(|mark| text.split_once(mark)).map(|(_, said)| said)
        };
        let said = whole.or_else(behind)?;
        let said = said.trim_start_matches(['/', '*', '!', '#', '-', ';', '%']);
        Some(said.trim_end_matches("-->").trim_end_matches("*/").trim().to_owned())
    }

    /// The lines of comment below a first one, which belong to it.
    fn comment_lines(&self, first: usize) -> RangeInclusive<usize> {
        let is_more = |line: &usize| {
            let text = self
                .document
                .line_range(*line)
                .map(|range| self.document.slice(range.start..range.end.min(range.start + ACTION_LINE_BYTES_MAX)));
            text.is_some_and(|text| COMMENT_MARKS.iter().any(|mark| text.trim_start().starts_with(mark)))
                && self.comment(*line).is_some_and(|said| !said.is_empty() && !says_to_do(&said))
        };
        let more = (first + 1..).take(FUNCTION_HEAD_LINES_MAX).take_while(is_more).count();
        first..=first + more
    }

    /// Whole lines as a range of the protocol.
    fn lines(&self, lines: &RangeInclusive<usize>) -> Value {
        let line = |line: usize| u32::try_from(line).unwrap_or(u32::MAX);
        // What is behind the end of a line is its end.
        let end = self.document.line_range(*lines.end()).map_or(0, |range| range.len());
        let (start, end) = ((line(*lines.start()), 0), (line(*lines.end()), line(end)));
        json!({
            "start": {"line": start.0, "character": start.1},
            "end": {"line": end.0, "character": end.1},
        })
    }
}

fn action(title: &str, command: &'static str, argument: Value) -> Offer {
    Offer { title: title.to_owned(), kind: CodeActionKind::REFACTOR, command, argument, diagnostic: None }
}

fn says_to_do(comment: &str) -> bool {
    comment.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| matches!(word, "TODO" | "FIXME"))
}

/// The lines of the function that a line is in, by how lines begin and how far they are indented.
fn function_around(document: &Document, line: usize) -> Option<RangeInclusive<usize>> {
    // One copy of the lines around: looking up each line of a long document by itself takes longer than reading them.
    let first = line.saturating_sub(FUNCTION_HEAD_LINES_MAX);
    let (start, end) = (document.line_start(first), document.line_start(line + 1 + FUNCTION_LINES_MAX));
    if end - start > FUNCTION_BYTES_MAX {
        return None;
    }
    let text = document.slice(start..end);
    let lines: Vec<&str> = lines_of(&text).into_iter().map(str::trim_end).collect();
    let head = function_head(&lines, line - first)?;
    let last = function_end(&lines, head);
    (first + last >= line).then_some(first + head..=first + last)
}

/// The nearest line above that begins a function and stands further left than all between.
fn function_head(lines: &[&str], line: usize) -> Option<usize> {
    let mut indent = usize::MAX;
    let above = lines.get(..=line).unwrap_or(lines);
    above.iter().enumerate().rev().filter(|(_, text)| !text.is_empty()).find_map(|(at, text)| {
        let is_further_left = indented(text) < indent || at == line;
        if is_further_left && begins_function(text) {
            return Some(at);
        }
        // What closes a block stands as far left as what began it.
        if is_further_left && !text.trim_start().starts_with(['}', ')', ']']) {
            indent = indented(text);
        }
        None
    })
}

/// The last line of the function that begins there.
fn function_end(lines: &[&str], head: usize) -> usize {
    let own = indented(lines[head]);
    let ends = |text: &&str| !text.is_empty() && indented(text) <= own && !is_head_rest(text);
    let end = match lines[head + 1..].iter().position(ends) {
        Some(at) if closes(lines[head + 1 + at]) => head + at + 2,
        Some(at) => head + 1 + at,
        None => lines.len(),
    };
    lines[head..end].iter().rposition(|text| !text.is_empty()).map_or(head, |at| head + at)
}

/// A line that goes on with the head of a function: `) -> T {`, `where`, `{`.
fn is_head_rest(line: &str) -> bool {
    let line = line.trim();
    line.starts_with(')') || line == "{" || line.starts_with("where")
}

fn closes(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('}') || line == "end" || line.starts_with("end ") || line.starts_with("end;")
}

fn indented(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn begins_function(line: &str) -> bool {
    let words = line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    let mut words = words.skip_while(|word| BEFORE_FUNCTION.contains(word) || *word == "crate");
    words.next().is_some_and(|word| FUNCTION_WORDS.contains(&word)) && line.contains('(')
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// `$0` is the cursor; the lines of the function around it, from 0.
    #[track_caller]
    fn check_function(text: &str, expected: Option<RangeInclusive<usize>>) {
        let (before, behind) = text.split_once("$0").expect("a cursor");
        let document = Document::new(&format!("{before}{behind}"));
        assert_eq!(function_around(&document, document.line_of(before.len())), expected, "{text}");
    }

    #[test]
    fn the_function_around_a_line_is_found_by_its_lines() {
        check_function(
            "use x;\n\npub(crate) async fn a(\n    b: u8,\n) -> u8 {\n    b$0\n}\n\nfn c() {}\n",
            Some(2..=6),
        );
        check_function(
            "class A:\n    def b(self):\n        if x:\n            y$0\n\n        z\n\n    def c(self):\n        pass\n",
            Some(1..=5),
        );
        check_function("local function a()\n  b$0()\nend\nc()\n", Some(0..=2));
        check_function("fn a() {\n    b();\n}\n\nstruct C {$0\n    d: u8,\n}\n", None);
        check_function("fn a() {\n    b();\n}\n$0\nfn c() {}\n", None);
        check_function("fn a() { b()$0 }\n", Some(0..=0));
        check_function("$0", None);
    }

    fn titles(text: &str, input: Input, diagnostics: &[Diagnostic]) -> Vec<(String, &'static str)> {
        let parts: Vec<&str> = text.split("$0").collect();
        let (start, end) =
            (parts[0].len(), if parts.len() > 2 { parts[0].len() + parts[1].len() } else { parts[0].len() });
        let document = Document::new(&parts.concat());
        let at = At { uri: "file:///w/a.rs", range: json!("here"), document: &document, input };
        at.offers(start..end, diagnostics).into_iter().map(|offer| (offer.title, offer.command)).collect()
    }

    #[track_caller]
    fn check(text: &str, input: Input, expected: &[&str]) {
        let found = titles(text, input, &[]);
        assert_eq!(found.iter().map(|(title, _)| title.as_str()).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn what_is_offered_fits_the_place() {
        check("let a$0 = 1;\n", Input::None, &["Explain with finch"]);
        check("let a$0 = 1;\n", Input::Box, &["Explain with finch", "Ask finch…"]);
        let code = ["Plan this task", "Explain with finch", "Write a test", "Document"];
        check("$0let a = 1;\nlet b = 2;\n$0", Input::None, &code);
        check("fn a() {\n    b$0\n}\n", Input::Box, &[&code[..], &["Edit with finch…", "Ask finch…"]].concat());
        let comment = ["Plan this task", "Explain with finch", "Do what this comment says"];
        check("// TODO: sort$0 them\n", Input::None, &comment);
        check("x = 1  # FIXME(me) to$0o small\n", Input::None, &comment);
        check("// only$0 said\n", Input::None, &comment[1..]);
        check("let a = b - TODO$0;\n", Input::None, &["Explain with finch"]);
    }

    #[test]
    fn a_comment_is_taken_with_the_lines_that_belong_to_it() {
        let document = Document::new("// TODO: sort them\n// by name\n// TODO: and print\nfn a() {}\n");
        let at = At { uri: "file:///w/a.rs", range: json!("here"), document: &document, input: Input::None };
        let offers = at.offers(3..3, &[]);
        let range = json!({"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 10}});
        assert_eq!(offers[0].argument, json!({"uri": "file:///w/a.rs", "range": range}));
        assert_eq!(offers[2].argument["instruction"], "TODO: sort them");
    }

    #[test]
    fn a_diagnostic_can_be_fixed_or_planned() {
        let diagnostic = Diagnostic { message: "mismatched types".to_owned(), ..Diagnostic::default() };
        let found = titles("let a: u8$0 = \"x\";\n", Input::None, std::slice::from_ref(&diagnostic));
        assert_eq!(found[0], ("Fix with finch".to_owned(), "finch.fix"));
        assert_eq!(found[1], ("Plan this task".to_owned(), "finch.plan"));
    }

    #[test]
    fn kinds_hold_their_own() {
        let kind = CodeActionKind::from;
        for (want, has, holds_it) in [
            ("refactor", "refactor", true),
            ("", "quickfix", true),
            ("quick", "quickfix", false),
            ("quickfix", "refactor", false),
        ] {
            assert_eq!(holds(&kind(want.to_owned()), &kind(has.to_owned())), holds_it, "{want} {has}");
        }
    }

    /// Prints how long it takes in the middle of long functions.
    #[test]
    fn a_long_document_takes_no_longer() {
        let body = "    let value = compute(1, 2, 3); // and so on\n".repeat(999);
        let document = Document::new(&format!("fn a() {{\n{body}}}\n").repeat(10));
        let at = At { uri: "file:///w/a.rs", range: json!("here"), document: &document, input: Input::Box };
        let middle = document.line_start(document.line_count() / 2 + 400);
        let began = Instant::now();
        let count = 20;
        (0..count).for_each(|_| assert!(at.offers(middle..middle, &[]).len() > 4));
        println!("codeAction in {} lines: {:.2?} each", document.line_count(), began.elapsed() / count);
    }
}
