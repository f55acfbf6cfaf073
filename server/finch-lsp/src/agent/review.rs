//! Staged edits as a document: a unified diff, with a mark on each line at which something can be taken or left. Pure.
//!
//! Its places are those of the staged edits, one by one: neighbours are not drawn together, so that each can be taken by
//! itself. Lines around a place are shown where they do not belong to the next.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use finch_agent::changes::{ChangeSet, Hunk};

use crate::limits::REVIEW_CONTEXT_LINES;

/// A line with something to decide about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// From 0.
    pub(crate) line: usize,
    pub(crate) about: About,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    All,
    File(PathBuf),
    Hunk(PathBuf, usize),
}

#[derive(Default)]
struct Page {
    text: String,
    lines: usize,
    marks: Vec<Mark>,
}

/// The document, and its marks.
pub(super) fn render(staged: &ChangeSet, name: impl Fn(&Path) -> String) -> (String, Vec<Mark>) {
    let mut page = Page::default();
    if staged.is_empty() {
        page.line("# Nothing is staged any more.");
        return (page.text, page.marks);
    }
    page.mark(About::All);
    page.line("# finch has these edits staged. Nothing of them is in the files until you accept it.");
    let in_conflict: Vec<&Path> = staged.conflicts().map(|(path, _)| path).collect();
    for path in staged.paths() {
        let shown = name(path);
        page.line("");
        page.mark(About::File(path.to_owned()));
        if in_conflict.contains(&path) {
            page.line(&format!(
                "# {shown} was changed meanwhile where the edits are. Reject them, or undo your change."
            ));
            continue;
        }
        page.file(staged, path, &shown);
    }
    (page.text, page.marks)
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.lines += 1;
    }

    fn mark(&mut self, about: About) {
        self.marks.push(Mark { line: self.lines, about });
    }

    fn file(&mut self, staged: &ChangeSet, path: &Path, shown: &str) {
        let hunks = staged.hunks(path);
        let after = staged.staged(path).flatten().map(|text| text.to_string());
        let is_new = hunks.iter().all(|hunk| hunk.old_text.is_empty() && hunk.old_lines.start == 0) && hunks.len() == 1;
        let goes = after.is_none();
        // Whether a text begins with new lines or is all new shows in its first place alone; the names are for people.
        self.line(&format!("--- {}", if is_new && !goes { "/dev/null".to_owned() } else { format!("a/{shown}") }));
        self.line(&format!("+++ {}", if goes { "/dev/null".to_owned() } else { format!("b/{shown}") }));
        let after = after.unwrap_or_default();
        let lines: Vec<&str> = lines_of(&after);
        for (at, hunk) in hunks.iter().enumerate() {
            let previous = at.checked_sub(1).and_then(|at| hunks.get(at)).map_or(0, |hunk| hunk.new_lines.end);
            let next = hunks.get(at + 1).map_or(lines.len(), |hunk| hunk.new_lines.start);
            // What is between two places is shown before the second, so that nothing is shown twice.
            let start = hunk.new_lines.start.saturating_sub(REVIEW_CONTEXT_LINES).max(previous);
            let room = if at + 1 < hunks.len() { next.saturating_sub(REVIEW_CONTEXT_LINES) } else { next };
            let end = (hunk.new_lines.end + REVIEW_CONTEXT_LINES).min(room).max(hunk.new_lines.end);
            self.mark(About::Hunk(path.to_owned(), at));
            self.hunk(hunk, &lines, start..end);
        }
    }

    fn hunk(&mut self, hunk: &Hunk, lines: &[&str], shown: Range<usize>) {
        let (before, behind) = (hunk.new_lines.start - shown.start, shown.end - hunk.new_lines.end);
        let (old, new) = (hunk.old_lines.len() + before + behind, hunk.new_lines.len() + before + behind);
        let old_start = hunk.old_lines.start.saturating_sub(before) + usize::from(old > 0);
        let new_start = shown.start + usize::from(new > 0);
        self.line(&format!("@@ -{old_start},{old} +{new_start},{new} @@"));
        self.lines_with(' ', lines.get(shown.start..hunk.new_lines.start).unwrap_or_default());
        self.lines_with('-', &lines_of(&hunk.old_text));
        self.lines_with('+', &lines_of(&hunk.new_text));
        self.lines_with(' ', lines.get(hunk.new_lines.end..shown.end).unwrap_or_default());
    }

    fn lines_with(&mut self, sign: char, lines: &[&str]) {
        for line in lines {
            let ends = line.ends_with(['\n', '\r']);
            let line = line.trim_end_matches(['\n', '\r']);
            // Writing to a string cannot fail.
            writeln!(self.text, "{sign}{}", line.replace('\r', "\\r")).ok();
            self.lines += 1;
            if !ends {
                self.line("\\ No newline at end of file");
            }
        }
    }
}

/// Lines with their ends, as hunks count them: they end at `\n`, `\r\n` and `\r`.
pub(super) fn lines_of(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = match rest.find(['\n', '\r']) {
            Some(at) if rest[at..].starts_with("\r\n") => at + 2,
            Some(at) => at + 1,
            None => rest.len(),
        };
        let (line, behind) = rest.split_at(end);
        lines.push(line);
        rest = behind;
    }
    lines
}

#[cfg(test)]
mod tests {
    use finch_agent::changes::Base;

    use super::*;

    fn staged(files: &[(&str, Option<&str>, Option<&str>)]) -> ChangeSet {
        let mut staged = ChangeSet::default();
        for (path, before, after) in files {
            let base = Base { text: before.map(Into::into), ..Base::default() };
            staged.stage(Path::new(path), &base, after.map(Into::into));
        }
        staged
    }

    #[track_caller]
    fn check(files: &[(&str, Option<&str>, Option<&str>)], expected: &str, marked: &[&str]) {
        let (text, marks) = render(&staged(files), |path| path.display().to_string());
        assert_eq!(text, expected);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(marks.iter().map(|mark| lines[mark.line]).collect::<Vec<_>>(), marked);
    }

    const HEAD: &str = "# finch has these edits staged. Nothing of them is in the files until you accept it.";

    #[test]
    fn each_place_of_each_file_can_be_decided_about() {
        let (before, after) = ("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\nTWO\n3\n4\n5\n6\n7\n8\n");
        let expected = format!(
            "{HEAD}\n\n--- a/x\n+++ b/x\n@@ -1,5 +1,5 @@\n 1\n-2\n+TWO\n 3\n 4\n 5\n@@ -6,4 +6,3 @@\n 6\n 7\n 8\n-9\n"
        );
        check(&[("x", Some(before), Some(after))], &expected, &[HEAD, "--- a/x", "@@ -1,5 +1,5 @@", "@@ -6,4 +6,3 @@"]);
    }

    #[test]
    fn places_side_by_side_show_no_line_twice() {
        let expected =
            format!("{HEAD}\n\n--- a/x\n+++ b/x\n@@ -1,1 +1,1 @@\n-1\n+I\n@@ -2,3 +2,3 @@\n 2\n-3\n+III\n 4\n");
        let marked = [HEAD, "--- a/x", "@@ -1,1 +1,1 @@", "@@ -2,3 +2,3 @@"];
        check(&[("x", Some("1\n2\n3\n4\n"), Some("I\n2\nIII\n4\n"))], &expected, &marked);
    }

    #[test]
    fn files_come_and_go_as_one_place() {
        let expected = format!(
            "{HEAD}\n\n--- /dev/null\n+++ b/new\n@@ -0,0 +1,1 @@\n+a\n\\ No newline at end of file\n\n--- a/old\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-b\n"
        );
        let marked = [HEAD, "--- /dev/null", "@@ -0,0 +1,1 @@", "--- a/old", "@@ -1,1 +0,0 @@"];
        check(&[("new", None, Some("a")), ("old", Some("b\n"), None)], &expected, &marked);
        check(&[], "# Nothing is staged any more.\n", &[]);
    }
}
