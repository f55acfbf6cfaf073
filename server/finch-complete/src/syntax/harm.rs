//! How much of a suggestion can be put in without breaking what parses.
//!
//! A document is broken most of the time while somebody types in it. So errors with and without the suggestion are
//! compared: where there are none, none may come; where there are some, there may not be more. Brackets that were
//! open before the cursor are no fault of the suggestion.

use std::cell::OnceCell;

use super::Syntax;
use crate::limits::TRIMS_MAX;
use crate::place::{Brackets, is_blank};

impl Syntax {
    /// The longest start of the suggestion, in whole lines, that harms nothing at the offset.
    #[must_use]
    pub fn harmless<'a>(&self, offset: usize, suggestion: &'a str) -> Option<&'a str> {
        let scale = Scale::new(self, offset);
        let mut kept = suggestion;
        for _ in 0..TRIMS_MAX {
            if scale.bears(kept) {
                return Some(kept);
            }
            kept = kept[..kept.rfind('\n')?].trim_end();
            if is_blank(kept) {
                return None;
            }
        }
        None
    }
}

/// What a suggestion is weighed against.
struct Scale<'a> {
    syntax: &'a Syntax,
    offset: usize,
    /// The errors without it.
    errors: usize,
    /// The errors without it, when what is open at the cursor is closed there.
    errors_closed: OnceCell<Option<usize>>,
    /// The brackets that are open at the cursor.
    brackets: Brackets,
    text: OpenText,
}

/// A string or a comment that is open at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OpenText {
    None,
    /// A string that has to end on its line.
    Quoted(char),
    /// It may go on over lines.
    Long,
}

impl<'a> Scale<'a> {
    fn new(syntax: &'a Syntax, offset: usize) -> Self {
        let errors = syntax.errors(0..syntax.text().len());
        let before = syntax.text().get(..offset).unwrap_or_default();
        let text = if errors > 0 { OpenText::at_end(before) } else { OpenText::None };
        Self { syntax, offset, errors, errors_closed: OnceCell::new(), brackets: Brackets::of(before), text }
    }

    fn bears(&self, text: &str) -> bool {
        let no_more = |errors: Option<usize>, than: usize| errors.is_some_and(|errors| errors <= than);
        if no_more(self.errors_with(text), self.errors) {
            return true;
        }
        // What is left open spoils the count of all that follows it: both are weighed with it closed.
        let closed = || *self.errors_closed.get_or_init(|| self.errors_with(&self.closers("")));
        let closed_with = || self.errors_with(&(text.to_owned() + &self.closers(text)));
        self.errors > 0
            && (self.text == OpenText::Long || closed().is_some_and(|errors| no_more(closed_with(), errors)))
    }

    fn errors_with(&self, text: &str) -> Option<usize> {
        let with = self.syntax.inserted(self.offset, text)?;
        Some(with.errors(0..with.text().len()))
    }

    /// What closes those brackets that were open before the cursor and that the text leaves open.
    fn closers(&self, text: &str) -> String {
        let mut brackets = self.brackets.clone();
        brackets.read(text, |_, _| {});
        let open = brackets.open.iter().rev().filter(|open| open.at < self.offset);
        let quote = match self.text {
            OpenText::Quoted(quote) if !text.contains(quote) => Some(quote),
            _ => None,
        };
        quote.into_iter().chain(open.map(|open| open.closed_by)).collect()
    }
}

impl OpenText {
    fn at_end(before: &str) -> Self {
        let in_comment = before.rfind("/*").is_some_and(|open| !before[open..].contains("*/"));
        let in_string = ["\"\"\"", "'''", "`"].iter().any(|quotes| before.matches(quotes).count() % 2 == 1);
        if in_comment || in_string {
            return Self::Long;
        }
        let line = before.rsplit('\n').next().unwrap_or_default();
        let mut open = None;
        let mut escaped = false;
        for c in line.chars() {
            match open {
                _ if escaped => escaped = false,
                Some(_) if c == '\\' => escaped = true,
                Some(quote) if c == quote => open = None,
                None if matches!(c, '"' | '\'') => open = Some(c),
                _ => {}
            }
        }
        open.map_or(Self::None, Self::Quoted)
    }
}

#[cfg(test)]
mod tests;
