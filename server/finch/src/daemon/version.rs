//! Which of two finches gives way: the older daemon to the newer finch, and nobody else to anybody.
//!
//! So editors of different versions never restart each other's daemon in turn.

use std::cmp::Ordering;

/// A version and the protocol it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Speaks<'a> {
    pub(super) version: &'a str,
    pub(super) protocol: u32,
}

/// What to do about a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Use,
    /// It is asked to end, and one of this version takes its place.
    Replace,
    /// It can be neither used nor replaced.
    Refuse,
}

/// What this finch does about a daemon that it found.
pub(super) fn verdict(daemon: Speaks<'_>, here: Speaks<'_>, replaced: Replaced) -> Verdict {
    let is_usable = daemon.protocol == here.protocol;
    let is_older = match order(daemon.version, here.version) {
        Some(Ordering::Less) => true,
        Some(Ordering::Equal) => daemon.protocol < here.protocol,
        Some(Ordering::Greater) | None => false,
    };
    match replaced {
        Replaced::NotYet if is_older => Verdict::Replace,
        _ if is_usable => Verdict::Use,
        _ => Verdict::Refuse,
    }
}

/// Whether this process has asked a daemon to end before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replaced {
    NotYet,
    Before,
}

/// Which is the older; none where one of them is no version. What stands behind a hyphen comes before the release.
fn order(one: &str, other: &str) -> Option<Ordering> {
    let (one, other) = (parse(one)?, parse(other)?);
    Some(one.cmp(&other))
}

/// Numbers, whether it is a release, and what stands behind the hyphen. What stands behind a plus does not count.
fn parse(text: &str) -> Option<([u64; 3], bool, Vec<Part>)> {
    let text = text.split_once('+').map_or(text, |(version, _)| version);
    let (numbers, before) = text.split_once('-').map_or((text, None), |(numbers, before)| (numbers, Some(before)));
    let mut parts = numbers.split('.').map(|part| part.parse::<u64>().ok());
    let found = [parts.next()??, parts.next()??, parts.next()??];
    let before: Vec<Part> = before.into_iter().flat_map(|before| before.split('.')).map(Part::of).collect();
    parts.next().is_none().then_some((found, before.is_empty(), before))
}

/// Numbers come before words.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Word(String),
}

impl Part {
    fn of(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Word(text.to_owned()), Self::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::{Replaced, Speaks, Verdict, order, verdict};
    use std::cmp::Ordering::{Equal, Greater, Less};

    #[test]
    fn versions_are_in_order() {
        let check = |one, other, expected| {
            assert_eq!(order(one, other), Some(expected), "{one} {other}");
            assert_eq!(order(other, one), Some(expected.reverse()), "{other} {one}");
        };
        check("0.1.0", "0.1.0", Equal);
        check("0.1.0+abc", "0.1.0+def", Equal);
        check("0.9.0", "0.10.0", Less);
        check("1.0.0", "0.99.99", Greater);
        check("1.0.0-rc.1", "1.0.0", Less);
        check("1.0.0-rc.2", "1.0.0-rc.10", Less);
        check("1.0.0-1", "1.0.0-rc", Less);
        for nonsense in ["", "1", "1.0", "1.0.0.0", "a.b.c", "1.0.x", "-1.0.0"] {
            assert_eq!(order(nonsense, "0.1.0"), None, "{nonsense}");
        }
    }

    /// The daemon against a finch of version 2.0.0 that speaks protocol 2.
    #[track_caller]
    fn check(version: &str, protocol: u32, at_first: Verdict, then: Verdict) {
        let (daemon, here) = (Speaks { version, protocol }, Speaks { version: "2.0.0", protocol: 2 });
        assert_eq!(verdict(daemon, here, Replaced::NotYet), at_first, "{version} {protocol}");
        assert_eq!(verdict(daemon, here, Replaced::Before), then, "{version} {protocol}");
    }

    #[test]
    fn an_older_daemon_gives_way_once_and_a_newer_one_never() {
        check("2.0.0", 2, Verdict::Use, Verdict::Use);
        check("1.9.0", 2, Verdict::Replace, Verdict::Use);
        check("1.9.0", 1, Verdict::Replace, Verdict::Refuse);
        check("2.0.0", 1, Verdict::Replace, Verdict::Refuse);
        check("2.0.1", 2, Verdict::Use, Verdict::Use);
        check("2.0.1", 3, Verdict::Refuse, Verdict::Refuse);
        check("2.0.1", 1, Verdict::Refuse, Verdict::Refuse);
        check("nonsense", 2, Verdict::Use, Verdict::Use);
        check("nonsense", 1, Verdict::Refuse, Verdict::Refuse);
    }
}
