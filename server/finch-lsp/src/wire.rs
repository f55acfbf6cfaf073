//! The messages as they stand on the wire, and their JSON Schemas.
//!
//! Every type here is a promise to clients: it has a schema under `schemas/lsp/` and, if it is finch's own, a
//! section in `docs/protocol.md`; tests hold both. Handlers convert by hand; nothing else serialises.

pub mod agent;
pub mod agent_client;
pub mod context;
pub(crate) mod document;
pub mod explain;
pub mod feedback;
pub mod inline;
pub mod settings;
pub mod status;
pub mod suggestion;
pub mod turn_event;

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

    /// Notification to the client: something happened in a turn of the agent.
    pub const TURN_EVENT: &str = "finch/turnEvent";
    /// Notification from the client: a turn is to stop.
    pub const TURN_CANCEL: &str = "finch/turnCancel";
    /// Request to the client: may the agent do this?
    pub const APPROVE: &str = "finch/approve";
    /// Request to the client: questions of the model to the user.
    pub const ASK_USER: &str = "finch/askUser";
    /// Request to the client: documents to be saved.
    pub const SAVE: &str = "finch/save";
    /// Request to the client: what is wrong in documents.
    pub const DIAGNOSTICS: &str = "finch/diagnostics";
    /// Notification to the client: it is to start the server anew.
    pub const RESTART: &str = "finch/restart";

    /// Every message and command of finch's own, but for the agent's commands.
    pub const OWN: [&str; 16] = [
        DID_SHOW,
        DID_ACCEPT,
        DID_REJECT,
        CONTEXT,
        FEEDBACK,
        EXPLAIN_LAST,
        STATUS,
        ACCEPT_COMMAND,
        FEEDBACK_COMMAND,
        TURN_EVENT,
        TURN_CANCEL,
        APPROVE,
        ASK_USER,
        SAVE,
        DIAGNOSTICS,
        RESTART,
    ];

    /// The commands of the agent.
    pub const AGENT_COMMANDS: [&str; 19] = [
        "finch.plan",
        "finch.approve",
        "finch.revise",
        "finch.stop",
        "finch.resume",
        "finch.undoTurn",
        "finch.ask",
        "finch.explain",
        "finch.fix",
        "finch.edit",
        "finch.test",
        "finch.document",
        "finch.acceptHunk",
        "finch.rejectHunk",
        "finch.acceptFile",
        "finch.rejectFile",
        "finch.acceptAll",
        "finch.rejectAll",
        "finch.showLog",
    ];
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
        ("finch.turn", schema_for!(agent::Turn)),
        ("finch.someTurn", schema_for!(agent::SomeTurn)),
        ("finch.plan", schema_for!(agent::PlanTask)),
        ("finch.approvePlan", schema_for!(agent::ApprovePlan)),
        ("finch.revise", schema_for!(agent::RevisePlan)),
        ("finch.ask", schema_for!(agent::AskAbout)),
        ("finch.place", schema_for!(agent::Place)),
        ("finch.fix", schema_for!(agent::FixPlace)),
        ("finch.edit", schema_for!(agent::EditPlace)),
        ("finch.hunk", schema_for!(agent::HunkChoice)),
        ("finch.file", schema_for!(agent::FileChoice)),
        ("finch.all", schema_for!(agent::AllChoice)),
        ("finch.turnEvent", schema_for!(turn_event::TurnEvent)),
        ("finch.approve.params", schema_for!(agent_client::Permission)),
        ("finch.approve.result", schema_for!(Option<agent_client::PermissionGiven>)),
        ("finch.askUser.params", schema_for!(agent_client::UserQuestions)),
        ("finch.askUser.result", schema_for!(Option<agent_client::UserAnswers>)),
        ("finch.save.params", schema_for!(agent_client::SaveFiles)),
        ("finch.save.result", schema_for!(agent_client::FilesSaved)),
        ("finch.diagnostics.params", schema_for!(agent_client::WantedDiagnostics)),
        ("finch.diagnostics.result", schema_for!(agent_client::ReportedDiagnostics)),
        ("finch.restart", schema_for!(agent_client::RestartWanted)),
    ]
}

#[cfg(test)]
mod tests;
