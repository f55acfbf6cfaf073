//! Characters that do not show, or that change how others show, and how text is shown to a person without them.

use std::fmt::Write as _;

/// Whether a character cannot be seen as itself: controls, marks of direction, invisible ones, spaces that are none.
///
/// Ends of lines and tabs are controls too; who wants them says so.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control() || is_ignorable(c) || (c != ' ' && c.is_whitespace())
}

/// Characters that leave no mark of their own.
pub(crate) fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}'
        | '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}')
}

/// The text with every hidden character written out, ends of lines kept.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push('\n'),
            c if !is_hidden(c) => shown.push(c),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            c => {
                // Writing to a string cannot fail.
                if write!(shown, "\\u{{{:X}}}", u32::from(c)).is_err() {
                    shown.push('\u{FFFD}');
                }
            }
        }
    }
    shown
}

/// The text on one line, hidden characters written out.
#[must_use]
pub fn shown_on_one_line(text: &str) -> String {
    shown(text).replace('\n', "\\n")
}
