//! A text that has to be short: its beginning and its end are kept, whole characters only.

/// `text` in at most about `bytes_max` bytes.
pub(crate) fn bounded(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let head = &text[..text.floor_char_boundary(bytes_max / 3 * 2)];
    let tail = &text[text.ceil_char_boundary(text.len() - bytes_max / 3)..];
    let missing = text.len() - head.len() - tail.len();
    format!("{head}\n[… {missing} bytes left out …]\n{tail}")
}

#[cfg(test)]
mod tests {
    use super::bounded;

    #[test]
    fn both_ends_are_kept_and_no_character_is_cut() {
        assert_eq!(bounded("short", 5), "short");
        assert_eq!(bounded(&"ü".repeat(10), 9), "üüü\n[… 12 bytes left out …]\nü");
    }
}
