//! Lines of a file as the model reads them.

use crate::limits::LINE_CHARS_MAX;

/// `line` cut at a character, with a word on what is missing.
pub(crate) fn cut(line: &str, chars_max: usize) -> String {
    match line.char_indices().nth(chars_max) {
        None => line.to_owned(),
        Some((at, _)) => format!("{}… ({} more characters)", &line[..at], line[at..].chars().count()),
    }
}

/// Numbered lines from `first`, counted from 0, as far as `bytes_max` goes, and how many they are.
pub(crate) fn numbered<'a>(lines: impl Iterator<Item = &'a str>, first: usize, bytes_max: usize) -> (String, usize) {
    let (mut text, mut count) = (String::new(), 0);
    for line in lines {
        let shown = format!("{:>6}\t{}\n", first + count + 1, cut(without_end(line), LINE_CHARS_MAX));
        if text.len() + shown.len() > bytes_max && count > 0 {
            break;
        }
        text.push_str(&shown);
        count += 1;
    }
    (text, count)
}

/// A line without its line end.
pub(crate) fn without_end(line: &str) -> &str {
    line.strip_suffix("\r\n").or_else(|| line.strip_suffix(['\n', '\r'])).unwrap_or(line)
}

/// How the lines of `text` end: as its first one does.
pub(crate) fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if at > 0 && text.as_bytes()[at - 1] == b'\r' => "\r\n",
        _ => "\n",
    }
}
