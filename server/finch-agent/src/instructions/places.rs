//! Where instructions may be, from those that yield to those that hold.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{escape, limits::INSTRUCTION_PARENTS_MAX, rules::Scope};

/// In one folder, from the one that yields to the one that holds.
const NAMES: &[&str] = &["AGENTS.md", "CLAUDE.md", "FINCH.md"];

/// A file that may be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The user's own, for every workspace.
    Own { path: PathBuf, label: &'static str },
    /// Of whoever wrote the repository. A link in it leads no further than `within`.
    Project { path: PathBuf, within: PathBuf, label: String },
}

impl Place {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Own { path, .. } | Self::Project { path, .. } => path,
        }
    }

    pub(super) fn is_own(&self) -> bool {
        matches!(self, Self::Own { .. })
    }

    pub(super) fn is_there(&self) -> bool {
        fs::symlink_metadata(self.path()).is_ok()
    }

    /// Its name for the model and the user, escaped.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Own { label, .. } => (*label).to_owned(),
            Self::Project { label, .. } => label.clone(),
        }
    }
}

/// All places in the order in which their text stands. `folders` are folders below the workspace.
pub(super) fn places(scope: &Scope, folders: &BTreeSet<PathBuf>) -> Vec<Place> {
    let mut places = Vec::new();
    if let Some(home) = &scope.user_home {
        places.push(Place::Own { path: home.join(".claude").join("CLAUDE.md"), label: "~/.claude/CLAUDE.md" });
    }
    places.push(Place::Own { path: scope.finch_home.join("FINCH.md"), label: "FINCH_HOME/FINCH.md" });

    let workspace = &scope.workspace;
    let top = top(workspace, scope.user_home.as_deref());
    let mut above: Vec<&Path> = workspace.ancestors().skip(1).take_while(|folder| folder.starts_with(&top)).collect();
    above.reverse();
    let levels = above.len();
    for (at, folder) in above.into_iter().enumerate() {
        add(&mut places, folder, &top, &"../".repeat(levels - at));
    }
    add(&mut places, workspace, workspace, "");
    let mut below: Vec<&PathBuf> = folders.iter().collect();
    // Stable: folders of one depth stay in the order of their names.
    below.sort_by_key(|folder| folder.components().count());
    for folder in below {
        if let Ok(name) = folder.strip_prefix(workspace) {
            let name = escape::path(name);
            let name = if cfg!(windows) { name.replace('\\', "/") } else { name };
            add(&mut places, folder, workspace, &format!("{name}/"));
        }
    }
    places
}

fn add(places: &mut Vec<Place>, folder: &Path, within: &Path, label: &str) {
    places.extend(NAMES.iter().map(|name| Place::Project {
        path: folder.join(name),
        within: within.to_owned(),
        label: format!("{label}{name}"),
    }));
}

/// The outermost folder that counts: that of the repository which the workspace is in, or the workspace.
///
/// Folders that are somebody else's are of no repository of ours: whoever can write to `/tmp` could speak to everybody who
/// works below it. Nor are the user's home and what is above it.
fn top(workspace: &Path, user_home: Option<&Path>) -> PathBuf {
    let is_ours = |path: &Path| owner(path).is_some_and(|owner| Some(owner) == self::owner(workspace));
    for (up, folder) in workspace.ancestors().enumerate().take(INSTRUCTION_PARENTS_MAX + 1) {
        let is_foreign = folder.parent().is_none() || user_home.is_some_and(|home| home.starts_with(folder));
        if up > 0 && (is_foreign || !is_ours(folder)) {
            break;
        }
        let git = folder.join(".git");
        if fs::symlink_metadata(&git).is_ok() {
            return if is_ours(&git) { folder.to_owned() } else { workspace.to_owned() };
        }
    }
    workspace.to_owned()
}

#[cfg(unix)]
fn owner(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    fs::symlink_metadata(path).ok().map(|found| found.uid())
}

/// Owners are not told apart there.
#[cfg(not(unix))]
fn owner(path: &Path) -> Option<u32> {
    fs::symlink_metadata(path).ok().map(|_| 0)
}
