//! `initialize`: what this server can do. No model and no file is touched on the way to the answer.

use finch_text::PositionEncoding;
use tower_lsp::lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionProviderCapability, CodeLensOptions, ExecuteCommandOptions,
    InitializeResult, OneOf, PositionEncodingKind, ServerCapabilities, ServerInfo, TextDocumentSyncCapability,
    TextDocumentSyncKind, TextDocumentSyncOptions, TextDocumentSyncSaveOptions, WorkDoneProgressOptions,
    WorkspaceFoldersServerCapabilities, WorkspaceServerCapabilities,
};

use crate::handlers::HandlerError;
use crate::session::Session;
use crate::wire::method;

pub(crate) fn initialize(session: &mut Session, (): ()) -> Result<InitializeResult, HandlerError> {
    let encoding = match session.facts.encoding {
        PositionEncoding::Utf8 => PositionEncodingKind::UTF8,
        PositionEncoding::Utf16 => PositionEncodingKind::UTF16,
    };
    let sync = TextDocumentSyncOptions {
        open_close: Some(true),
        change: Some(TextDocumentSyncKind::INCREMENTAL),
        save: Some(TextDocumentSyncSaveOptions::Supported(true)),
        ..TextDocumentSyncOptions::default()
    };
    let mut commands = vec![method::ACCEPT_COMMAND.to_owned(), method::FEEDBACK_COMMAND.to_owned()];
    if session.has_agent {
        commands.extend(method::AGENT_COMMANDS.map(str::to_owned));
    }
    let code_lens_provider = session.has_agent.then_some(CodeLensOptions { resolve_provider: Some(false) });
    let code_action_provider = session.has_agent.then(|| {
        CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX, CodeActionKind::REFACTOR, CodeActionKind::SOURCE]),
            resolve_provider: Some(false),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        })
    });
    let workspace = session.has_agent.then(|| {
        let folders =
            WorkspaceFoldersServerCapabilities { supported: Some(true), change_notifications: Some(OneOf::Left(true)) };
        WorkspaceServerCapabilities { workspace_folders: Some(folders), file_operations: None }
    });
    let capabilities = ServerCapabilities {
        position_encoding: Some(encoding),
        text_document_sync: Some(TextDocumentSyncCapability::Options(sync)),
        execute_command_provider: Some(ExecuteCommandOptions { commands, ..ExecuteCommandOptions::default() }),
        code_lens_provider,
        code_action_provider,
        workspace,
        ..ServerCapabilities::default()
    };
    let version = Some(env!("CARGO_PKG_VERSION").to_owned());
    let server_info = Some(ServerInfo { name: "finch".to_owned(), version });
    Ok(InitializeResult { capabilities, server_info })
}
