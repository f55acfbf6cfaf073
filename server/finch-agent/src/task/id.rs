//! The name of a task.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Names a task. Later ones sort behind earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(String);

/// A text that names no task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is no name of a task; take one that finch gave")]
pub struct BadTaskId;

impl TaskId {
    /// A name that no other task has: milliseconds since 1970, the process, a number.
    #[must_use]
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(format!("{:012x}-{:x}-{number:x}", since.as_millis(), std::process::id()))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TaskId {
    type Err = BadTaskId;

    fn from_str(text: &str) -> Result<Self, BadTaskId> {
        let is_part = |part: &str| !part.is_empty() && part.len() <= 12 && part.bytes().all(|b| b.is_ascii_hexdigit());
        let parts: Vec<&str> = text.split('-').collect();
        match parts.as_slice() {
            [time, process, number] if time.len() == 12 && [time, process, number].into_iter().all(|p| is_part(p)) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(BadTaskId),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, is_one: bool) {
        assert_eq!(text.parse::<TaskId>().is_ok(), is_one, "{text}");
    }

    #[test]
    fn names_differ_sort_by_time_and_are_read_strictly() {
        let (first, second) = (TaskId::new(), TaskId::new());
        assert_ne!(first, second);
        check(&first.to_string(), true);
        check("", false);
        check("../../x-1-1", false);
        check("0123456789ab-1", false);
        check("0123456789ab-1-", false);
        check("0123456789ab-1-zz", false);
        check("0123456789ab-1-2", true);
    }
}
