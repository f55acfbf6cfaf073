//! A unified diff as models write it: read with patience about numbers, applied with none about text.
//!
//! The numbers of a hunk say where to look first; its lines have to stand somewhere exactly as it says.

use similar::DiffableStr;

use super::miss::instead;
use crate::tools::lines::{line_end, without_end};

/// What a patch does to one file. A name that is none is `/dev/null`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FilePatch {
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
    pub(super) hunks: Vec<Hunk>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hunk {
    /// The line it says it starts at, counted from 0.
    at: usize,
    lines: Vec<(Mark, String)>,
    /// The last line it adds has no line end.
    ends_without_newline: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Keep,
    Remove,
    Add,
}

/// Reads a patch.
pub(super) fn parse(patch: &str) -> Result<Vec<FilePatch>, String> {
    let lines: Vec<&str> = patch.lines().collect();
    let (mut files, mut at) = (Vec::new(), 0);
    let mut names: (Option<&str>, Option<&str>) = (None, None);
    while at < lines.len() {
        let line = lines[at];
        if let Some(name) = line.strip_prefix("rename from ") {
            names.0 = Some(name);
        } else if let (Some(name), Some(from)) = (line.strip_prefix("rename to "), names.0) {
            names.1 = Some(name);
            files.push(FilePatch { old: Some(from.to_owned()), new: Some(name.to_owned()), hunks: Vec::new() });
        } else if is_header(&lines, at) || is_header_alone(&lines, at) {
            let file = header(lines[at], lines[at + 1])?;
            // A rename with edits has both kinds of names.
            if names.1.is_some() && names.1 == file.new.as_deref() {
                files.pop();
            }
            names = (None, None);
            files.push(file);
            at += 1;
        } else if line.starts_with("@@") {
            let file = files.last_mut().ok_or("the patch has a hunk before it names a file with --- and +++")?;
            let (hunk, next) = hunk(&lines, at)?;
            file.hunks.push(hunk);
            at = next;
            continue;
        }
        at += 1;
    }
    if files.is_empty() {
        return Err("the patch names no file: begin it with --- a/FILE and +++ b/FILE, then hunks with @@".to_owned());
    }
    match files.iter().find(|file| file.hunks.is_empty() && file.old == file.new) {
        Some(file) => Err(format!("the patch has no hunk for {}", file.old.as_deref().unwrap_or_default())),
        None => Ok(files),
    }
}

fn is_header(lines: &[&str], at: usize) -> bool {
    let next = |offset: usize| lines.get(at + offset).copied();
    lines[at].starts_with("--- ")
        && next(1).is_some_and(|line| line.starts_with("+++ "))
        && next(2).is_none_or(|line| line.starts_with("@@") || line.starts_with("diff ") || line.is_empty())
}

/// The head of a file that is only removed, right before that of the next.
fn is_header_alone(lines: &[&str], at: usize) -> bool {
    let begins = |offset: usize, mark: &str| lines.get(at + offset).is_some_and(|line| line.starts_with(mark));
    begins(0, "--- ") && begins(1, "+++ ") && begins(2, "--- ")
}

fn header(old: &str, new: &str) -> Result<FilePatch, String> {
    // A date may follow behind a tab.
    let name = |line: &str| line[4..].split('\t').next().unwrap_or_default().trim_end().to_owned();
    let (old, new) = (name(old), name(new));
    let is_none = |name: &str| name == "/dev/null";
    let prefixed = (is_none(&old) || old.starts_with("a/")) && (is_none(&new) || new.starts_with("b/"));
    let given = |name: String| {
        if is_none(&name) {
            return None;
        }
        Some(if prefixed { name[2..].to_owned() } else { name })
    };
    Ok(FilePatch { old: given(old), new: given(new), hunks: Vec::new() })
}

/// The hunk that begins at line `at`, and the line behind it.
fn hunk(lines: &[&str], at: usize) -> Result<(Hunk, usize), String> {
    let mut hunk = Hunk { at: start(lines[at]), ..Hunk::default() };
    let mut next = at + 1;
    let announced = announced(lines[at]);
    while let Some(&line) = lines.get(next) {
        // What looks like the head of a file may be lines of this one, while some are still to come.
        let is_short = announced.is_some_and(|lines| hunk.lines.len() < lines);
        let is_hunk_behind = || lines.get(next + 2).is_some_and(|line| line.starts_with("@@"));
        let is_header = is_header(lines, next) && (!is_short || is_hunk_behind());
        if line.starts_with("@@") || line.starts_with("diff --git ") || is_header {
            break;
        }
        let (mark, text) = match line.as_bytes().first() {
            Some(b'+') => (Mark::Add, &line[1..]),
            Some(b'-') => (Mark::Remove, &line[1..]),
            Some(b' ') => (Mark::Keep, &line[1..]),
            // An editor or a model took the blank away.
            None => (Mark::Keep, ""),
            Some(b'\\') => {
                hunk.ends_without_newline |= matches!(hunk.lines.last(), Some((Mark::Add | Mark::Keep, _)));
                next += 1;
                continue;
            }
            Some(_) => {
                return Err(format!("line {} of the patch begins with neither blank, + nor -: {line}", next + 1));
            }
        };
        hunk.lines.push((mark, text.to_owned()));
        next += 1;
    }
    // Empty lines between files are no part of a hunk.
    while next < lines.len() && matches!(hunk.lines.last(), Some((Mark::Keep, text)) if text.is_empty()) {
        hunk.lines.pop();
    }
    if hunk.lines.iter().all(|(mark, _)| *mark == Mark::Keep) {
        return Err(format!("the hunk at line {} of the patch changes nothing", at + 1));
    }
    Ok((hunk, next))
}

/// The line that a hunk's head names, counted from 0; 0 if it names none.
fn start(head: &str) -> usize {
    let digits = head.split('-').nth(1).unwrap_or_default();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse::<usize>().unwrap_or(0).saturating_sub(1)
}

/// The lines that a hunk's head announces at least: the longer of its two sides.
fn announced(head: &str) -> Option<usize> {
    let count = |side: &str| match side.split_once(',') {
        Some((_, count)) => count.parse().ok(),
        None => Some(1),
    };
    let mut sides = head.split_whitespace().skip(1);
    let (old, new): (usize, usize) = (count(sides.next()?)?, count(sides.next()?)?);
    Some(old.max(new))
}

impl FilePatch {
    /// `text` with all hunks in it.
    pub(super) fn apply(&self, text: &str) -> Result<String, String> {
        let lines = text.tokenize_lines();
        let end = line_end(text);
        let (mut out, mut at, mut moved) = (String::with_capacity(text.len()), 0, 0_isize);
        for (index, hunk) in self.hunks.iter().enumerate() {
            let old = hunk.old_lines();
            let expected = hunk.at.saturating_add_signed(moved);
            let Some(found) = nearest(&lines, &old, at, expected) else {
                return Err(format!("hunk {} does not fit. {}", index + 1, instead(text, &old.join("\n"))));
            };
            moved = found.cast_signed() - hunk.at.cast_signed();
            out.extend(lines[at..found].iter().copied());
            at = found;
            for (position, (mark, added)) in hunk.lines.iter().enumerate() {
                match mark {
                    Mark::Keep => out.push_str(lines[at]),
                    Mark::Remove => {}
                    Mark::Add => {
                        if !out.is_empty() && !out.ends_with('\n') {
                            out.push_str(end);
                        }
                        out.push_str(added);
                        let is_last = position + 1 == hunk.lines.len();
                        if !(is_last && hunk.ends_without_newline) {
                            out.push_str(end);
                        }
                    }
                }
                at += usize::from(*mark != Mark::Add);
            }
        }
        out.extend(lines[at..].iter().copied());
        Ok(out)
    }
}

impl Hunk {
    fn old_lines(&self) -> Vec<&str> {
        self.lines.iter().filter(|(mark, _)| *mark != Mark::Add).map(|(_, line)| line.as_str()).collect()
    }
}

/// Where `old` stands in `lines` at or after `from`, the nearest to `expected`.
fn nearest(lines: &[&str], old: &[&str], from: usize, expected: usize) -> Option<usize> {
    let expected = expected.max(from);
    if old.is_empty() {
        return Some(expected.min(lines.len()));
    }
    let last = lines.len().checked_sub(old.len())?;
    let fits = |at: usize| lines[at..].iter().zip(old).all(|(line, old)| without_end(line) == without_end(old));
    (from..=last).filter(|&at| fits(at)).min_by_key(|&at| at.abs_diff(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, patch: &str, expected: Result<&str, &str>) {
        let files = parse(patch);
        let found = files.and_then(|files| files[0].apply(text));
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn hunks_are_put_where_their_lines_stand() {
        let head = "--- a/f\n+++ b/f\n";
        check("1\n2\n3\n", &format!("{head}@@ -1,3 +1,3 @@\n 1\n-2\n+two\n 3\n"), Ok("1\ntwo\n3\n"));
        // Wrong numbers, none, and a blank lost.
        check("0\n\n1\n2\n", &format!("{head}@@ -9,9 +9 @@\n\n 1\n-2\n+two"), Ok("0\n\n1\ntwo\n"));
        check("1\n2\n", &format!("{head}@@ @@\n-2\n"), Ok("1\n"));
        check("a\nb\na\nb\n", &format!("{head}@@ -3,2 +3,2 @@\n a\n-b\n+c\n"), Ok("a\nb\na\nc\n"));
        check("1\r\n2\r\n", &format!("{head}@@ -1,2 +1,3 @@\n 1\n+x\n 2\n"), Ok("1\r\nx\r\n2\r\n"));
        check("1", &format!("{head}@@ -1 +1,2 @@\n 1\n+2\n\\ No newline at end of file\n"), Ok("1\n2"));
        check("1\n2\n3\n4\n", &format!("{head}@@ -1 +1 @@\n-1\n+x\n@@ -4 +4 @@\n-4\n+y\n"), Ok("x\n2\n3\ny\n"));
        check("", "--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+a\n+b\n", Ok("a\nb\n"));
        check("-- x\n", &format!("{head}@@ -1 +1 @@\n--- x\n+++ y\n"), Ok("++ y\n"));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let head = "--- a/f\n+++ b/f\n";
        check(
            "1\n2\n",
            &format!("{head}@@ -1,2 +1 @@\n 1\n-3\n"),
            Err("hunk 1 does not fit. It differs. What stands there:\n     1\t1\n     2\t2"),
        );
        check("", "nothing", Err("names no file"));
        check("", "@@ -1 +1 @@\n-a\n", Err("before it names a file"));
        check("", head, Err("no hunk for f"));
        check("1\n", &format!("{head}@@ -1 +1 @@\n 1\n"), Err("changes nothing"));
        check("1\n", &format!("{head}@@ -1 +1 @@\n*1\n"), Err("neither blank"));
    }

    #[test]
    fn names_are_read_as_diff_and_git_write_them() {
        let names = |patch: &str| {
            parse(patch).unwrap().into_iter().map(|file| (file.old, file.new, file.hunks.len())).collect::<Vec<_>>()
        };
        let some = |name: &str| Some(name.to_owned());
        let hunk = "@@ -1 +1 @@\n-a\n+b\n";
        assert_eq!(
            names(&format!("--- f.c\t2026-01-01\n+++ f.c\t2026-01-02\n{hunk}")),
            [(some("f.c"), some("f.c"), 1)]
        );
        assert_eq!(
            names(&format!(
                "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n{hunk}\ndiff --git a/y b/y\n--- a/y\n+++ /dev/null\n{hunk}"
            )),
            [(some("x"), some("x"), 1), (some("y"), None, 1)]
        );
        assert_eq!(
            names("--- a/x\n+++ /dev/null\n--- a/y\n+++ /dev/null\n"),
            [(some("x"), None, 0), (some("y"), None, 0)]
        );
        assert_eq!(
            names("diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n"),
            [(some("x"), some("y"), 0)]
        );
        assert_eq!(
            names(&format!("rename from x\nrename to y\n--- a/x\n+++ b/y\n{hunk}")),
            [(some("x"), some("y"), 1)]
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(lines in proptest::collection::vec("(--- a/f|\\+\\+\\+ b/f|@@ -[0-9]{0,20},9 \\+1 @@|[ +-]?[ab]|rename (from|to) x|diff --git a/f b/f|\\\\ No|)", 0..12), text in "([ab]\r?\n?){0,6}") {
            for file in parse(&lines.join("\n")).unwrap_or_default() {
                // What does not fit is refused; all that matters here is that it comes to an end.
                if let Ok(after) = file.apply(&text) {
                    proptest::prop_assert!(after.len() <= text.len() + lines.iter().map(|line| line.len() + 2).sum::<usize>() + 4);
                }
            }
        }

        #[test]
        fn the_diff_of_two_texts_makes_one_of_the_other(before in "([abc]\n){0,8}[ab]?", after in "([abc]\n){0,8}[ab]?") {
            let diff = crate::changes::unified(("f", "f"), Some(&before), Some(&after));
            if before != after {
                proptest::prop_assert_eq!(parse(&diff).unwrap()[0].apply(&before), Ok(after));
            }
        }
    }
}
