//! The files below a folder that a search looks at: what git would ignore is left out, links are not followed.
//!
//! Bounded in files and in time, and stopped when the call is dropped.

use std::{
    num::NonZero,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use globset::{GlobBuilder, GlobMatcher};
use ignore::{WalkBuilder, WalkState};

use crate::{
    BadCall, ToolContext,
    limits::{PATTERN_BYTES_MAX, SEARCH_FILES_MAX, SEARCH_THREADS_MAX, SEARCH_TIME_MAX},
};

/// Sets its flag when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct StopOnDrop(Arc<AtomicBool>);

impl StopOnDrop {
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// When a search has to end, and whether it has.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    stop: Arc<AtomicBool>,
    deadline: Instant,
}

impl Patience {
    pub(crate) fn new(stop: Arc<AtomicBool>) -> Self {
        Self { stop, deadline: Instant::now() + SEARCH_TIME_MAX }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }

    /// Ends the search: it has what it wants.
    pub(crate) fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Why a search did not see everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Not,
    Files,
    Time,
}

impl Cut {
    pub(crate) fn note(self) -> Option<String> {
        match self {
            Self::Not => None,
            Self::Files => Some(format!("(only {SEARCH_FILES_MAX} files were looked at; name a folder to see others)")),
            Self::Time => {
                Some(format!("(stopped after {} s; name a folder to see the rest)", SEARCH_TIME_MAX.as_secs()))
            }
        }
    }
}

/// A pattern of paths, from the folder that is searched.
pub(crate) fn glob(pattern: &str) -> Result<GlobMatcher, BadCall> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(BadCall(format!("the pattern is longer than {PATTERN_BYTES_MAX} bytes")));
    }
    // As everywhere: a pattern without a folder is for names in any folder.
    let anywhere = if pattern.contains('/') { pattern.to_owned() } else { format!("**/{pattern}") };
    GlobBuilder::new(anywhere.trim_start_matches("./"))
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| BadCall(format!("the pattern cannot be used: {}", error.kind())))
}

/// Looks at every plain file, from several threads and in no order, and at the files that are staged or open and not on
/// disk. `looker` makes for each thread what looks.
pub(crate) fn files<F: FnMut(&Path) + Send>(
    root: &Path,
    context: &ToolContext,
    patience: &Patience,
    looker: impl Fn() -> F + Sync,
) -> Cut {
    let seen = AtomicUsize::new(0);
    walker(root).build_parallel().run(|| {
        let (mut look, seen) = (looker(), &seen);
        Box::new(move |entry| {
            if patience.is_over() {
                return WalkState::Quit;
            }
            // What cannot be read is as good as not there.
            let Ok(entry) = entry else { return WalkState::Continue };
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                return WalkState::Continue;
            }
            if seen.fetch_add(1, Ordering::Relaxed) >= SEARCH_FILES_MAX {
                return WalkState::Quit;
            }
            if !(context.leave_out)(entry.path()) {
                look(entry.path());
            }
            WalkState::Continue
        })
    });
    let mut look = looker();
    not_on_disk(root, context).iter().filter(|path| !(context.leave_out)(path)).for_each(|path| look(path));
    match (seen.load(Ordering::Relaxed) > SEARCH_FILES_MAX, Instant::now() >= patience.deadline) {
        (true, _) => Cut::Files,
        (false, true) => Cut::Time,
        (false, false) => Cut::Not,
    }
}

fn not_on_disk(root: &Path, context: &ToolContext) -> Vec<PathBuf> {
    let overlaid = context.view.overlaid();
    overlaid.into_iter().filter(|path| path.starts_with(root) && path.symlink_metadata().is_err()).collect()
}

fn walker(root: &Path) -> WalkBuilder {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(SEARCH_THREADS_MAX);
    let mut builder = WalkBuilder::new(root);
    builder
        .follow_links(false)
        .hidden(false)
        .require_git(false)
        .threads(threads)
        .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git");
    builder
}
