//! Text that looks like a key, a token or a password: a model that says one has read it somewhere.
//!
//! Judged by the marks that issuers put before their keys, by the name that a value is given to, and by how random
//! a long text looks. What is plainly a placeholder is no secret.

use finch_llm::redact::{self, KEY_MARKS};

/// Parts of names whose values are secret.
const NAMES: &[&str] =
    &["password", "passwd", "secret", "token", "api_key", "apikey", "access_key", "private_key", "credential"];

/// What stands in a suggestion where a secret would, beside what is a placeholder anywhere.
const WORDS_FOR_SECRETS: &[&str] = &["password", "secret", "token"];

/// Characters of a value that is given to a secret's name.
const VALUE_CHARS_MIN: usize = 8;
/// Characters of a text that is taken for a key for its randomness alone.
const RANDOM_CHARS_MIN: usize = 40;
/// Bits of entropy in each of its characters; hexadecimal digits, as of hashes, have no more than 4.
const RANDOM_BITS_MIN: f64 = 4.3;

/// Whether `text`, put behind `head` on its line, shows a secret.
pub(crate) fn are_in(text: &str, head: &str) -> bool {
    if text.contains("PRIVATE KEY-----") {
        return true;
    }
    let marked = keys(text).any(|word| KEY_MARKS.iter().any(|&(mark, more)| is_marked(word, mark, more)));
    marked || keys(text).any(is_random) || assigns(text, head)
}

/// The longest runs of characters that keys are made of.
fn keys(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.' | '+' | '/' | '='))
}

fn is_marked(word: &str, mark: &str, more: usize) -> bool {
    // Keys may stand behind `NAME=` in files of settings.
    word.split('=').any(|part| {
        let rest = part.strip_prefix(mark).unwrap_or_default();
        rest.len() >= more && rest.contains(|c: char| c.is_ascii_digit()) && !is_placeholder(rest)
    })
}

fn is_random(word: &str) -> bool {
    let has = |wanted: fn(&char) -> bool| word.chars().any(|c| wanted(&c));
    let mixed = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
    // Paths and addresses are long too, but are made of words.
    let parts = word.split(['/', '.', '-', '_']).map(str::len).max().unwrap_or(0);
    mixed && parts >= RANDOM_CHARS_MIN / 2 && word.len() >= RANDOM_CHARS_MIN && bits_per_char(word) >= RANDOM_BITS_MIN
}

fn bits_per_char(word: &str) -> f64 {
    let mut counts = [0_u32; 128];
    for byte in word.bytes() {
        counts[usize::from(byte & 127)] += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "a word is short")]
    let share = |count: u32| f64::from(count) / word.len().max(1) as f64;
    counts.iter().filter(|&&count| count > 0).map(|&count| -share(count) * share(count).log2()).sum()
}

/// Whether a line gives a value in quotes to a secret's name.
fn assigns(text: &str, head: &str) -> bool {
    let full = head.to_owned() + text;
    let mut line_start = 0;
    for line in full.split('\n') {
        let shown_from = head.len().saturating_sub(line_start);
        if values(line).any(|(name, value, at)| at + value.len() > shown_from && is_given(name, value)) {
            return true;
        }
        line_start += line.len() + 1;
    }
    false
}

/// The values in quotes of a line: what stands before each, the value, and where it starts.
fn values(line: &str) -> impl Iterator<Item = (&str, &str, usize)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let open = rest + line.get(rest..)?.find(['"', '\''])?;
        let quote = line[open..].chars().next()?;
        let start = open + 1;
        let end = line[start..].find(quote).map_or(line.len(), |at| start + at);
        rest = end + 1;
        Some((&line[..open], &line[start..end], start))
    })
}

fn is_given(before: &str, value: &str) -> bool {
    let before = before.trim_end();
    let Some(name) = before.strip_suffix(['=', ':']).map(str::to_ascii_lowercase) else { return false };
    // The name is the last word, whatever type or quotes stand behind it.
    let name = name.rsplit([',', '(', '{', ';']).next().unwrap_or_default().to_owned();
    let named = NAMES.iter().any(|known| name.contains(known));
    let telling = value.contains(|c: char| c.is_ascii_digit()) && value.contains(|c: char| c.is_alphabetic());
    named && telling && value.len() >= VALUE_CHARS_MIN && !value.contains(' ') && !is_placeholder(value)
}

fn is_placeholder(value: &str) -> bool {
    let named = || WORDS_FOR_SECRETS.iter().any(|word| value.to_ascii_lowercase().contains(word));
    redact::is_placeholder(value) || named()
}

#[cfg(test)]
mod tests;
