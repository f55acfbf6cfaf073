//! What stands around the cursor, cut out of the document once for gates, ends and rules.
//!
//! All text in here has `\n` line ends and is bounded, whatever the document's size and the length of its lines.

use finch_text::Document;

use crate::extent::Extent;
use crate::limits::{AFTER_BYTES_MAX, BEFORE_BYTES_MAX};
use crate::syntax::{Language, Token, View};

/// How wide a tab counts when the indentations of two lines are compared.
const TAB_WIDTH: usize = 4;

/// What a file takes for one level of indentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Indent {
    Tabs,
    /// So many.
    Spaces(usize),
}

/// The surroundings of a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The end of the text before the cursor. Its last line is the cursor's.
    before: String,
    /// The start of the text behind the cursor. Its first line is the rest of the cursor's.
    after: String,
    extent: Extent,
    token: Token,
    language: Option<Language>,
}

impl Place {
    pub(crate) fn new(document: &Document, offset: usize) -> Self {
        let start = offset.saturating_sub(BEFORE_BYTES_MAX);
        let mut before = unify_line_ends(&document.slice(start..offset));
        if start > 0
            && let Some(end) = before.find('\n')
        {
            // The first line is cut: half a line must not be taken for a line.
            before.drain(..=end);
        }
        let end = offset.saturating_add(AFTER_BYTES_MAX);
        let mut after = unify_line_ends(&document.slice(offset..end));
        if end < document.len()
            && let Some(start) = after.rfind('\n')
        {
            after.truncate(start);
        }
        let place = Self { before, after, extent: Extent::Block, token: Token::Code, language: None };
        place.seen_by(None, None)
    }

    /// The same place with what its grammar says about it.
    pub(crate) fn seen_by(self, language: Option<Language>, view: Option<&View>) -> Self {
        let token = view.map_or(if self.in_comment() { Token::Comment } else { Token::Code }, View::token);
        let place = Self { token, language, ..self };
        Self { extent: Extent::at(&place, view), ..place }
    }

    /// How much is to be suggested here.
    pub(crate) fn extent(&self) -> Extent {
        self.extent
    }

    /// A statement ends with its line here, whatever the next line begins with.
    pub(crate) fn ends_with_lines(&self) -> bool {
        matches!(self.language, Some(Language::C | Language::Go | Language::Lua | Language::Python))
    }

    pub(crate) fn before(&self) -> &str {
        &self.before
    }

    pub(crate) fn after(&self) -> &str {
        &self.after
    }

    /// The cursor's line up to the cursor.
    pub(crate) fn head(&self) -> &str {
        self.before.rsplit('\n').next().unwrap_or_default()
    }

    /// The cursor's line from the cursor on.
    pub(crate) fn tail(&self) -> &str {
        self.after.split('\n').next().unwrap_or_default()
    }

    /// The lines above the cursor's that are not blank, nearest first.
    pub(crate) fn above(&self) -> impl Iterator<Item = &str> {
        self.before.rsplit('\n').skip(1).filter(|line| !is_blank(line))
    }

    /// The lines below the cursor's that are not blank, nearest first.
    pub(crate) fn below(&self) -> impl Iterator<Item = &str> {
        self.after.split('\n').skip(1).filter(|line| !is_blank(line))
    }

    /// The cursor's line is blank and may have to be indented further: the line above opens a block.
    pub(crate) fn may_indent(&self) -> bool {
        let opened = self.above().next().is_some_and(|above| {
            above.trim_end().ends_with([':', '{', '(', '[']) && indentation(above) >= indentation(self.head())
        });
        is_blank(self.head()) && (self.head().is_empty() || opened)
    }

    /// Whether the lines below the cursor go on with the bracket's block or close it.
    pub(crate) fn is_closed_below(&self, open: OpenBracket) -> bool {
        let inside = self.below().next().is_some_and(|line| indentation(line) > open.indentation);
        inside || self.is_closed_at_once(open)
    }

    /// Whether the next line below the cursor closes the bracket.
    pub(crate) fn is_closed_at_once(&self, open: OpenBracket) -> bool {
        let Some(line) = self.below().next() else { return false };
        indentation(line) == open.indentation && line.trim_start().starts_with(open.closed_by)
    }

    /// Only the rest of the cursor's line may be filled in.
    pub(crate) fn line_goes_on(&self) -> bool {
        !is_blank(self.tail())
    }

    /// What the cursor stands in.
    pub(crate) fn token(&self) -> Token {
        self.token
    }

    /// How the file indents; `None` if nothing in sight tells.
    pub(crate) fn indent(&self) -> Option<Indent> {
        // Lines within a comment are aligned with its start.
        let counts = |line: &&str| !is_blank(line) && !line.trim_start().starts_with('*');
        let lines = || self.before.split('\n').chain(self.after.split('\n').skip(1)).filter(counts);
        let begin = |c: char| lines().filter(|line| line.starts_with(c)).count();
        let (tabs, spaces) = (begin('\t'), begin(' '));
        if tabs > spaces {
            return Some(Indent::Tabs);
        }
        let mut steps = [0_usize; 9];
        for (above, line) in lines().zip(lines().skip(1)) {
            let step = indentation(line).checked_sub(indentation(above));
            // Other steps are alignment.
            if let Some(count) = step.filter(|step| [2, 4, 8].contains(step)).and_then(|step| steps.get_mut(step)) {
                *count += 1;
            }
        }
        let (width, times) =
            steps.iter().enumerate().max_by_key(|&(width, times)| (*times, std::cmp::Reverse(width)))?;
        (*times > 0).then_some(Indent::Spaces(width))
    }

    /// The cursor stands in a comment that takes the whole line.
    pub(crate) fn in_comment(&self) -> bool {
        let head = self.head().trim_start();
        let marked = ["//", "/*", "--", ";;", "<!--", "* "].iter().any(|marker| head.starts_with(marker));
        // Other signs than a space make of a `#` an attribute, a directive or a colour.
        marked || head == "#" || head.starts_with("# ") || head.starts_with("##")
    }
}

pub(crate) fn unify_line_ends(text: &str) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() }
}

pub(crate) fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// The width of a line's leading spaces and tabs.
pub(crate) fn indentation(line: &str) -> usize {
    leading_space(line).chars().map(|c| if c == '\t' { TAB_WIDTH } else { 1 }).sum()
}

pub(crate) fn leading_space(line: &str) -> &str {
    let code = line.trim_start_matches([' ', '\t']);
    &line[..line.len() - code.len()]
}

/// Letters and digits: how much a text says.
pub(crate) fn telling_chars(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

/// The line holds nothing but what closes something.
pub(crate) fn closes_only(line: &str) -> bool {
    let line = line.trim();
    line.starts_with(is_closing_bracket) && line.chars().all(|c| is_closing_bracket(c) || matches!(c, ';' | ','))
}

pub(crate) fn is_closing_bracket(c: char) -> bool {
    matches!(c, ')' | ']' | '}')
}

/// An opening bracket that is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenBracket {
    pub(crate) closed_by: char,
    /// Its offset in the text that was read.
    pub(crate) at: usize,
    /// The indentation of its line.
    pub(crate) indentation: usize,
}

/// Reads brackets without knowing the language: one that does not fit the innermost open one is text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Brackets {
    pub(crate) open: Vec<OpenBracket>,
    read: usize,
    line_indentation: usize,
    in_indentation: Indentation,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Indentation {
    #[default]
    Inside,
    Passed,
}

impl Brackets {
    /// Reads on. `closing` sees each bracket that closes an open one.
    pub(crate) fn read(&mut self, text: &str, mut closing: impl FnMut(OpenBracket, usize)) {
        for c in text.chars() {
            match c {
                '\n' => {
                    self.line_indentation = 0;
                    self.in_indentation = Indentation::Inside;
                }
                ' ' if self.in_indentation == Indentation::Inside => self.line_indentation += 1,
                '\t' if self.in_indentation == Indentation::Inside => self.line_indentation += TAB_WIDTH,
                _ => self.in_indentation = Indentation::Passed,
            }
            let closed_by = match c {
                '(' => Some(')'),
                '[' => Some(']'),
                '{' => Some('}'),
                _ => None,
            };
            if let Some(closed_by) = closed_by {
                self.open.push(OpenBracket { closed_by, at: self.read, indentation: self.line_indentation });
            } else if self.open.last().is_some_and(|open| open.closed_by == c)
                && let Some(open) = self.open.pop()
            {
                closing(open, self.read);
            }
            self.read += c.len_utf8();
        }
    }

    /// The brackets that are open at the end of `text`.
    pub(crate) fn of(text: &str) -> Self {
        let mut brackets = Self::default();
        brackets.read(text, |_, _| {});
        brackets
    }
}

#[cfg(test)]
mod tests;
