//! Text from elsewhere, made safe to show: what cannot be seen is spelt out.

use std::{borrow::Cow, path::Path};

/// `text` with control characters, and characters that hide or turn others, as `\u{…}`. Tabs stay.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().fold(String::with_capacity(text.len() + 16), |mut out, c| {
        if is_hidden(c) {
            out.extend(c.escape_unicode())
        } else {
            out.push(c)
        }
        out
    }))
}

/// A path as it may be shown: what is no text is `�`.
pub(crate) fn path(path: &Path) -> String {
    text(&path.to_string_lossy().replace('\t', "\\t")).into_owned()
}

fn is_hidden(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    #[track_caller]
    fn check(text: &str, shown: &str) {
        assert_eq!(super::text(text), shown);
    }

    #[test]
    fn what_cannot_be_seen_is_spelt_out() {
        check("fn größe() {\t}", "fn größe() {\t}");
        check("a\x1b[2Jb", "a\\u{1b}[2Jb");
        check("x\u{202e}y\u{e0041}\u{200b}\n", "x\\u{202e}y\\u{e0041}\\u{200b}\\u{a}");
    }
}
