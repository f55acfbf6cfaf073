//! Which files a workspace has, and which of them stand around a document.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use finch_complete::{Excludes, Import, Language};
use ignore::WalkBuilder;

use crate::limits::{
    IMPORT_FILES_MAX, LISTED_DEPTH_MAX, LISTED_FILES_MAX, LISTING_TIME_MAX, SIBLING_FILES_MAX, WALKED_ENTRIES_MAX,
};

/// The source files of a folder.
#[derive(Debug, Default)]
pub(super) struct Listing {
    files: Vec<(PathBuf, Language)>,
    /// Files by the first part of their name, and by the name of their folder.
    stems: HashMap<String, Vec<usize>>,
    folders: HashMap<String, Vec<usize>>,
}

impl Listing {
    pub(super) fn of(root: &Path, excludes: &Excludes) -> Self {
        let mut listing = Self::default();
        let until = Instant::now() + LISTING_TIME_MAX;
        let walk =
            WalkBuilder::new(root).max_depth(Some(LISTED_DEPTH_MAX)).follow_links(false).require_git(false).build();
        for entry in walk.flatten().take(WALKED_ENTRIES_MAX) {
            if listing.files.len() == LISTED_FILES_MAX || Instant::now() > until {
                tracing::info!(files = listing.files.len(), "a workspace is too large to be listed as a whole");
                break;
            }
            let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
            let name = entry.path().to_string_lossy();
            if let Some(language) = Language::of(Some(&name), None).filter(|_| is_file && !excludes.excludes(&name)) {
                listing.add(entry.path().to_owned(), language);
            }
        }
        listing
    }

    fn add(&mut self, path: PathBuf, language: Language) {
        let at = self.files.len();
        let stem = path.file_name().map(stem_of).unwrap_or_default();
        let folder = path.parent().and_then(Path::file_name).map(OsStr::to_string_lossy).unwrap_or_default();
        self.stems.entry(stem).or_default().push(at);
        self.folders.entry(folder.into_owned()).or_default().push(at);
        self.files.push((path, language));
    }

    /// Files that the imports may mean, the nearest first, then those of the same folder where it is one unit.
    pub(super) fn around(&self, path: &Path, language: Language, imports: &[Import]) -> Vec<PathBuf> {
        let mut found: Vec<usize> = Vec::new();
        for import in imports {
            let mut meant: Vec<usize> = self.meant(import).filter(|&at| self.fits(at, path, language)).collect();
            meant.sort_by_key(|&at| std::cmp::Reverse(shared_parts(&self.files[at].0, path)));
            found.extend(meant.into_iter().take(IMPORT_FILES_MAX));
        }
        if matches!(language, Language::Go | Language::Java | Language::C) {
            let beside = |&at: &usize| self.files[at].0.parent() == path.parent() && self.fits(at, path, language);
            found.extend((0..self.files.len()).filter(beside).take(SIBLING_FILES_MAX));
        }
        let mut seen = Vec::new();
        for at in found {
            if !seen.contains(&at) {
                seen.push(at);
            }
        }
        seen.into_iter().map(|at| self.files[at].0.clone()).collect()
    }

    fn meant<'a>(&'a self, import: &'a Import) -> impl Iterator<Item = usize> + 'a {
        let parts = import.from.split(['.', '/', '\\', ':']).filter(|part| !part.is_empty());
        let last: Vec<&str> = parts.rev().take(2).collect();
        let known = last.into_iter().flat_map(|part| [self.stems.get(part), self.folders.get(part)]);
        let candidates = known.flatten().flatten().copied();
        candidates.filter(|&at| import.may_mean(&self.files[at].0.to_string_lossy()))
    }

    fn fits(&self, at: usize, path: &Path, language: Language) -> bool {
        let (file, written_in) = &self.files[at];
        file != path && is_family(*written_in, language)
    }
}

fn stem_of(name: &OsStr) -> String {
    name.to_string_lossy().split('.').next().unwrap_or_default().to_owned()
}

/// Whether code in one language can use what the other defines.
fn is_family(a: Language, b: Language) -> bool {
    let script = |language| matches!(language, Language::JavaScript | Language::TypeScript | Language::Tsx);
    a == b || (script(a) && script(b))
}

/// Folders from the root down that two paths share.
fn shared_parts(a: &Path, b: &Path) -> usize {
    a.components().zip(b.components()).take_while(|(a, b)| a == b).count()
}
