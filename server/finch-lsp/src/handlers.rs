//! One handler, one file: `fn(&mut Session, Params)`, with a future for an answer where there is work to do.
//!
//! The prologue runs in wire order and cannot await; the future cannot hold the session. `dispatch` calls them.

pub(crate) mod configuration;
pub(crate) mod context;
pub(crate) mod document;
pub(crate) mod execute_command;
pub(crate) mod explain_last;
pub(crate) mod feedback;
pub(crate) mod folders;
pub(crate) mod initialize;
pub(crate) mod inline_completion;
pub(crate) mod status;
pub(crate) mod suggestion;

/// Why a handler has no answer. The client gets it as an error; "no suggestion" is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandlerError {
    /// The client asked for something that does not exist, or in a way nobody understands.
    #[error("{reason}")]
    BadRequest { reason: String },
    /// It could not be done, for a reason that may pass.
    #[error("{reason}")]
    Failed { reason: String },
}
