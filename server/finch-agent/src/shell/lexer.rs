//! Reads the small part of bash in which every word is a literal, and refuses all else.
//!
//! It knows no more than it must: where bash has a rule with exceptions, this refuses the whole case.

use std::iter::Peekable;
use std::str::Chars;

use super::NotPlain;

/// Words that bash takes as its own where a command begins.
const RESERVED: &[&str] = &[
    "!", "[[", "]]", "{", "}", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if",
    "in", "select", "then", "time", "until", "while",
];

/// The words of each command.
pub(super) fn commands(text: &str) -> Result<Vec<Vec<String>>, NotPlain> {
    let mut lexer = Lexer { rest: text.chars().peekable(), commands: Vec::new(), words: Vec::new(), joined: false };
    lexer.all()?;
    Ok(lexer.commands)
}

struct Lexer<'a> {
    rest: Peekable<Chars<'a>>,
    commands: Vec<Vec<String>>,
    words: Vec<String>,
    /// The last thing read was an operator that wants another command.
    joined: bool,
}

impl Lexer<'_> {
    fn all(&mut self) -> Result<(), NotPlain> {
        while let Some(&c) = self.rest.peek() {
            match c {
                ' ' | '\t' => self.skip(),
                '\n' => self.end_of_line()?,
                ';' => self.semicolon()?,
                '&' => self.ampersand()?,
                '|' => self.pipe()?,
                '>' => self.redirect()?,
                '<' => return Err(NotPlain::Redirect),
                '(' | ')' => return Err(NotPlain::Compound),
                '#' => return Err(NotPlain::Comment),
                _ => self.word()?,
            }
        }
        self.end_of_line()
    }

    fn skip(&mut self) {
        self.rest.next();
    }

    fn end_of_line(&mut self) -> Result<(), NotPlain> {
        self.skip();
        if self.words.is_empty() {
            // A line that ends in `&&` goes on in the next one: rare, and refused.
            return if self.joined { Err(NotPlain::Unreadable) } else { Ok(()) };
        }
        self.finish();
        Ok(())
    }

    fn semicolon(&mut self) -> Result<(), NotPlain> {
        self.skip();
        if self.words.is_empty() {
            return Err(NotPlain::Unreadable);
        }
        self.finish();
        Ok(())
    }

    fn ampersand(&mut self) -> Result<(), NotPlain> {
        self.skip();
        match self.rest.peek() {
            Some('&') => self.join(),
            Some('>') => self.redirect(),
            _ => Err(NotPlain::Background),
        }
    }

    fn pipe(&mut self) -> Result<(), NotPlain> {
        self.skip();
        match self.rest.peek() {
            Some('|') => self.join(),
            Some('&') => Err(NotPlain::Redirect),
            _ if self.words.is_empty() => Err(NotPlain::Unreadable),
            _ => {
                self.finish();
                self.joined = true;
                Ok(())
            }
        }
    }

    fn join(&mut self) -> Result<(), NotPlain> {
        self.skip();
        if self.words.is_empty() {
            return Err(NotPlain::Unreadable);
        }
        self.finish();
        self.joined = true;
        Ok(())
    }

    fn finish(&mut self) {
        self.joined = false;
        self.commands.push(std::mem::take(&mut self.words));
    }

    /// Only what loses output or joins it: `>/dev/null`, `2>&1`.
    fn redirect(&mut self) -> Result<(), NotPlain> {
        self.skip();
        if self.words.is_empty() {
            return Err(NotPlain::Redirect);
        }
        let is_copy = self.rest.next_if_eq(&'&').is_some();
        while !is_copy && self.rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        let mut target = String::new();
        while let Some(c) = self.rest.next_if(|c| !matches!(c, ' ' | '\t' | '\n' | ';' | '&' | '|')) {
            target.push(c);
        }
        match (is_copy, target.as_str()) {
            (true, "1" | "2") | (false, "/dev/null") => Ok(()),
            _ => Err(NotPlain::Redirect),
        }
    }

    fn word(&mut self) -> Result<(), NotPlain> {
        let mut value = String::new();
        let mut is_quoted = false;
        while let Some(&c) = self.rest.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' => self.single(&mut value)?,
                '"' => self.double(&mut value)?,
                '\\' => self.escaped(&mut value)?,
                '$' | '`' => return Err(NotPlain::Expansion),
                '*' | '?' | '[' | ']' | '{' | '}' => return Err(NotPlain::Glob),
                '~' if value.is_empty() || value.ends_with(['=', ':']) => return Err(NotPlain::Expansion),
                _ => {
                    value.push(c);
                    self.skip();
                    continue;
                }
            }
            is_quoted = true;
        }
        let is_descriptor = !is_quoted && self.rest.peek() == Some(&'>') && value.chars().all(|c| c.is_ascii_digit());
        if is_descriptor {
            return if matches!(value.as_str(), "1" | "2") { self.redirect() } else { Err(NotPlain::Redirect) };
        }
        self.take(value, is_quoted)
    }

    fn take(&mut self, value: String, is_quoted: bool) -> Result<(), NotPlain> {
        if self.words.is_empty() {
            if value.contains('=') {
                return Err(NotPlain::Assignment);
            }
            if !is_quoted && RESERVED.contains(&value.as_str()) {
                return Err(NotPlain::Compound);
            }
        }
        self.words.push(value);
        Ok(())
    }

    fn single(&mut self, value: &mut String) -> Result<(), NotPlain> {
        self.skip();
        loop {
            match self.rest.next() {
                Some('\'') => return Ok(()),
                Some(c) => value.push(c),
                None => return Err(NotPlain::Unreadable),
            }
        }
    }

    fn double(&mut self, value: &mut String) -> Result<(), NotPlain> {
        self.skip();
        loop {
            match self.rest.next() {
                Some('"') => return Ok(()),
                Some('$' | '`') => return Err(NotPlain::Expansion),
                Some('\\') => match self.rest.next() {
                    Some(c @ ('\\' | '"' | '$' | '`')) => value.push(c),
                    Some('\n') | None => return Err(NotPlain::Unreadable),
                    Some(c) => value.extend(['\\', c]),
                },
                Some(c) => value.push(c),
                None => return Err(NotPlain::Unreadable),
            }
        }
    }

    fn escaped(&mut self, value: &mut String) -> Result<(), NotPlain> {
        self.skip();
        match self.rest.next() {
            Some('\n') | None => Err(NotPlain::Unreadable),
            Some(c) => {
                value.push(c);
                Ok(())
            }
        }
    }
}
