//! `workspace/executeCommand`: `finch.accept`, which editors run after they inserted a suggestion.

use serde_json::Value;
use tower_lsp::lsp_types::ExecuteCommandParams;

use crate::handlers::HandlerError;
use crate::session::Session;
use crate::wire::inline::Provenance;
use crate::wire::method;
use crate::wire::suggestion::{AcceptKind, DidAccept};

pub(crate) fn execute_command(
    session: &mut Session,
    params: ExecuteCommandParams,
) -> Result<Option<Value>, HandlerError> {
    run(session, params).map(|()| None)
}

fn run(session: &Session, params: ExecuteCommandParams) -> Result<(), HandlerError> {
    if params.command != method::ACCEPT_COMMAND {
        return Err(HandlerError::BadRequest { reason: format!("there is no command {}", params.command) });
    }
    let first = params.arguments.into_iter().next().unwrap_or_default();
    let suggestion: Provenance = serde_json::from_value(first)
        .map_err(|error| HandlerError::BadRequest { reason: format!("{}: {error}", method::ACCEPT_COMMAND) })?;
    // The editor does not say how long it was; it was the whole suggestion.
    session.records.accepted(&DidAccept { id: suggestion.id, length: 0, kind: AcceptKind::Full });
    Ok(())
}
