//! Text at a cursor from a model that only holds conversations: the question that is put to it, and its answer without
//! what such models add.
//!
//! Pure. They put code into fences, and repeat the line before they go on with it; both is taken off as it streams.

use std::fmt::Write as _;

use super::excerpts;
use crate::{GenerateRequest, InfillRequest, Message, Sampling};

const TASK: &str = "\
You complete code at a cursor, as a person would type it. You get a file with the mark <|cursor|> where the cursor is. \
Answer with nothing but the text that belongs at the mark: no explanation, no code fence, nothing of what already stands \
before or behind it. If nothing belongs there, answer with nothing. Keep it short: the rest of the line, or the few lines \
that finish what is begun.";
const CURSOR: &str = "<|cursor|>";
const FENCE: &str = "```";

/// The conversation that asks for it.
pub(crate) fn question(request: &InfillRequest) -> GenerateRequest {
    let fitted = excerpts::fitted(request);
    let mut user = String::new();
    // Writing to a string cannot fail.
    write!(user, "{}{CURSOR}{}", fitted.prompt, fitted.suffix).ok();
    let messages = vec![Message::System(TASK.to_owned()), Message::User(user)];
    let mut asked = GenerateRequest::new(request.client.clone(), request.lane, messages);
    asked.origin = request.origin.clone();
    // A fence may come first, so the end is found by who shows it.
    asked.sampling = Sampling { stop: Vec::new(), ..request.sampling.clone() };
    asked
}

/// What is taken off an answer as it comes.
#[derive(Debug)]
pub(crate) struct Peeler {
    /// The line before the cursor, as far as it is worth recognising.
    line: String,
    /// What may yet be taken off.
    held: String,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A fence may come.
    Fence,
    /// The line before the cursor may come.
    Line(Form),
    Text(Form),
    /// Behind the closing fence.
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Fenced,
}

impl Peeler {
    pub(crate) fn new(prefix: &str) -> Self {
        let line = prefix.rsplit('\n').next().unwrap_or_default();
        Self { line: line.trim_start().to_owned(), held: String::new(), stage: Stage::Fence }
    }

    /// Takes a piece in and returns what is certain to belong to the answer.
    pub(crate) fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        self.peel_fence();
        self.peel_line();
        match self.stage {
            Stage::Fence | Stage::Line(_) => String::new(),
            Stage::Text(Form::Plain) => std::mem::take(&mut self.held),
            Stage::Text(Form::Fenced) => self.until_fence(),
            Stage::Over => {
                self.held.clear();
                String::new()
            }
        }
    }

    /// What was held back, when nothing more comes.
    pub(crate) fn finish(&mut self) -> String {
        let rest = std::mem::take(&mut self.held);
        match self.stage {
            Stage::Fence if rest.trim_start().starts_with(FENCE) => String::new(),
            Stage::Line(Form::Fenced) | Stage::Text(Form::Fenced) => {
                rest.split(FENCE).next().unwrap_or_default().trim_end_matches(['\n', '`']).to_owned()
            }
            Stage::Fence | Stage::Line(Form::Plain) | Stage::Text(Form::Plain) => rest,
            Stage::Over => String::new(),
        }
    }

    fn peel_fence(&mut self) {
        if self.stage != Stage::Fence {
            return;
        }
        let text = self.held.trim_start_matches('\n');
        if text.starts_with(FENCE) {
            if let Some(end) = text.find('\n') {
                self.held = text[end + 1..].to_owned();
                self.stage = Stage::Line(Form::Fenced);
            }
        } else if !FENCE.starts_with(text) {
            self.stage = Stage::Line(Form::Plain);
        }
    }

    fn peel_line(&mut self) {
        let Stage::Line(form) = self.stage else { return };
        let start = self.held.trim_start();
        // A short line says nothing: an answer may well begin like it.
        let is_telling = self.line.chars().count() >= LINE_CHARS_MIN;
        if let Some(rest) = start.strip_prefix(self.line.as_str()).filter(|_| is_telling) {
            self.held = rest.to_owned();
        } else if is_telling && self.line.starts_with(start) {
            return;
        }
        self.stage = Stage::Text(form);
    }

    /// All up to a closing fence, but for what may be the beginning of one.
    fn until_fence(&mut self) -> String {
        if let Some(end) = self.held.find("\n```") {
            self.stage = Stage::Over;
            self.held.truncate(end);
            return std::mem::take(&mut self.held);
        }
        let tail = ["\n```", "\n``", "\n`", "\n"].iter().find(|tail| self.held.ends_with(**tail));
        let certain = self.held.len() - tail.map_or(0, |tail| tail.len());
        let rest = self.held.split_off(certain);
        std::mem::replace(&mut self.held, rest)
    }
}

/// A line before the cursor that is shorter is not looked for.
const LINE_CHARS_MIN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, however the answer is cut into pieces.
    #[track_caller]
    fn check(prefix: &str, answer: &str, expected: &str) {
        for size in 1..=answer.len().max(1) {
            let mut peeler = Peeler::new(prefix);
            let mut found = String::new();
            for piece in answer.as_bytes().chunks(size) {
                found.push_str(&peeler.push(std::str::from_utf8(piece).unwrap()));
            }
            found.push_str(&peeler.finish());
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_plain_answer_stays_as_it_is() {
        check("let a = ", "1;", "1;");
        check("fn f() {\n", "    g();\n    h();\n", "    g();\n    h();\n");
        check("", "", "");
        check("x = ", "`template`", "`template`");
    }

    #[test]
    fn fences_are_taken_off() {
        check("let a = ", "```rust\n1;\n```", "1;");
        check("let a = ", "```\n1;\n```\nThis sets a.", "1;");
        check("a\n", "```py\nf()\n\ng()\n```", "f()\n\ng()");
        check("a\n", "```py\nf()", "f()");
        check("a\n", "```", "");
    }

    #[test]
    fn a_line_that_is_repeated_is_taken_off() {
        check("    let total = ", "let total = a + b;", "a + b;");
        check("    let total = ", "```rust\nlet total = a + b;\n```", "a + b;");
        check("    let total = ", "let it be", "let it be");
        check("if ", "if a", "if a");
    }

    #[test]
    fn the_question_marks_the_cursor_and_asks_for_nothing_twice() {
        let request = InfillRequest {
            client: crate::ClientId::new("c"),
            origin: crate::Origin::default(),
            lane: crate::Lane::Interactive,
            prefix: "f(".to_owned(),
            suffix: ")".to_owned(),
            context: crate::InfillContext::default(),
            prompt_tokens_max: 100,
            references: Vec::new(),
            sampling: Sampling { stop: vec!["\n".to_owned()], ..Sampling::default() },
        };
        let asked = question(&request);
        assert_eq!(asked.messages[1], Message::User("f(<|cursor|>)".to_owned()));
        assert_eq!((asked.sampling.stop.len(), asked.messages.len()), (0, 2));
    }
}
