//! Whether a body may be read as JSON at all: how deep it goes and how many values it has, at a glance.
//!
//! Eight megabytes of `[[[[…` or `{},{},…` become hundreds once they are values. Whether it is JSON is for the one who
//! reads it.

use crate::limits::{JSON_DEPTH_MAX, JSON_VALUES_MAX};

/// Why it is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    Depth,
    Values,
}

/// Looks through it once.
pub(crate) fn check(body: &[u8]) -> Result<(), Excess> {
    let (mut depth, mut values) = (0_usize, 1_usize);
    let (mut is_in_text, mut is_escaped) = (false, false);
    for byte in body {
        if is_in_text {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => is_in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => is_in_text = true,
            b'[' | b'{' => (depth, values) = (depth + 1, values + 1),
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if depth > JSON_DEPTH_MAX {
            return Err(Excess::Depth);
        }
        if values > JSON_VALUES_MAX {
            return Err(Excess::Values);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_shape(body: &str, expected: Result<(), Excess>) {
        assert_eq!(check(body.as_bytes()), expected);
    }

    #[test]
    fn depth_and_values_are_bounded() {
        check_shape("", Ok(()));
        check_shape(r#"{"a":[1,2,{"b":"c"}]}"#, Ok(()));
        check_shape(&"[".repeat(JSON_DEPTH_MAX), Ok(()));
        check_shape(&"[".repeat(JSON_DEPTH_MAX + 1), Err(Excess::Depth));
        check_shape(&r#"{"a":"#.repeat(100_000), Err(Excess::Depth));
        check_shape(&format!("[{}{{}}]", "{},".repeat(JSON_VALUES_MAX)), Err(Excess::Values));
        check_shape(&format!("[{}1]", "1,".repeat(JSON_VALUES_MAX - 2)), Ok(()));
    }

    #[test]
    fn what_stands_in_a_text_is_text() {
        check_shape(&format!(r#"{{"a":"{}"}}"#, "[{,\\\"".repeat(200_000)), Ok(()));
        check_shape(&format!(r#"["\\",{}"#, "[".repeat(JSON_DEPTH_MAX)), Err(Excess::Depth));
    }
}
