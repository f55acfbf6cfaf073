//! What the editor's other servers say is wrong: asked of clients that can tell.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use finch_agent::tools::diagnostics::{Diagnostic, Reported, Reports, Severity};
use finch_agent::view::{Content, View};
use finch_text::{Document, PositionEncoding};
use tower_lsp::lsp_types::request::Request;

use super::buffers::EditorBuffers;
use super::files::uri_of;
use super::off_thread;
use crate::handlers::document::position_of;
use crate::limits::{ANSWER_WAIT, REPORTED_MAX};
use crate::places::place_of;
use crate::wire::agent_client::{ReportedDiagnostic, ReportedDiagnostics, WantedDiagnostics};
use crate::wire::method;

enum AskDiagnostics {}

impl Request for AskDiagnostics {
    type Params = WantedDiagnostics;
    type Result = ReportedDiagnostics;
    const METHOD: &'static str = method::DIAGNOSTICS;
}

pub(super) struct EditorReports {
    pub(super) buffers: EditorBuffers,
    pub(super) encoding: PositionEncoding,
}

impl Reports for EditorReports {
    fn diagnostics<'a>(&'a self, path: &'a Path) -> Reported<'a> {
        Box::pin(self.ask(path))
    }
}

impl EditorReports {
    async fn ask(&self, path: &Path) -> Result<Vec<Diagnostic>, String> {
        let place = path.to_owned();
        let is_folder = off_thread(move || place.is_dir()).await?;
        let uris = (!is_folder).then(|| vec![uri_of(&self.buffers, path)]);
        let editor = &self.buffers.shared.editor;
        let asked = editor.ask_person::<AskDiagnostics>(WantedDiagnostics { uris }, ANSWER_WAIT);
        let told = asked.await.map_err(|error| error.to_string())?;
        let (buffers, encoding) = (self.buffers.clone(), self.encoding);
        off_thread(move || read(told, buffers, encoding)).await
    }
}

fn read(told: ReportedDiagnostics, buffers: EditorBuffers, encoding: PositionEncoding) -> Vec<Diagnostic> {
    let view = View::new(Arc::new(buffers), Arc::default());
    let mut texts: HashMap<PathBuf, Option<Document>> = HashMap::new();
    let mut found = Vec::new();
    for one in told.diagnostics.into_iter().take(REPORTED_MAX) {
        let Some(path) = place_of(&one.uri) else { continue };
        let text = texts.entry(path.clone()).or_insert_with(|| match view.look(&path) {
            Ok(Content::Text(seen)) => Some(Document::new(&seen.text)),
            Ok(_) | Err(_) => None,
        });
        let (line, column) = place(&one, text.as_ref(), encoding);
        let severity = match one.severity {
            1 => Severity::Error,
            2 => Severity::Warning,
            3 => Severity::Information,
            _ => Severity::Hint,
        };
        found.push(Diagnostic { path, line, column, severity, message: one.message, source: one.source });
    }
    found
}

/// Line and column from 1, the column in characters where the text is known.
fn place(one: &ReportedDiagnostic, text: Option<&Document>, encoding: PositionEncoding) -> (usize, usize) {
    let start = one.range.start;
    let plain = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).saturating_add(1);
    let Some(text) = text else { return (plain(start.line), plain(start.character)) };
    let offset = text.offset(position_of(start), encoding);
    let line = text.line_of(offset);
    (line + 1, text.slice(text.line_start(line)..offset).chars().count() + 1)
}
