//! What the names near a cursor mean: their definitions in open documents, in the workspace's files, and as the
//! editor's language server tells them.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use finch_text::Document;

use crate::limits::{
    AMBIGUOUS_MAX, DEFINED_FILES_MAX, MEMBERS_MAX, PARSED_MAX, TOLD_BYTES_MAX, TOLD_FILES_MAX, TOLD_MAX,
};
use crate::syntax::{Definition, DefinitionKind, Import, Language, Syntax};

/// A definition that an editor's language server found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub name: String,
    /// Where it stands.
    pub path: String,
    pub text: String,
}

/// Definitions by the file that holds them.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    /// Files of the workspace, those learned last at the end.
    files: VecDeque<(String, Vec<Definition>)>,
    /// Open documents as they were when they were read last.
    parsed: VecDeque<(String, Document, Vec<Definition>)>,
    /// By the document that uses the names.
    told: VecDeque<(String, Vec<Told>)>,
}

/// Where names are looked up from.
pub(super) struct Asked<'a> {
    pub(super) path: Option<&'a str>,
    /// In the order of their weight.
    pub(super) names: &'a [String],
    pub(super) imports: &'a [Import],
    /// Bytes of the document that the prompt holds anyway.
    pub(super) window: Range<usize>,
}

/// A definition worth showing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) path: String,
    pub(super) text: String,
}

impl Definitions {
    pub(super) fn learned(&mut self, path: &str, definitions: Vec<Definition>) {
        self.files.retain(|(known, _)| known != path);
        if self.files.len() >= DEFINED_FILES_MAX {
            self.files.pop_front();
        }
        if !definitions.is_empty() {
            self.files.push_back((path.to_owned(), definitions));
        }
    }

    /// Takes in what an editor tells of the names in a document; whether that is news.
    pub(super) fn told(&mut self, path: &str, mut told: Vec<Told>) -> bool {
        told.truncate(TOLD_MAX);
        for definition in &mut told {
            definition.text.truncate(definition.text.floor_char_boundary(TOLD_BYTES_MAX));
        }
        let known = self.told.iter().position(|(known, _)| known == path).and_then(|at| self.told.remove(at));
        let is_news = known.is_none_or(|(_, known)| known != told);
        if self.told.len() >= TOLD_FILES_MAX {
            self.told.pop_front();
        }
        self.told.push_back((path.to_owned(), told));
        is_news
    }

    /// Reads a document, unless it was read as it is.
    pub(super) fn read(&mut self, path: &str, document: &Document) {
        let Some(language) = Language::of(Some(path), None) else { return };
        if let Some(at) = self.parsed.iter().position(|(known, ..)| known == path) {
            if self.parsed.get(at).is_some_and(|(_, read, _)| read == document) {
                return;
            }
            self.parsed.remove(at);
        } else if self.parsed.len() >= PARSED_MAX {
            self.parsed.pop_front();
        }
        let found = Syntax::parse(language, &document.text()).map(|syntax| syntax.definitions()).unwrap_or_default();
        self.parsed.push_back((path.to_owned(), document.clone(), found));
    }

    /// Definitions of the names, the most telling first.
    pub(super) fn of(&self, asked: &Asked<'_>) -> Vec<Shown> {
        let rank: HashMap<&str, usize> = asked.names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let mut found: Vec<Vec<Candidate<'_>>> = vec![Vec::new(); asked.names.len()];
        for (path, definitions) in self.all() {
            let is_own = Some(path) == asked.path;
            for definition in definitions {
                let Some(&at) = rank.get(definition.name.as_str()) else { continue };
                let is_seen =
                    is_own && asked.window.start < definition.range.end && definition.range.start < asked.window.end;
                let nearness = if is_seen { Nearness::Seen } else { nearness(path, asked) };
                found[at].push(Candidate { nearness, path, definition, beside: definitions });
            }
        }
        let mut shown: Vec<Shown> = Vec::new();
        for (name, mut candidates) in asked.names.iter().zip(found) {
            if let Some(told) = self.told_of(asked.path, name) {
                push(&mut shown, told);
                continue;
            }
            candidates.sort_by_key(|candidate| candidate.nearness);
            let Some(nearest) = candidates.first() else { continue };
            let equals = candidates.iter().filter(|other| other.nearness == nearest.nearness).count();
            if nearest.nearness == Nearness::Seen || equals > AMBIGUOUS_MAX {
                continue;
            }
            push(&mut shown, Shown { path: nearest.path.to_owned(), text: nearest.text() });
        }
        shown
    }

    /// Open documents as they are in the editor, other files as they are on the disk.
    fn all(&self) -> impl Iterator<Item = (&str, &[Definition])> {
        let parsed = self.parsed.iter().map(|(path, _, found)| (path.as_str(), found.as_slice()));
        let is_open = |path: &str| self.parsed.iter().any(|(open, ..)| open == path);
        let files = self.files.iter().filter(move |(path, _)| !is_open(path));
        parsed.chain(files.map(|(path, found)| (path.as_str(), found.as_slice())))
    }

    fn told_of(&self, path: Option<&str>, name: &str) -> Option<Shown> {
        let (_, told) = self.told.iter().find(|(user, _)| Some(user.as_str()) == path)?;
        let told = told.iter().find(|told| told.name == name)?;
        Some(Shown { path: told.path.clone(), text: told.text.clone() })
    }
}

/// What a name may mean.
#[derive(Debug, Clone, Copy)]
struct Candidate<'a> {
    nearness: Nearness,
    path: &'a str,
    definition: &'a Definition,
    /// All that its file defines.
    beside: &'a [Definition],
}

impl Candidate<'_> {
    /// A definition, and of a type what can be done with it.
    fn text(&self) -> String {
        let mut text = self.definition.signature.clone();
        if self.definition.kind != DefinitionKind::Type {
            return text;
        }
        let is_member = |other: &&Definition| other.owner.as_deref() == Some(self.definition.name.as_str());
        for member in self.beside.iter().filter(is_member).take(MEMBERS_MAX) {
            let first = member.signature.lines().next().unwrap_or_default();
            if !text.contains(first) {
                text.push_str("\n    ");
                text.push_str(first);
            }
        }
        text
    }
}

fn push(shown: &mut Vec<Shown>, more: Shown) {
    let is_known = shown.iter().any(|known| known.path == more.path && known.text.contains(&more.text));
    if !is_known {
        shown.push(more);
    }
}

/// How probable it is that a name means what this file defines. The likeliest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Nearness {
    /// The prompt holds it anyway.
    Seen,
    Own,
    Imported,
    Beside,
    Elsewhere,
}

fn nearness(path: &str, asked: &Asked<'_>) -> Nearness {
    if Some(path) == asked.path {
        return Nearness::Own;
    }
    if asked.imports.iter().any(|import| import.may_mean(path)) {
        return Nearness::Imported;
    }
    let folder = |path: &str| path.rsplit_once(['/', '\\']).map(|(folder, _)| folder.to_owned());
    match asked.path {
        Some(own) if folder(own) == folder(path) => Nearness::Beside,
        Some(_) | None => Nearness::Elsewhere,
    }
}

#[cfg(test)]
mod tests;
