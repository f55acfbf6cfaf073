//! Tells the parts of an answer apart while it is still being written: thoughts, text, tool calls.
//!
//! Tags may come in pieces and may never close. What is no call after all is put out as the text it was. A tag counts
//! where the families write it: thoughts at the start of an answer, calls anywhere in the text.

use super::calls::{self, RawCall, Unread};
use crate::chat::dialect::{Dialect, Form, THOUGHTS, Thought};

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Reasoning(String),
    Call(RawCall),
}

/// Splits one answer.
#[derive(Debug)]
pub(crate) struct Splitter {
    state: State,
    /// What is not told apart yet.
    held: String,
    /// How calls are written; none if there is nothing to call.
    dialect: Option<&'static Dialect>,
    /// What has been put out.
    said: Said,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    Text,
    Call,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Everything is text, as it comes.
    Plain,
    /// A block of reasoning may begin.
    Start,
    Thinking(Thought, Begun),
    /// The answer begins with its first letter.
    BehindThought,
    Text,
    /// Behind the opening tag of a call.
    Call,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    No,
    Yes,
}

/// Whether more of the answer may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum More {
    Comes,
    Ends,
}

impl Splitter {
    /// For text that is nothing but text.
    pub(crate) fn plain() -> Self {
        Self { state: State::Plain, held: String::new(), dialect: None, said: Said::Nothing }
    }

    /// For an answer in a conversation. `opened` is the block that the prompt ends in.
    pub(crate) fn new(opened: Option<Thought>, dialect: Option<&'static Dialect>) -> Self {
        let state = opened.map_or(State::Start, |thought| State::Thinking(thought, Begun::No));
        Self { state, dialect, ..Self::plain() }
    }

    /// Whether this control token means something to the parts of an answer.
    pub(crate) fn knows(&self, name: &str) -> bool {
        let is_thought = |thought: &Thought| name == thought.open || name == thought.close;
        let is_call = |dialect: &Dialect| {
            name == dialect.open || name == dialect.close || (dialect.form == Form::List && calls::is_mark(name))
        };
        self.state != State::Plain && (THOUGHTS.iter().any(is_thought) || self.dialect.is_some_and(is_call))
    }

    /// Appends the parts that are certain after this text.
    pub(crate) fn push(&mut self, text: &str, parts: &mut Vec<Part>) {
        self.held.push_str(text);
        self.split(More::Comes, parts);
    }

    /// Appends what was held back.
    pub(crate) fn finish(&mut self, parts: &mut Vec<Part>) {
        self.split(More::Ends, parts);
    }

    fn split(&mut self, more: More, parts: &mut Vec<Part>) {
        // Every step takes something from the front of the text or goes one state on.
        while !self.held.is_empty() || (self.state == State::Call && more == More::Ends) {
            let before = (self.state, self.held.len());
            match self.state {
                State::Plain => self.say(self.held.len(), parts),
                State::Start => self.start(more),
                State::Thinking(thought, begun) => self.think(thought, begun, more, parts),
                State::BehindThought => self.begin_text(more),
                State::Text => self.text(more, parts),
                State::Call => self.call(more, parts),
            }
            if before == (self.state, self.held.len()) {
                return;
            }
        }
    }

    fn start(&mut self, more: More) {
        let trimmed = self.held.trim_start();
        if let Some(thought) = THOUGHTS.into_iter().find(|thought| trimmed.starts_with(thought.open)) {
            let at = self.held.len() - trimmed.len() + thought.open.len();
            self.held.drain(..at);
            self.state = State::Thinking(thought, Begun::No);
        } else if more == More::Ends || !THOUGHTS.iter().any(|thought| thought.open.starts_with(trimmed)) {
            self.state = State::Text;
        }
    }

    fn think(&mut self, thought: Thought, begun: Begun, more: More, parts: &mut Vec<Part>) {
        if begun == Begun::No {
            let at = self.held.len() - self.held.trim_start().len();
            self.held.drain(..at);
            if self.held.is_empty() {
                return;
            }
        }
        let close = self.held.find(thought.close);
        let end = match (close, more) {
            (Some(at), _) => at,
            (None, More::Ends) => self.held.len(),
            (None, More::Comes) => self.held.len() - forming(&self.held, thought.close),
        };
        // Space before the end of a thought is none of it, so it waits for what follows.
        let said = self.held[..end].trim_end();
        if !said.is_empty() {
            parts.push(Part::Reasoning(said.to_owned()));
            self.state = State::Thinking(thought, Begun::Yes);
        }
        let said = said.len();
        match (close, more) {
            (Some(at), _) => {
                self.held.drain(..at + thought.close.len());
                self.state = State::BehindThought;
            }
            (None, More::Ends) => self.held.clear(),
            (None, More::Comes) => drop(self.held.drain(..said)),
        }
    }

    fn begin_text(&mut self, more: More) {
        let at = self.held.len() - self.held.trim_start().len();
        self.held.drain(..at);
        if !self.held.is_empty() || more == More::Ends {
            self.state = State::Text;
        }
    }

    fn text(&mut self, more: More, parts: &mut Vec<Part>) {
        let Some(dialect) = self.dialect else { return self.say(self.held.len(), parts) };
        if dialect.form == Form::Answer && self.said == Said::Nothing && self.held.trim_start().starts_with('{') {
            if more == More::Ends {
                self.take_call("", self.held.len(), "", dialect, parts);
            }
            return;
        }
        if let Some(at) = self.held.find(dialect.open) {
            self.say_before_call(at, parts);
            self.held.drain(..dialect.open.len());
            self.state = State::Call;
            return;
        }
        let end = match more {
            More::Comes => self.held.len() - forming(&self.held, dialect.open),
            More::Ends => self.held.len(),
        };
        // Space around calls is none of the answer, so space at the start waits for what follows.
        let is_space = self.held[..end].trim().is_empty() && self.said != Said::Text;
        match (is_space, more) {
            (true, More::Comes) => {}
            (true, More::Ends) if self.said == Said::Call => self.held.clear(),
            (true, More::Ends) | (false, _) => self.say(end, parts),
        }
    }

    fn call(&mut self, more: More, parts: &mut Vec<Part>) {
        let Some(dialect) = self.dialect else { return self.say(self.held.len(), parts) };
        self.state = State::Text;
        let mut from = 0;
        while !dialect.close.is_empty()
            && let Some(at) = self.held[from..].find(dialect.close).map(|at| from + at)
        {
            match calls::read(&self.held[..at]) {
                // The tag stands inside a text of the arguments.
                Err(Unread::Unfinished) => from = at + dialect.close.len(),
                Ok(_) | Err(Unread::NoCall) => {
                    return self.take_call(dialect.open, at, dialect.close, dialect, parts);
                }
            }
        }
        match more {
            More::Comes => self.state = State::Call,
            More::Ends => self.take_call(dialect.open, self.held.len(), "", dialect, parts),
        }
    }

    /// Takes a call of `len` bytes off the front, or the text that it is instead.
    fn take_call(&mut self, open: &str, len: usize, close: &str, dialect: &Dialect, parts: &mut Vec<Part>) {
        let body: String = self.held.drain(..len).collect();
        self.held.drain(..close.len());
        let read = match dialect.form {
            // The tag may stand before every call of a list.
            Form::List => calls::read(&body.replace(dialect.open, " ")),
            Form::Object | Form::Answer => calls::read(&body),
        };
        match read {
            Ok(calls) => {
                parts.extend(calls.into_iter().map(Part::Call));
                self.said = Said::Call;
            }
            Err(_) => {
                parts.push(Part::Text(format!("{open}{body}{close}")));
                self.said = Said::Text;
            }
        }
    }

    fn say_before_call(&mut self, len: usize, parts: &mut Vec<Part>) {
        if self.held[..len].trim().is_empty() && self.said != Said::Text {
            self.held.drain(..len);
        } else {
            self.say(len, parts);
        }
    }

    fn say(&mut self, len: usize, parts: &mut Vec<Part>) {
        if len > 0 {
            parts.push(Part::Text(self.held.drain(..len).collect()));
            self.said = Said::Text;
        }
    }
}

/// The length of the longest end of `text` that begins `tag`.
fn forming(text: &str, tag: &str) -> usize {
    let longest = text.len().min(tag.len() - 1);
    (1..=longest).rev().find(|&count| text.as_bytes().ends_with(&tag.as_bytes()[..count])).unwrap_or(0)
}

#[cfg(test)]
mod tests;
