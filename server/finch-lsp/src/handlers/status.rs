//! `finch/status` as a request: how far the model is, in the words of the notification.

use finch_complete::Reason;
use finch_llm::{ModelState, ProviderId};

use crate::clouds::Seen;
use crate::handlers::HandlerError;
use crate::session::Session;
use crate::wire::status::{State, Status};

pub(crate) fn status(session: &mut Session, (): ()) -> Result<Status, HandlerError> {
    Ok(status_of(&session.state.borrow(), &session.provider.id(), session.seen.borrow().clone()))
}

/// The state as clients see it.
pub(crate) fn status_of(state: &ModelState, provider: &ProviderId, seen: Seen) -> Status {
    let told = |state: State| Status {
        state,
        model: None,
        provider: provider.to_string(),
        reason: None,
        error: None,
        next: None,
        file: None,
        done: None,
        total: None,
        answered: seen.answered.clone(),
        left: seen.left.clone(),
    };
    let loading = Some(Reason::ModelLoading.to_string());
    let absent = Some(Reason::NoModel.to_string());
    match state.clone() {
        ModelState::Absent { next } => Status { reason: absent, next: Some(next), ..told(State::Absent) },
        ModelState::Starting => Status { reason: loading, ..told(State::Starting) },
        ModelState::Downloading { file, bytes_done, bytes_total } => Status {
            reason: loading,
            file: Some(file),
            done: Some(bytes_done),
            total: bytes_total,
            ..told(State::Downloading)
        },
        ModelState::Importing { bytes_done, bytes_total } => {
            Status { reason: loading, done: Some(bytes_done), total: Some(bytes_total), ..told(State::Importing) }
        }
        ModelState::Loading { model } => Status { reason: loading, model: Some(model), ..told(State::Loading) },
        ModelState::Ready { model } => Status { model: Some(model), ..told(State::Ready) },
        ModelState::Failed { error, next } => {
            Status { reason: absent, error: Some(error), next: Some(next), ..told(State::Failed) }
        }
    }
}
