//! What is known beyond the text at the cursor, and what of it goes into a prompt.
//!
//! Doors tell of documents as they are opened, changed, visited and saved, of what other files define and of what is
//! wrong where; nothing here reads a file. What is gathered for a place is kept while the cursor stays near it, so
//! that the prompt's head stays the same from key to key and the provider finds it in its cache.

mod definitions;
mod edits;
mod gather;
mod likeness;
mod ring;
mod sources;

use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use finch_text::Document;

use crate::limits::{DIAGNOSED_FILES_MAX, DIAGNOSTICS_MAX, NEWS_MAX, OPEN_MAX};
use crate::syntax::Definition;
use definitions::Definitions;
pub use definitions::Told;
use edits::Edits;
use gather::Held;
pub(crate) use gather::{Gathered, Wanted};
use ring::Ring;
pub use sources::{ContextSource, SourceCost, Sources};

/// What is wrong at a place of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The line it begins on, from 0.
    pub line: usize,
    pub message: String,
}

/// What one process knows of the user's work. Bounded, and cheap to tell: nobody who tells waits for who gathers.
#[derive(Default)]
pub struct Context {
    known: Mutex<Known>,
    /// What was told while somebody gathered, the oldest first.
    news: Mutex<VecDeque<News>>,
    /// The folder that is worked in.
    root: Mutex<Option<Arc<Path>>>,
}

type News = Box<dyn FnOnce(&mut Known) + Send>;

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Known {
    /// The name of the project's folder.
    repository: Option<String>,
    /// Its path, to which other paths are shortened.
    root: Option<String>,
    ring: Ring,
    edits: Edits,
    definitions: Definitions,
    /// Open documents, the most recently touched last.
    open: VecDeque<(String, Document)>,
    diagnostics: VecDeque<(String, Vec<Diagnostic>)>,
    held: Option<Held>,
    /// Counts what makes it worth gathering anew.
    generation: u64,
}

impl Context {
    /// The folder that is worked in.
    pub fn rooted(&self, root: &str) {
        let root = root.trim_end_matches(['/', '\\']).to_owned();
        *self.root.lock().unwrap_or_else(PoisonError::into_inner) = Some(Path::new(&root).into());
        self.tell(move |known| {
            known.repository = root.rsplit(['/', '\\']).next().filter(|name| !name.is_empty()).map(str::to_owned);
            known.root = Some(root);
        });
    }

    /// The folder that a file belongs to, if it is the one that is worked in.
    pub(crate) fn workspace_of(&self, path: Option<&str>) -> Option<Arc<Path>> {
        let root = self.root.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        within(root.to_str()?, path?).is_some().then_some(root)
    }

    /// What a file is called in the folder that is worked in.
    pub(crate) fn name_of(&self, path: &str) -> String {
        let root = self.root.lock().unwrap_or_else(PoisonError::into_inner).clone();
        short(root.as_deref().and_then(Path::to_str), path).into_owned()
    }

    pub fn opened(&self, path: &str, document: &Document) {
        let (path, document) = (path.to_owned(), document.clone());
        self.tell(move |known| {
            known.generation += 1;
            known.ring.opened(&path, &document);
            known.touch(&path, &document);
        });
    }

    /// `range` of the document before it holds other text now: as many bytes as `len`.
    pub fn changed(&self, path: &str, before: &Document, after: &Document, range: Range<usize>, len: usize) {
        let (path, before, after) = (path.to_owned(), before.clone(), after.clone());
        self.tell(move |known| {
            known.edits.changed(&path, &before, &after, range.clone(), len);
            known.ring.visited(&path, &after, after.line_of(range.start));
            known.touch(&path, &after);
        });
    }

    /// The document is another text now.
    pub fn replaced(&self, path: &str, document: &Document) {
        let (path, document) = (path.to_owned(), document.clone());
        self.tell(move |known| {
            known.edits.lost(&path);
            known.touch(&path, &document);
        });
    }

    /// Somebody looks at this line.
    pub fn visited(&self, path: &str, document: &Document, line: usize) {
        let (path, document) = (path.to_owned(), document.clone());
        self.tell(move |known| {
            known.ring.visited(&path, &document, line);
            known.touch(&path, &document);
        });
    }

    /// What was edited last in a document is worth more now.
    pub fn saved(&self, path: &str) {
        let path = path.to_owned();
        self.tell(move |known| known.ring.saved(&path));
    }

    pub fn closed(&self, path: &str) {
        let path = path.to_owned();
        self.tell(move |known| {
            known.open.retain(|(open, _)| *open != path);
            known.diagnostics.retain(|(diagnosed, _)| *diagnosed != path);
            known.edits.lost(&path);
        });
    }

    /// What a file of the workspace defines.
    pub fn learned(&self, path: &str, definitions: Vec<Definition>) {
        let path = path.to_owned();
        self.tell(move |known| {
            known.generation += 1;
            known.definitions.learned(&path, definitions);
        });
    }

    /// What the editor's language server knows of the names in a document.
    pub fn told(&self, path: &str, told: Vec<Told>) {
        let path = path.to_owned();
        self.tell(move |known| {
            if known.definitions.told(&path, told) {
                known.generation += 1;
            }
        });
    }

    /// What is wrong in a document, all of it.
    pub fn diagnosed(&self, path: &str, diagnostics: Vec<Diagnostic>) {
        let path = path.to_owned();
        self.tell(move |known| known.diagnosed(path, diagnostics));
    }

    /// What goes before the text in the prompt for this place.
    pub(crate) fn gather(&self, wanted: &Wanted<'_>) -> Gathered {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.hear(&mut known);
        let gathered = known.gather(wanted);
        self.hear(&mut known);
        gathered
    }

    fn tell(&self, news: impl FnOnce(&mut Known) + Send + 'static) {
        match self.known.try_lock() {
            Ok(mut known) => {
                self.hear(&mut known);
                news(&mut known);
            }
            Err(TryLockError::Poisoned(poisoned)) => news(&mut poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                let mut waiting = self.waiting();
                if waiting.len() >= NEWS_MAX {
                    waiting.pop_front();
                }
                waiting.push_back(Box::new(news));
            }
        }
    }

    fn hear(&self, known: &mut Known) {
        let waiting = std::mem::take(&mut *self.waiting());
        for news in waiting {
            news(known);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<News>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn diagnosed(&mut self, path: String, mut diagnostics: Vec<Diagnostic>) {
        diagnostics.truncate(DIAGNOSTICS_MAX);
        self.diagnostics.retain(|(diagnosed, _)| *diagnosed != path);
        if diagnostics.is_empty() {
            return;
        }
        if self.diagnostics.len() >= DIAGNOSED_FILES_MAX {
            self.diagnostics.pop_front();
        }
        self.diagnostics.push_back((path, diagnostics));
    }

    fn touch(&mut self, path: &str, document: &Document) {
        if let Some(at) = self.open.iter().position(|(open, _)| open == path) {
            self.open.remove(at);
        } else if self.open.len() >= OPEN_MAX {
            self.open.pop_front();
        }
        self.open.push_back((path.to_owned(), document.clone()));
    }

    /// The rest of a path within the folder that is worked in.
    fn within<'a>(&self, path: &'a str) -> Option<&'a str> {
        within(self.root.as_deref()?, path)
    }

    /// The path as it stands in the project, with `/` between its parts.
    fn short<'a>(&self, path: &'a str) -> std::borrow::Cow<'a, str> {
        short(self.root.as_deref(), path)
    }
}

fn short<'a>(root: Option<&str>, path: &'a str) -> std::borrow::Cow<'a, str> {
    let name = || path.rsplit(['/', '\\']).next().unwrap_or(path);
    let short = root.and_then(|root| within(root, path)).unwrap_or_else(name);
    if short.contains('\\') { short.replace('\\', "/").into() } else { short.into() }
}

fn within<'a>(root: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(root)?;
    rest.starts_with(['/', '\\']).then(|| &rest[1..])
}

#[cfg(test)]
mod tests;
