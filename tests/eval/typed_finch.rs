//! Typing with finch: a change and a request for each key, as editors send them.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use tempfile::TempDir;

use crate::corpus::File;
use crate::document::Document;
use crate::finch::{Finch, visit, write};
use crate::lsp::{Lsp, uri};
use crate::side::{Look, Side, cpu_of};

pub(crate) struct TypedFinch {
    lsp: Lsp,
    document: Document,
    cursor: usize,
    /// The last key's request, and when its change was sent.
    asked: Option<(i64, Instant)>,
    requests: usize,
    /// The `command` of what is shown.
    shown: Option<serde_json::Value>,
    _workspace: TempDir,
}

impl TypedFinch {
    pub(crate) fn open(finch: &Finch, file: &File, neighbours: &[&File], head: &str) -> Result<Self> {
        let workspace = tempfile::tempdir()?;
        write(workspace.path(), file, head)?;
        for file in neighbours {
            write(workspace.path(), file, &file.text)?;
        }
        let mut lsp = finch.start(workspace.path())?;
        for file in neighbours {
            visit(&mut lsp, workspace.path(), file)?;
        }
        let here = uri(&workspace.path().join(&file.path));
        let document = Document::open(&mut lsp, here, file.language.id(), head.to_owned())?;
        Ok(Self { lsp, document, cursor: head.len(), asked: None, requests: 0, shown: None, _workspace: workspace })
    }
}

impl Side for TypedFinch {
    fn edit(&mut self, range: Range<usize>, text: &str, cursor: usize) -> Result<()> {
        let now = Instant::now();
        self.document.replace(&mut self.lsp, range, text)?;
        if let Some((id, _)) = self.asked.take() {
            self.lsp.notify("$/cancelRequest", &json!({ "id": id }))?;
        }
        self.lsp.forget();
        self.cursor = cursor;
        self.asked = Some((self.document.ask(&mut self.lsp, cursor)?, now));
        self.requests += 1;
        Ok(())
    }

    fn pause(&mut self, gap: Duration) -> Result<()> {
        // Nothing is done with what comes meanwhile: the typist does not look up.
        std::thread::sleep(gap);
        Ok(())
    }

    fn look(&mut self) -> Result<Look> {
        let Some((id, sent)) = self.asked.take() else { return Ok(Look::default()) };
        let (answered, answer) = self.lsp.answer(id)?;
        let (text, replaced) = self.document.shown(&answer, self.cursor)?.unwrap_or_default();
        let command = answer["result"]["items"][0]["command"].clone();
        self.shown = (!text.is_empty()).then_some(command);
        if let Some(command) = &self.shown {
            self.lsp.notify("finch/didShow", &json!({ "id": command["arguments"][0]["id"] }))?;
        }
        Ok(Look { text, replaced, time: answered - sent })
    }

    fn accept(&mut self) -> Result<()> {
        if let Some(command) = self.shown.take() {
            let arguments = command["arguments"].clone();
            self.lsp.send("workspace/executeCommand", json!({"command": "finch.accept", "arguments": arguments}))?;
        }
        Ok(())
    }

    fn requests(&self) -> usize {
        self.requests
    }

    fn cpu(&self) -> Result<Duration> {
        cpu_of(self.lsp.pid())
    }
}
