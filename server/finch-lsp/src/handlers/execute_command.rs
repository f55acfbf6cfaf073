//! `workspace/executeCommand`: `finch.accept`, which editors run after they inserted a suggestion, and `finch.feedback`.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower_lsp::lsp_types::ExecuteCommandParams;

use crate::handlers::{HandlerError, feedback};
use crate::outcomes::Teller;
use crate::session::Session;
use crate::wire::inline::Provenance;
use crate::wire::method;
use crate::wire::suggestion::{AcceptKind, DidAccept};

pub(crate) fn execute_command(
    session: &mut Session,
    params: ExecuteCommandParams,
) -> impl Future<Output = Result<Option<Value>, HandlerError>> + Send + use<> {
    let recording = match params.command.as_str() {
        method::ACCEPT_COMMAND => accept(session, params).map(|()| None),
        method::FEEDBACK_COMMAND => argument(params).map(|said| Some(feedback::feedback(session, said))),
        unknown => Err(HandlerError::BadRequest { reason: format!("there is no command {unknown}") }),
    };
    async move {
        match recording? {
            Some(recording) => recording.await.map(|recorded| Some(json!(recorded))),
            None => Ok(None),
        }
    }
}

fn accept(session: &Session, params: ExecuteCommandParams) -> Result<(), HandlerError> {
    let suggestion: Provenance = argument(params)?;
    // The editor does not say how long it was; it was the whole suggestion.
    let accept = DidAccept { id: suggestion.id, length: 0, kind: AcceptKind::Full };
    session.records.accepted(&accept);
    session.outcomes.accepted(&accept, Teller::Command);
    Ok(())
}

/// The one argument of a command.
fn argument<T: DeserializeOwned>(params: ExecuteCommandParams) -> Result<T, HandlerError> {
    let first = params.arguments.into_iter().next().unwrap_or_default();
    serde_json::from_value(first)
        .map_err(|error| HandlerError::BadRequest { reason: format!("{}: {error}", params.command) })
}
