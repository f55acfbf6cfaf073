//! Where the JSON of an answer begins.

use memchr::memmem;

/// What models put around their thoughts.
const THOUGHTS: &[(&str, &str)] = &[
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("<|channel|>analysis", "<|end|>"),
];

/// The answer without a byte order mark and without the thoughts before it.
pub(super) fn without_thoughts(answer: &str) -> &str {
    let mut text = answer.trim_start_matches('\u{FEFF}').trim_start();
    // Some templates open the thought themselves, so that only its end is in the answer.
    let mut changed = true;
    while std::mem::take(&mut changed) {
        for (open, close) in THOUGHTS {
            let inner = text.strip_prefix(open);
            let end = memmem::find(text.as_bytes(), close.as_bytes());
            let is_thought =
                inner.is_some() || end.is_some_and(|end| !text[..end].contains(open) && !is_json(&text[..end]));
            if let (true, Some(end)) = (is_thought, end) {
                text = text[end + close.len()..].trim_start();
                changed = true;
            }
        }
    }
    text
}

/// What begins like JSON is the answer, whatever words its texts have.
fn is_json(text: &str) -> bool {
    text.starts_with(['{', '[', '"', '`'])
}

/// The next bracket, from a byte on. Brackets of code fences' info lines and of prose are tried like any.
pub(super) fn next_start(text: &str, from: usize) -> Option<usize> {
    memchr::memchr2(b'{', b'[', text.as_bytes().get(from..)?).map(|at| from + at)
}

/// Where broken JSON ends.
pub(super) enum BrokenEnd {
    At(usize),
    /// Its end is not there: everything behind its start is part of it.
    Missing,
    /// It is no JSON, but a bracket in a sentence.
    Prose,
}

/// Follows the brackets from `start` on; those in texts do not count.
pub(super) fn end_of_broken(text: &str, start: usize) -> BrokenEnd {
    let bytes = &text.as_bytes()[start..];
    let first = bytes.iter().skip(1).find(|byte| !byte.is_ascii_whitespace());
    if !first.is_some_and(|byte| matches!(byte, b'"' | b'\'' | b'{' | b'[' | b'-' | b'0'..=b'9')) {
        return BrokenEnd::Prose;
    }
    let (mut depth, mut in_text, mut at) = (0_usize, false, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return BrokenEnd::At(start + at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    BrokenEnd::Missing
}
