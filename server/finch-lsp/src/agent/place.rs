//! Where a command was given: the folder that is worked in, and the text it is about.

use std::path::{Path, PathBuf};

use crate::handlers::HandlerError;
use crate::handlers::document::range_of;
use crate::limits::TASK_TEXT_BYTES_MAX;
use crate::path::folder_of;
use crate::session::Session;
use crate::wire::inline::Range;

/// A piece of an open document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// From the folder, where it lies there.
    pub(super) name: String,
    /// From 1.
    pub(super) lines: (usize, usize),
    pub(super) text: String,
}

impl Excerpt {
    /// The piece in words, for a model.
    pub(super) fn in_words(&self) -> String {
        let Self { name, lines: (first, last), text } = self;
        match first == last {
            true => format!("This is about {name}, line {first}:\n\n{text}"),
            false => format!("This is about {name}, lines {first} to {last}:\n\n{text}"),
        }
    }
}

/// The folders that are open.
pub(crate) fn folders(session: &Session) -> Vec<PathBuf> {
    let facts = &session.facts;
    let mut folders: Vec<PathBuf> = facts.folders.iter().filter_map(|uri| folder_of(uri)).collect();
    if folders.is_empty() {
        folders.extend(facts.root.as_deref().and_then(folder_of));
    }
    folders
}

/// The folder that a document lies in, or the first one.
///
/// # Errors
/// [`HandlerError::Failed`] if none is open.
pub(super) fn folder(session: &Session, uri: Option<&str>) -> Result<PathBuf, HandlerError> {
    let folders = folders(session);
    let named = uri.and_then(folder_of);
    let place = uri.and_then(|uri| session.places.path(uri));
    let holds = |folder: &Path| {
        named.as_ref().is_some_and(|path| path.starts_with(folder))
            || place.is_some_and(|path| path.starts_with(folder))
    };
    let inmost = folders.iter().filter(|folder| holds(folder)).max_by_key(|folder| folder.components().count());
    let reason = "finch works in a folder: open one in the editor and try again".to_owned();
    inmost.or(folders.first()).cloned().ok_or(HandlerError::Failed { reason })
}

/// What stands at a place: its lines, whole.
///
/// # Errors
/// [`HandlerError::Failed`] if the document's text is not known.
pub(super) fn excerpt(session: &Session, uri: &str, range: Range) -> Result<Excerpt, HandlerError> {
    let snapshot = session.documents.snapshot(uri).map_err(|_| {
        let reason = format!("{uri} is not open, or finch does not know its text: open it anew and try again");
        HandlerError::Failed { reason }
    })?;
    let (document, range) = (snapshot.document, range_of(range));
    let (one, other) =
        (document.offset(range.start, session.facts.encoding), document.offset(range.end, session.facts.encoding));
    let (start, end) = (one.min(other), one.max(other));
    let first = document.line_of(start);
    let mut last = document.line_of(end);
    // A selection that ends before a line does not hold it.
    if last > first && end == document.line_start(last) {
        last -= 1;
    }
    let text_end = document.line_range(last).map_or(document.len(), |range| range.end);
    let text_start = document.line_start(first);
    let text = document.slice(text_start..text_end.min(text_start + TASK_TEXT_BYTES_MAX));
    let folder = folder(session, Some(uri))?;
    let named = folder_of(uri);
    let inside = |path: &Path| path.strip_prefix(&folder).ok().map(Path::to_owned);
    let name = named.as_deref().and_then(inside).or_else(|| session.places.path(uri).and_then(inside)).or(named);
    let name = name.map_or_else(|| uri.to_owned(), |name| name.to_string_lossy().into_owned());
    Ok(Excerpt { name, lines: (first + 1, last + 1), text })
}
