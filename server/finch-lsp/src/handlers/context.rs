//! `finch/context`: takes in what the editor's other servers know.

use finch_complete::{Diagnostic, Told};

use crate::path::path_of;
use crate::session::Session;
use crate::wire::context::Surroundings;

pub(crate) fn context(session: &mut Session, params: Surroundings) {
    let path = path_of(&params.uri);
    if let Some(diagnostics) = params.diagnostics {
        let line = |line| usize::try_from(line).unwrap_or(usize::MAX);
        let diagnostics = diagnostics
            .into_iter()
            .map(|found| Diagnostic { line: line(found.line), message: found.message })
            .collect();
        session.completer.context().diagnosed(&path, diagnostics);
    }
    if let Some(definitions) = params.definitions {
        let told = definitions
            .into_iter()
            .map(|found| Told { name: found.name, path: path_of(&found.uri), text: found.text })
            .collect();
        session.completer.context().told(&path, told);
    }
}
