//! `initialize`: what this server can do. No model and no file is touched on the way to the answer.

use finch_text::PositionEncoding;
use tower_lsp::lsp_types::{
    ExecuteCommandOptions, InitializeResult, PositionEncodingKind, ServerCapabilities, ServerInfo,
    TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions, TextDocumentSyncSaveOptions,
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
    let commands = vec![method::ACCEPT_COMMAND.to_owned(), method::FEEDBACK_COMMAND.to_owned()];
    let capabilities = ServerCapabilities {
        position_encoding: Some(encoding),
        text_document_sync: Some(TextDocumentSyncCapability::Options(sync)),
        execute_command_provider: Some(ExecuteCommandOptions { commands, ..ExecuteCommandOptions::default() }),
        ..ServerCapabilities::default()
    };
    let version = Some(env!("CARGO_PKG_VERSION").to_owned());
    let server_info = Some(ServerInfo { name: "finch".to_owned(), version });
    Ok(InitializeResult { capabilities, server_info })
}
