//! Keeps the numbers of JSON within what its readers take: a model may go on with digits for ever, and the grammar of JSON
//! lets it.
//!
//! Follows an answer byte by byte, only as far as it takes to tell numbers from strings. Text before the JSON, such as
//! reasoning, may mislead it; then a string has fewer digits than it might, or a number is not bounded.

use crate::limits::{NUMBER_DIGITS_MAX, NUMBER_EXPONENT_DIGITS_MAX};

/// Where in JSON an answer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Place {
    #[default]
    Elsewhere,
    Text,
    /// Behind a backslash in a string.
    Escape,
    /// Behind so many digits of a number.
    Number(usize),
    /// Behind so many digits of an exponent.
    Exponent(usize),
}

impl Place {
    /// The place behind more of the answer; `None` if a number in it becomes too long.
    pub(super) fn behind(self, bytes: &[u8]) -> Option<Self> {
        bytes.iter().try_fold(self, |place, &byte| place.next(byte))
    }

    fn next(self, byte: u8) -> Option<Self> {
        let place = match (self, byte) {
            (Self::Text, b'\\') => Self::Escape,
            (Self::Text, b'"') => Self::Elsewhere,
            (Self::Text | Self::Escape, _) => Self::Text,
            (Self::Number(digits), b'0'..=b'9') => Self::Number(digits + 1),
            (Self::Number(digits), b'.') => Self::Number(digits),
            (Self::Number(_), b'e' | b'E') => Self::Exponent(0),
            (Self::Exponent(digits), b'0'..=b'9') => Self::Exponent(digits + 1),
            (Self::Exponent(0), b'+' | b'-') => Self::Exponent(0),
            (_, b'"') => Self::Text,
            (Self::Elsewhere, b'-') => Self::Number(0),
            (Self::Elsewhere, b'0'..=b'9') => Self::Number(1),
            (Self::Elsewhere | Self::Number(_) | Self::Exponent(_), _) => Self::Elsewhere,
        };
        let fits = match place {
            Self::Number(digits) => digits <= NUMBER_DIGITS_MAX,
            Self::Exponent(digits) => digits <= NUMBER_EXPONENT_DIGITS_MAX,
            Self::Elsewhere | Self::Text | Self::Escape => true,
        };
        fits.then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, fits: bool) {
        let whole = Place::default().behind(json.as_bytes());
        assert_eq!(whole.is_some(), fits, "{json}");
        let (mut at, mut parts) = (Some(Place::default()), json.as_bytes().chunks(3));
        while let (Some(place), Some(part)) = (at, parts.next()) {
            at = place.behind(part);
        }
        assert_eq!(at, whole, "in pieces: {json}");
    }

    #[test]
    fn numbers_end_before_readers_give_up_and_strings_may_hold_anything() {
        check(r#"{"a": 1e99, "b": [-1.5E+10, 0, true, null]}"#, true);
        check(r#"{"a": 1e100}"#, false);
        check(r#"[1e+123]"#, false);
        check(&format!("[{}]", "9".repeat(NUMBER_DIGITS_MAX)), true);
        check(&format!("[{}]", "9".repeat(NUMBER_DIGITS_MAX + 1)), false);
        check(&format!("[-0.{}]", "1".repeat(NUMBER_DIGITS_MAX)), false);
        check(&format!(r#"["1e999 \" {}", 2]"#, "9".repeat(999)), true);
        check(r#"["\\", 1e999]"#, false);
        let longest = format!("[{}e99]", "9".repeat(NUMBER_DIGITS_MAX));
        assert!(serde_json::from_str::<serde_json::Value>(&longest).is_ok());
    }
}
