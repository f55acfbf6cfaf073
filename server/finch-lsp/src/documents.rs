//! The open documents, in step with the editor or known not to be.
//!
//! Pure. Invariant: a document whose text may differ from the editor's is never handed out. What breaks the
//! step (a version that does not grow, a change nobody can read) loses the text until the editor sends it whole.

mod splice;

use std::collections::HashMap;

use finch_text::{Change, Document, PositionEncoding};

use crate::limits::{DOCUMENT_BYTES_MAX, DOCUMENTS_MAX, SPLICE_BYTES_MAX};

pub(crate) use splice::{Splice, common_start};

/// What an editor did wrong, for its log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{uri} was changed or closed but is not open: open it first")]
    NotOpen { uri: String },
    #[error("{uri} was opened twice; the newer text counts")]
    OpenedTwice { uri: String },
    #[error(
        "{uri} is out of step: version {sent} came after version {held}; no suggestions there until it is reopened"
    )]
    VersionNotNewer { uri: String, held: i64, sent: i64 },
    #[error("{uri} is out of step: a change could not be read ({reason}); no suggestions there until it is reopened")]
    Unreadable { uri: String, reason: String },
    #[error("{uri} is larger than {DOCUMENT_BYTES_MAX} bytes; no suggestions there")]
    TooLarge { uri: String },
    #[error("more than {DOCUMENTS_MAX} documents are open; no suggestions in {uri} until some are closed")]
    TooMany { uri: String },
}

/// Why there is no text to work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    NotOpen,
    OutOfStep,
    TooLarge,
}

/// One change, prepared so that applying it is quick.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    /// The whole text, or why it is not held.
    Whole(Result<Document, Missing>),
    /// A part of it.
    Part(Change),
}

/// The text of a document at one version.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) document: Document,
    pub(crate) version: i64,
}

#[derive(Debug)]
struct Entry {
    /// The newest version seen, even if its change could not be applied.
    version: i64,
    text: Result<Document, Missing>,
}

#[derive(Debug, Default)]
pub(crate) struct Documents {
    open: HashMap<String, Entry>,
}

impl Documents {
    /// # Errors
    /// [`Problem`], after the best was made of it.
    pub(crate) fn open(
        &mut self,
        uri: String,
        version: Option<i64>,
        text: Result<Document, Missing>,
    ) -> Result<(), Problem> {
        if self.open.len() >= DOCUMENTS_MAX && !self.open.contains_key(&uri) {
            return Err(Problem::TooMany { uri });
        }
        let too_large = text.is_err();
        let earlier = self.open.insert(uri.clone(), Entry { version: version.unwrap_or(0), text });
        match (too_large, earlier) {
            (true, _) => Err(Problem::TooLarge { uri }),
            (false, Some(_)) => Err(Problem::OpenedTwice { uri }),
            (false, None) => Ok(()),
        }
    }

    /// Applies the changes that lead to `version`, in their order, and says what each did.
    ///
    /// # Errors
    /// [`Problem`] when something is wrong that was not wrong before.
    pub(crate) fn change(
        &mut self,
        uri: &str,
        version: Option<i64>,
        edits: Vec<Edit>,
        encoding: PositionEncoding,
    ) -> Result<Applied, Problem> {
        let Some(entry) = self.open.get_mut(uri) else {
            return Err(Problem::NotOpen { uri: uri.to_owned() });
        };
        let sent = version.unwrap_or_else(|| entry.version.saturating_add(1));
        if sent <= entry.version {
            let problem = Problem::VersionNotNewer { uri: uri.to_owned(), held: entry.version, sent };
            return entry.lose(Missing::OutOfStep, problem).map(|()| Applied::Unknown);
        }
        entry.version = sent;
        let mut applied = Applied::Spliced(Vec::new());
        for edit in edits {
            applied.add(entry.apply(edit, encoding));
        }
        match &entry.text {
            Ok(document) if document.len() > DOCUMENT_BYTES_MAX => {
                entry.lose(Missing::TooLarge, Problem::TooLarge { uri: uri.to_owned() }).map(|()| Applied::Unknown)
            }
            Ok(_) => Ok(applied),
            Err(_) => Ok(Applied::Unknown),
        }
    }

    /// # Errors
    /// [`Problem::NotOpen`].
    pub(crate) fn close(&mut self, uri: &str) -> Result<(), Problem> {
        self.open.remove(uri).map(drop).ok_or_else(|| Problem::NotOpen { uri: uri.to_owned() })
    }

    /// Gives up the text of a document whose change could not be read.
    ///
    /// # Errors
    /// [`Problem`], unless the text was given up before.
    pub(crate) fn lose(&mut self, uri: &str, reason: String) -> Result<(), Problem> {
        match self.open.get_mut(uri) {
            Some(entry) => entry.lose(Missing::OutOfStep, Problem::Unreadable { uri: uri.to_owned(), reason }),
            None => Err(Problem::NotOpen { uri: uri.to_owned() }),
        }
    }

    /// The text as it is now.
    ///
    /// # Errors
    /// [`Missing`] says why there is none.
    pub(crate) fn snapshot(&self, uri: &str) -> Result<Snapshot, Missing> {
        let entry = self.open.get(uri).ok_or(Missing::NotOpen)?;
        let document = entry.text.as_ref().map_err(|&missing| missing)?.clone();
        Ok(Snapshot { document, version: entry.version })
    }
}

/// What changes did to a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Applied {
    Spliced(Vec<Splice>),
    /// The text is another one now, or none.
    Unknown,
}

impl Applied {
    fn add(&mut self, splice: Option<Splice>) {
        match (&mut *self, splice) {
            (Self::Spliced(splices), Some(splice)) => splices.push(splice),
            (Self::Spliced(_), None) => *self = Self::Unknown,
            (Self::Unknown, _) => {}
        }
    }
}

impl Entry {
    /// What it did, if that is known.
    fn apply(&mut self, edit: Edit, encoding: PositionEncoding) -> Option<Splice> {
        match (edit, &mut self.text) {
            (Edit::Whole(whole), text) => {
                let splice = match (&*text, &whole) {
                    (Ok(before), Ok(after)) if before.len().max(after.len()) <= SPLICE_BYTES_MAX => {
                        Some(Splice::trimmed(0..before.len(), after.text(), before))
                    }
                    _ => None,
                };
                *text = whole;
                splice
            }
            (Edit::Part(change), Ok(document)) => {
                let range = Splice::range_of(&change, document, encoding);
                let before = document.clone();
                document.apply(&change, encoding);
                Some(Splice::trimmed(range, change.text, &before))
            }
            (Edit::Part(_), Err(_)) => None,
        }
    }

    fn lose(&mut self, missing: Missing, problem: Problem) -> Result<(), Problem> {
        let was_there = self.text.is_ok();
        self.text = Err(missing);
        if was_there { Err(problem) } else { Ok(()) }
    }
}

/// A document of `text`, if it is one that can be held.
pub(crate) fn hold(text: &str) -> Result<Document, Missing> {
    if text.len() > DOCUMENT_BYTES_MAX { Err(Missing::TooLarge) } else { Ok(Document::new(text)) }
}

#[cfg(test)]
mod tests;
