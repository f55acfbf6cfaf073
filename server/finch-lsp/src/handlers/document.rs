//! `textDocument/didOpen`, `didChange`, `didSave`, `didClose`: the text, in step with the editor.
//!
//! Texts are built before the session is locked. A message that cannot be read loses its document, because its
//! text is no longer the editor's.

use finch_text::{Change, Position, Range};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::dispatch::Shared;
use crate::documents::{Edit, hold};
use crate::places::place_of;
use crate::wire;
use crate::wire::document::{DidChange, DidClose, DidOpen, OpenedDocument};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentMethod {
    Open,
    Change,
    Save,
    Close,
}

impl DocumentMethod {
    pub(crate) fn of(method: &str) -> Option<Self> {
        match method {
            "textDocument/didOpen" => Some(Self::Open),
            "textDocument/didChange" => Some(Self::Change),
            "textDocument/didSave" => Some(Self::Save),
            "textDocument/didClose" => Some(Self::Close),
            _ => None,
        }
    }
}

/// Applies one notification before it returns.
pub(crate) fn apply(shared: &Shared, method: DocumentMethod, params: Value) {
    let uri = params.pointer("/textDocument/uri").and_then(Value::as_str).unwrap_or_default().to_owned();
    let applied = match method {
        DocumentMethod::Open => open(shared, params),
        DocumentMethod::Change => change(shared, params),
        // Nothing of the text depends on it.
        DocumentMethod::Save => shared.with_session(|session| session.save(&uri)).ok_or_else(panicked),
        DocumentMethod::Close => close(shared, params),
    };
    if let Err(reason) = applied {
        shared.with_session(|session| session.lose(&uri, reason));
    }
}

fn open(shared: &Shared, params: Value) -> Result<(), String> {
    let DidOpen { text_document } = read(params)?;
    let text = hold(&text_document.text);
    let OpenedDocument { uri, version, language_id, .. } = text_document;
    // Links are followed once, before the session is locked; nobody asks where there is no agent.
    let place = shared.agent.as_ref().and_then(|_| place_of(&uri));
    shared.with_session(|session| session.open(uri, version, language_id, text, place)).ok_or_else(panicked)
}

fn change(shared: &Shared, params: Value) -> Result<(), String> {
    let DidChange { text_document, content_changes } = read(params)?;
    let edits: Vec<Edit> = content_changes
        .into_iter()
        .map(|change| match change.range {
            None => Edit::Whole(hold(&change.text)),
            Some(range) => Edit::Part(Change { range: Some(range_of(range)), text: change.text }),
        })
        .collect();
    let (uri, version) = (text_document.uri, text_document.version);
    shared.with_session(|session| session.change(&uri, version, edits)).ok_or_else(panicked)
}

fn close(shared: &Shared, params: Value) -> Result<(), String> {
    let DidClose { text_document } = read(params)?;
    shared.with_session(|session| session.close(&text_document.uri)).ok_or_else(panicked)
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, String> {
    serde_json::from_value(params).map_err(|error| error.to_string())
}

fn panicked() -> String {
    "an internal error".to_owned()
}

pub(crate) fn position_of(position: wire::inline::Position) -> Position {
    Position { line: position.line, character: position.character }
}

pub(crate) fn range_of(range: wire::inline::Range) -> Range {
    Range { start: position_of(range.start), end: position_of(range.end) }
}
