//! A document as an editor holds it: the text, its version, and the messages that tell the server about it.

use std::ops::Range;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::lsp::Lsp;

pub(crate) struct Document {
    uri: String,
    pub(crate) text: String,
    version: i64,
}

impl Document {
    pub(crate) fn open(lsp: &mut Lsp, uri: String, language: &str, text: String) -> Result<Self> {
        lsp.notify(
            "textDocument/didOpen",
            &json!({"textDocument": {"uri": uri, "languageId": language, "version": 1, "text": text}}),
        )?;
        Ok(Self { uri, text, version: 1 })
    }

    pub(crate) fn replace(&mut self, lsp: &mut Lsp, range: Range<usize>, text: &str) -> Result<()> {
        self.version += 1;
        let change = json!({
            "range": {"start": self.position(range.start), "end": self.position(range.end)}, "text": text,
        });
        self.text.replace_range(range, text);
        lsp.notify(
            "textDocument/didChange",
            &json!({"textDocument": {"uri": self.uri, "version": self.version}, "contentChanges": [change]}),
        )
    }

    pub(crate) fn save(&self, lsp: &mut Lsp) -> Result<()> {
        lsp.notify("textDocument/didSave", &json!({"textDocument": {"uri": self.uri}}))
    }

    /// Asks for a suggestion as an editor does while somebody types.
    pub(crate) fn ask(&self, lsp: &mut Lsp, cursor: usize) -> Result<i64> {
        lsp.send(
            "textDocument/inlineCompletion",
            json!({
                "textDocument": {"uri": self.uri},
                "position": self.position(cursor),
                "context": {"triggerKind": 2},
            }),
        )
    }

    /// The first item of an answer as a text at the cursor and the bytes behind it that it replaces.
    pub(crate) fn shown(&self, answer: &Value, cursor: usize) -> Result<Option<(String, usize)>> {
        let items = answer["result"].get("items").unwrap_or(&answer["result"]);
        let Some(item) = items.as_array().and_then(|items| items.first()) else { return Ok(None) };
        let text = item["insertText"].as_str().or_else(|| item["insertText"]["value"].as_str());
        let text = text.context("an item without a text")?;
        let Some(range) = item.get("range").filter(|range| !range.is_null()) else {
            return Ok(Some((text.to_owned(), 0)));
        };
        let (start, end) = (self.offset(&range["start"])?, self.offset(&range["end"])?);
        let text = text.strip_prefix(&self.text[start.min(cursor)..cursor]).unwrap_or(text);
        let behind = &self.text[cursor..end.max(cursor)];
        // What stands there already and is put back is neither replaced nor said.
        let same = text.chars().rev().zip(behind.chars().rev()).take_while(|(a, b)| a == b);
        let same: usize = same.map(|(c, _)| c.len_utf8()).sum();
        Ok(Some((text[..text.len() - same].to_owned(), behind.len() - same)))
    }

    fn position(&self, offset: usize) -> Value {
        let before = &self.text[..offset];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        json!({"line": before.bytes().filter(|&byte| byte == b'\n').count(), "character": offset - start})
    }

    fn offset(&self, position: &Value) -> Result<usize> {
        let line = position["line"].as_u64().context("no line")?;
        let character = usize::try_from(position["character"].as_u64().context("no character")?)?;
        let line = usize::try_from(line)?;
        let start: usize = self.text.split_inclusive('\n').take(line).map(str::len).sum();
        Ok((start + character).min(self.text.len()))
    }
}
