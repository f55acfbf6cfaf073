//! The messages as they stand on the wire, and their JSON Schemas.
//!
//! Every type here is a promise to clients: it has a schema under `schemas/lsp/` and, if it is finch's own, a
//! section in `docs/protocol.md`; tests hold both. Handlers convert by hand; nothing else serialises.

pub mod context;
pub(crate) mod document;
pub mod explain;
pub mod feedback;
pub mod inline;
pub mod settings;
pub mod status;
pub mod suggestion;

use schemars::{Schema, schema_for};

/// finch's own methods and the inline completion of the protocol's version 3.18, which the protocol library lacks.
pub mod method {
    /// Request: suggestions at a position.
    pub const INLINE_COMPLETION: &str = "textDocument/inlineCompletion";
    /// Notification from the client: a suggestion became visible.
    pub const DID_SHOW: &str = "finch/didShow";
    /// Notification from the client: a suggestion was accepted, whole or in part.
    pub const DID_ACCEPT: &str = "finch/didAccept";
    /// Notification from the client: a suggestion was rejected.
    pub const DID_REJECT: &str = "finch/didReject";
    /// Notification from the client: what it knows around a document.
    pub const CONTEXT: &str = "finch/context";
    /// Request: what a person says of a suggestion.
    pub const FEEDBACK: &str = "finch/feedback";
    /// Request: what became of the last request for a suggestion.
    pub const EXPLAIN_LAST: &str = "finch/explainLast";
    /// Notification to the client on every change, and a request of the client: how far the model is.
    pub const STATUS: &str = "finch/status";
    /// The command that editors run when a suggestion was accepted.
    pub const ACCEPT_COMMAND: &str = "finch.accept";
    /// The same as the request, for clients that can only run commands.
    pub const FEEDBACK_COMMAND: &str = "finch.feedback";

    /// Every message and command of finch's own.
    pub const OWN: [&str; 9] =
        [DID_SHOW, DID_ACCEPT, DID_REJECT, CONTEXT, FEEDBACK, EXPLAIN_LAST, STATUS, ACCEPT_COMMAND, FEEDBACK_COMMAND];
}

/// The schema files of all messages: a file name without its ending, and the schema.
#[must_use]
pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("inlineCompletion.params", schema_for!(inline::InlineCompletionParams)),
        ("inlineCompletion.result", schema_for!(Option<inline::InlineCompletionList>)),
        ("finch.didShow", schema_for!(suggestion::DidShow)),
        ("finch.didAccept", schema_for!(suggestion::DidAccept)),
        ("finch.didReject", schema_for!(suggestion::DidReject)),
        ("finch.context", schema_for!(context::Surroundings)),
        ("finch.feedback.params", schema_for!(feedback::Feedback)),
        ("finch.feedback.result", schema_for!(feedback::Recorded)),
        ("finch.explainLast.result", schema_for!(explain::Explanation)),
        ("finch.status", schema_for!(status::Status)),
        ("finch.settings", schema_for!(settings::ClientSettings)),
    ]
}

#[cfg(test)]
mod tests;
