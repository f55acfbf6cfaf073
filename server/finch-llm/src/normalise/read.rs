//! JSON as models write it: strict JSON, and the common ways to miss it.
//!
//! Mended are trailing commas, comments, single quotes, names without quotes, line ends within texts, escapes that are
//! none, Python's words, and numbers that are none (they become null). A value whose end is missing is cut off.

use serde_json::{Map, Number, Value};

use super::NormaliseError;
use crate::limits::ANSWER_DEPTH_MAX;

/// The value at `start`, and where it ends.
pub(super) fn value(text: &str, start: usize) -> Result<(Value, usize), NormaliseError> {
    let mut reader = Reader { text, at: start };
    let value = reader.value(0)?;
    Ok((value, reader.at))
}

/// A whole text that is one word, one number or one text in quotes.
pub(super) fn scalar(text: &str) -> Option<Value> {
    let mut reader = Reader { text, at: 0 };
    match reader.value(0) {
        Ok(value) if reader.at == text.len() => Some(value),
        Ok(_) | Err(_) => None,
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn broken<T>(&self, problem: &'static str) -> Result<T, NormaliseError> {
        Err(if self.at >= self.text.len() {
            NormaliseError::CutOff
        } else {
            NormaliseError::Broken { at: self.at, problem }
        })
    }

    fn skip_space(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            let space = rest.len() - rest.trim_start().len();
            self.at += space;
            let rest = &rest[space..];
            let comment = if rest.starts_with("//") {
                rest.find('\n')
            } else if rest.starts_with("/*") {
                rest.find("*/").map(|end| end + 2)
            } else {
                return;
            };
            self.at = comment.map_or(self.text.len(), |end| self.at + end);
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, NormaliseError> {
        if depth > ANSWER_DEPTH_MAX {
            return self.broken("it is nested too deep");
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"' | b'\'') => self.string().map(Value::String),
            Some(b'0'..=b'9' | b'-' | b'+' | b'.') => self.number(),
            Some(_) => self.word(),
            None => Err(NormaliseError::CutOff),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, NormaliseError> {
        let mut members = Map::new();
        self.at += 1;
        loop {
            self.skip_space();
            match self.peek() {
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(members));
                }
                Some(b',') if !members.is_empty() => self.at += 1,
                Some(_) => {
                    let name = self.name()?;
                    self.skip_space();
                    if self.peek() != Some(b':') {
                        return self.broken("a colon is missing behind a name");
                    }
                    self.at += 1;
                    let value = self.value(depth + 1)?;
                    members.insert(name, value);
                    self.separator(b'}')?;
                }
                None => return Err(NormaliseError::CutOff),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, NormaliseError> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.skip_space();
            match self.peek() {
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                Some(b',') if !items.is_empty() => self.at += 1,
                Some(_) => {
                    items.push(self.value(depth + 1)?);
                    self.separator(b']')?;
                }
                None => return Err(NormaliseError::CutOff),
            }
        }
    }

    /// Between two values stands a comma, unless the last one was the last.
    fn separator(&mut self, close: u8) -> Result<(), NormaliseError> {
        self.skip_space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(())
            }
            Some(byte) if byte == close => Ok(()),
            _ => self.broken("a comma or the closing bracket is missing"),
        }
    }

    fn name(&mut self) -> Result<String, NormaliseError> {
        if matches!(self.peek(), Some(b'"' | b'\'')) {
            return self.string();
        }
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '$')).unwrap_or(rest.len());
        if end == 0 {
            return self.broken("a name is missing");
        }
        self.at += end;
        Ok(rest[..end].to_owned())
    }

    fn string(&mut self) -> Result<String, NormaliseError> {
        let quote = self.text.as_bytes()[self.at];
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let Some(plain) = memchr::memchr2(quote, b'\\', rest) else {
                self.at = self.text.len();
                return Err(NormaliseError::CutOff);
            };
            // Line ends and other control characters are taken as they stand.
            out.push_str(&self.text[self.at..self.at + plain]);
            self.at += plain + 1;
            if rest[plain] == quote {
                return Ok(out);
            }
            self.escape(&mut out)?;
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self, out: &mut String) -> Result<(), NormaliseError> {
        let Some(c) = self.text[self.at..].chars().next() else { return Err(NormaliseError::CutOff) };
        self.at += c.len_utf8();
        match c {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{C}'),
            '"' | '\\' | '/' | '\'' => out.push(c),
            'u' => self.unicode(out)?,
            // The end of a line within a text of several lines.
            '\n' => {}
            // A path or a pattern that was not escaped.
            other => out.extend(['\\', other]),
        }
        Ok(())
    }

    fn unicode(&mut self, out: &mut String) -> Result<(), NormaliseError> {
        let first = self.hex()?;
        let is_high = (0xD800..0xDC00).contains(&first);
        if is_high && self.text[self.at..].starts_with("\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                return Ok(());
            }
            self.at = back;
        }
        out.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, NormaliseError> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            if self.at + 4 > self.text.len() {
                return Err(NormaliseError::CutOff);
            }
            return self.broken("\\u is not followed by four hexadecimal digits");
        };
        self.at += 4;
        Ok(code)
    }

    fn number(&mut self) -> Result<Value, NormaliseError> {
        let rest = &self.text[self.at..];
        let end =
            rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '+' | '-' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let word = &rest[..end];
        if let "-" | "+" = word
            && rest[end..].starts_with("Infinity")
        {
            self.at += end + "Infinity".len();
            return Ok(Value::Null);
        }
        if let Ok(number) = serde_json::from_str::<Number>(word) {
            self.at += end;
            return Ok(Value::Number(number));
        }
        match word.parse::<f64>().ok().and_then(Number::from_f64) {
            Some(number) => {
                self.at += end;
                Ok(Value::Number(number))
            }
            None => self.broken("a number is written wrong"),
        }
    }

    fn word(&mut self) -> Result<Value, NormaliseError> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let value = match &rest[..end] {
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            "null" | "None" | "NULL" | "undefined" | "NaN" | "nan" | "Infinity" => Value::Null,
            _ => return self.broken("a value is missing or has no quotes"),
        };
        self.at += end;
        Ok(value)
    }
}
