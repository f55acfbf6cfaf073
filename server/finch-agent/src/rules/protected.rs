//! What no rule can open: finch's own configuration and the insides of git; and files that other programs run.
//!
//! Names are compared as the most forgiving file system would: in any case, any Unicode form, with invisible
//! characters, with dots and spaces at the end, as a short name and as a stream of a file.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Component, Path};

use unicode_normalization::UnicodeNormalization as _;

use super::Scope;
use crate::characters;

/// Names that stand for finch's own configuration in a workspace.
const OWN: &[&str] = &[".finch", "finch~1"];
/// Names that stand for git's own data.
const GIT: &[&str] = &[".git", "git~1"];
/// Files and folders from which editors, shells and other agents run commands, or take permissions, when they see them.
pub(crate) const EDITORS: &[&str] = &[
    ".claude",
    ".codex",
    ".continue",
    ".cursor",
    ".devcontainer",
    ".devcontainer.json",
    ".dir-locals.el",
    ".dir-locals-2.el",
    ".direnv",
    ".emacs.d",
    ".envrc",
    ".exrc",
    ".fleet",
    ".gemini",
    ".gitmodules",
    ".helix",
    ".husky",
    ".idea",
    ".lvimrc",
    ".mcp.json",
    ".nvim.lua",
    ".nvimrc",
    ".roo",
    ".vimrc",
    ".vs",
    ".vscode",
    ".vscode-server",
    ".windsurf",
    ".zed",
    "mcp.json",
];
/// Endings of such files.
pub(crate) const EDITOR_ENDINGS: &[&str] = &[".code-workspace", ".sublime-project", ".sublime-workspace"];
/// Folders of the system that are no files of anybody.
const SYSTEM: &[&str] = &["dev", "proc", "sys"];

/// A name as the most forgiving file system would compare it.
pub(super) fn folded(name: &str) -> Cow<'_, str> {
    // A search asks this of every name in every path: most are what they would become.
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    if name.bytes().all(is_plain) && !name.ends_with('.') {
        return Cow::Borrowed(name);
    }
    let visible: String = name.nfkc().filter(|&c| !characters::is_ignorable(c) && !c.is_control()).collect();
    let folded: String =
        visible.to_lowercase().nfkd().filter(|&c| !unicode_normalization::char::is_combining_mark(c)).collect();
    let whole = folded.split(':').next().unwrap_or_default();
    Cow::Owned(whole.trim_end_matches(|c: char| c == '.' || c.is_whitespace()).trim_start().to_owned())
}

/// The same of a name of the file system.
pub(super) fn folded_name(name: &OsStr) -> Cow<'_, str> {
    match name.to_str() {
        Some(name) => folded(name),
        None => Cow::Owned(folded(&name.to_string_lossy()).into_owned()),
    }
}

fn names(path: &Path) -> impl Iterator<Item = Cow<'_, str>> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(folded_name(name)),
        _ => None,
    })
}

/// Whether the path is in a `.finch` folder, or is one.
pub(super) fn is_own(path: &Path) -> bool {
    names(path).any(|name| OWN.contains(&&*name))
}

/// Whether the path is in the folder that finch keeps everything in.
pub(super) fn is_own_home(path: &Path, scope: &Scope) -> bool {
    let mut path = names(path);
    names(&scope.finch_home).all(|home| path.next().is_some_and(|name| name == home))
}

/// Whether the path is in a `.git` folder, or is such a folder or file.
pub(super) fn is_git(path: &Path) -> bool {
    names(path).any(|name| GIT.contains(&&*name))
}

/// Whether editors, shells or other agents run what the file says.
pub(super) fn runs_in_editors(path: &Path) -> bool {
    names(path).any(|name| EDITORS.contains(&&*name) || EDITOR_ENDINGS.iter().any(|ending| name.ends_with(ending)))
}

/// Whether the path is of devices or of the state of the system.
pub(crate) fn is_system(path: &Path) -> bool {
    names(path).next().is_some_and(|first| SYSTEM.contains(&&*first))
}

/// Whether a file or folder of this name is finch's, git's, or one that editors run.
pub(crate) fn is_guarded_name(name: &str) -> bool {
    let path = Path::new(name);
    is_own(path) || is_git(path) || runs_in_editors(path)
}
