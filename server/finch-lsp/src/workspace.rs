//! What the files around a document define: those that it imports, and those beside it where a folder is one unit.
//!
//! Reads and never writes; ignores what the project's ignore files and the user's patterns exclude; follows no links.
//! Bounded in files, bytes and time. Blocking: [`reading`] runs it beside the session.

mod listing;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use finch_complete::{Context, Excludes, Language, Syntax};
use finch_text::Document;
use tokio::sync::mpsc;

use crate::limits::{FILE_BYTES_MAX, FILES_READ_MAX, LISTING_AGE_MAX, LOOKS_WAITING_MAX, READ_BYTES_MAX};
use listing::Listing;

/// A folder whose files may say what a document's names mean.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    excludes: Excludes,
    listing: Option<(Instant, Listing)>,
    /// When the files that were read had changed last.
    read: HashMap<PathBuf, SystemTime>,
}

impl Workspace {
    #[must_use]
    pub fn new(root: PathBuf, excludes: Excludes) -> Self {
        Self { root, excludes, listing: None, read: HashMap::new() }
    }

    /// Tells `context` what the files around the document define, as far as that is news.
    pub fn look_around(&mut self, path: &str, document: &Document, context: &Context) {
        let Some(language) = Language::of(Some(path), None) else { return };
        let Some(syntax) = Syntax::parse(language, &document.text()) else { return };
        let imports = syntax.imports();
        let wanted = self.listing().around(Path::new(path), language, &imports);
        let mut bytes_left = READ_BYTES_MAX;
        for file in wanted.into_iter().take(FILES_READ_MAX) {
            if let Some(text) = self.news(&file, bytes_left) {
                bytes_left -= text.len() as u64;
                let name = file.to_string_lossy();
                let language = Language::of(Some(&name), None);
                let syntax = language.and_then(|language| Syntax::parse(language, &text));
                context.learned(&name, syntax.map(|syntax| syntax.definitions()).unwrap_or_default());
            }
        }
    }

    fn listing(&mut self) -> &Listing {
        let is_old = |made: &Instant| made.elapsed() > LISTING_AGE_MAX;
        if self.listing.as_ref().is_some_and(|(made, _)| is_old(made)) {
            self.listing = None;
        }
        let made = || (Instant::now(), Listing::of(&self.root, &self.excludes));
        &self.listing.get_or_insert_with(made).1
    }

    /// The text of a file, unless it was read as it is, is too long, or no text.
    fn news(&mut self, file: &Path, bytes_left: u64) -> Option<String> {
        let metadata = fs::symlink_metadata(file).ok().filter(fs::Metadata::is_file)?;
        let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        if metadata.len() > FILE_BYTES_MAX.min(bytes_left) || self.read.get(file) == Some(&changed) {
            return None;
        }
        let text = fs::read_to_string(file).ok()?;
        self.read.insert(file.to_owned(), changed);
        Some(text)
    }
}

/// A document to look around.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) path: String,
    pub(crate) document: Document,
}

/// Where looks are asked for; one too many is forgotten, for the document's next change asks again.
pub(crate) fn looks() -> (mpsc::Sender<Look>, mpsc::Receiver<Look>) {
    mpsc::channel(LOOKS_WAITING_MAX)
}

/// Looks around documents, one after the other, as long as somebody may ask.
pub(crate) async fn reading(mut workspace: Workspace, mut looks: mpsc::Receiver<Look>, context: Arc<Context>) {
    while let Some(look) = looks.recv().await {
        let context = Arc::clone(&context);
        let done = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            workspace.look_around(&look.path, &look.document, &context);
            (workspace, started.elapsed())
        });
        match done.await {
            Ok((back, took)) => {
                workspace = back;
                tracing::debug!(?took, "looked around a document");
            }
            Err(error) => {
                tracing::error!(%error, "the workspace is not read any more");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
