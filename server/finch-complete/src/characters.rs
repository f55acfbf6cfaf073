//! Characters that nobody should accept unseen: they are invisible, turn text around, or look like others.

/// Whether the text holds characters that no one can see or that make text look like other text.
pub(crate) fn are_unwanted(text: &str) -> bool {
    if text.is_ascii() {
        return text.contains(is_unwanted);
    }
    text.contains(is_unwanted) || joins_what_is_seen(text) || words(text).any(mixes_scripts)
}

fn is_unwanted(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || is_invisible(c) || turns_around(c) || is_broken(c)
}

/// Bidirectional marks, embeddings, overrides and isolates.
fn turns_around(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Takes no room or looks like room, and is neither a space nor part of a picture. Tags and selectors carry hidden text.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}')
        || matches!(c, '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}')
        || matches!(c, '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Stands for what could not be read.
fn is_broken(c: char) -> bool {
    matches!(c, '\u{fffc}' | '\u{fffd}')
}

/// A joiner or a picture's selector where there is no picture and no script that needs it.
fn joins_what_is_seen(text: &str) -> bool {
    let mut before = ' ';
    for c in text.chars() {
        let joins = matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}');
        // Keycaps are digits and signs with a selector.
        let keycap = c == '\u{fe0f}' && (before.is_ascii_digit() || matches!(before, '#' | '*'));
        if joins && before.is_ascii() && !keycap {
            return true;
        }
        before = c;
    }
    false
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// A word that looks Latin and is not throughout.
fn mixes_scripts(word: &str) -> bool {
    word.contains(|c: char| c.is_ascii_alphabetic()) && word.contains(looks_latin)
}

/// Greek and Cyrillic letters that cannot be told from Latin ones.
fn looks_latin(c: char) -> bool {
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧονАВЕКМНОРСТХаеорсухіјѕһԁԛԝЅІЈ".contains(c)
}

#[cfg(test)]
mod tests;
