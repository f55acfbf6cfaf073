//! What must not leave this machine in a prompt: keys, private keys, values of `.env` files.
//!
//! Pure. A secret is known by the mark its issuer puts before it, by the name it is given to, or by the lines around a
//! private key; what plainly only stands for one is let through. What is taken out leaves a mark, so that the model
//! knows that something was there. Every provider whose server is not on this machine gets its texts through here.

use std::{borrow::Cow, ops::Range};

use memchr::memmem;

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

/// What issuers put before their keys, and how many characters of a key follow at least.
pub const KEY_MARKS: &[(&str, usize)] = &[
    ("AGE-SECRET-KEY-1", 20),
    ("AIza", 30),
    ("AKIA", 16),
    ("ASIA", 16),
    ("SG.", 30),
    ("dop_v1_", 32),
    ("eyJ", 40),
    ("gho_", 30),
    ("ghp_", 30),
    ("ghr_", 30),
    ("ghs_", 30),
    ("ghu_", 30),
    ("github_pat_", 22),
    ("glpat-", 16),
    ("gsk_", 30),
    ("hf_", 30),
    ("npm_", 30),
    ("pypi-", 40),
    ("rk_live_", 16),
    ("shpat_", 20),
    ("sk-", 20),
    ("sk_live_", 16),
    ("xai-", 30),
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxs-", 10),
    ("ya29.", 20),
];

/// Parts of names whose values are secret.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "private_key",
    "credential",
    "auth_key",
    "encryption_key",
    "signing_key",
    "database_url",
    "connection_string",
];

/// Parts of values that only stand for a secret.
const PLACEHOLDERS: &[&str] = &[
    "...",
    "<",
    "{",
    "$",
    "xxx",
    "***",
    "your",
    "example",
    "changeme",
    "dummy",
    "fake",
    "mock",
    "test",
    "placeholder",
    "sample",
];

/// Characters of a value that is given to a secret's name.
const VALUE_CHARS_MIN: usize = 8;

/// How far a secret is followed. It keeps the time of a hostile text in bounds.
const SECRET_BYTES_MAX: usize = 16 * 1024;

const KEY_BEGIN: &str = "-----BEGIN ";
const KEY_END: &str = "-----END ";

/// `text` with [`REDACTED`] for every secret in it.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut found = private_keys(text);
    found.extend(marked(text));
    found.extend(assigned(text));
    found.extend(in_addresses(text));
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    found.sort_by_key(|range| (range.start, range.end));
    let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
    for range in found {
        if range.start >= copied {
            out.push_str(&text[copied..range.start]);
            out.push_str(REDACTED);
        }
        copied = copied.max(range.end);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// From the first line of a private key to its last; to the end of the text if that is missing.
fn private_keys(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(begin) = memmem::find(&text.as_bytes()[from..], KEY_BEGIN.as_bytes()).map(|at| from + at) {
        from = begin + KEY_BEGIN.len();
        let label = &text[from..];
        let is_of_labels = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == ' ';
        let label = &label[..label.find(|c| !is_of_labels(c)).unwrap_or(label.len())];
        let is_private = label.ends_with("PRIVATE KEY") || label.ends_with("PRIVATE KEY BLOCK");
        if !is_private || !text[from + label.len()..].starts_with("-----") {
            continue;
        }
        from += label.len() + 5;
        let last = format!("{KEY_END}{label}-----");
        let end =
            memmem::find(&text.as_bytes()[from..], last.as_bytes()).map_or(text.len(), |at| from + at + last.len());
        found.push(begin..end);
        from = end;
    }
    found
}

fn is_of_keys(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '/' | '=')
}

/// Keys with the mark of an issuer.
fn marked(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for &(mark, more) in KEY_MARKS {
        for start in memmem::find_iter(text.as_bytes(), mark) {
            let before = text[..start].chars().next_back();
            if before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
                continue;
            }
            if found.last().is_some_and(|last: &Range<usize>| last.contains(&start)) {
                continue;
            }
            let rest = &text[start + mark.len()..];
            let rest = &rest[..rest.floor_char_boundary(SECRET_BYTES_MAX)];
            let rest = &rest[..rest.find(|c| !is_of_keys(c)).unwrap_or(rest.len())];
            if rest.len() >= more && rest.contains(|c: char| c.is_ascii_digit()) && !stands_for_another(rest) {
                found.push(start..start + mark.len() + rest.len());
            }
        }
    }
    found
}

/// Values that are given to a secret's name: `NAME=value`, `name: "value"`.
fn assigned(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive(['\n', '\r']) {
        for (at, _) in line.match_indices(['=', ':']) {
            if names_a_secret(&line[..at])
                && let Some(value) = value(&line[at + 1..])
            {
                let start = line_start + at + 1 + value.start;
                found.push(start..line_start + at + 1 + value.end);
            }
        }
        line_start += line.len();
    }
    found
}

/// Whether the last word before a sign is a secret's name.
fn names_a_secret(before: &str) -> bool {
    let before = before.trim_end_matches([':', '=', ' ', '\t', '"', '\'', '\\', '`']);
    let name =
        before.rsplit(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-')).next().unwrap_or_default();
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|known| name.contains(known))
}

/// Where the value behind a sign stands, if it looks like one that is secret.
fn value(behind: &str) -> Option<Range<usize>> {
    let behind = &behind[..behind.floor_char_boundary(SECRET_BYTES_MAX)];
    let lead = behind.len() - behind.trim_start_matches([' ', '\t', '=', '\\']).len();
    let rest = &behind[lead..];
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
    let start = lead + quote.map_or(0, char::len_utf8);
    let end = match quote {
        Some(quote) => behind[start..].find([quote, '\\'])?,
        None => behind[start..]
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | ')' | '}' | '\\'))
            .unwrap_or(behind.len() - start),
    };
    let value = &behind[start..start + end];
    // Code that reads a secret is none: it has calls, paths and members in it.
    let is_code = quote.is_none() && value.contains(['(', '[', '&', '<', '>']) || value.contains(' ');
    let has = |wanted: fn(char) -> bool| value.contains(wanted);
    let telling = has(|c| c.is_ascii_digit()) && has(char::is_alphabetic);
    (value.len() >= VALUE_CHARS_MIN && telling && !is_code && !stands_for_another(value)).then(|| start..start + end)
}

/// Passwords of addresses such as `postgres://user:password@host`.
fn in_addresses(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for at in memmem::find_iter(text.as_bytes(), "://") {
        let rest = &text[at + 3..];
        let rest = &rest
            [..rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '?')).unwrap_or(rest.len())];
        let Some(host) = rest.rfind('@') else { continue };
        let Some(colon) = rest[..host].find(':') else { continue };
        if host > colon + 1 && !stands_for_another(&rest[colon + 1..host]) {
            found.push(at + 3 + colon + 1..at + 3 + host);
        }
    }
    found
}

/// Whether a value is a placeholder, or was taken out before.
fn stands_for_another(value: &str) -> bool {
    is_placeholder(value) || value.to_ascii_lowercase().contains(REDACTED)
}

/// Whether a value plainly only stands for a secret.
#[must_use]
pub fn is_placeholder(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|part| value.contains(part))
}

#[cfg(test)]
mod tests;
