//! Sessions over a pipe in memory, with a model whose every word the test decides. Waiting is by message only.

mod agent;
mod clouds;
mod completion;
mod configured;
mod context;
mod framing;
mod lifecycle;
mod load;
mod ordering;
mod outcomes;
mod questions;
mod status;
pub(crate) mod support;

use serde_json::{Value, json};
use tower_lsp::lsp_types::request::ShowMessageRequest;
use tower_lsp::lsp_types::{MessageType, ShowMessageRequestParams};
use tower_lsp::{LspServiceBuilder, jsonrpc};

use crate::dispatch::Dispatch;
use crate::handlers::HandlerError;
use crate::session::Session;

/// Methods that only tests have.
pub(crate) fn with_test_methods(builder: LspServiceBuilder<Dispatch>) -> LspServiceBuilder<Dispatch> {
    builder
        .custom_method("test/version", Dispatch::test_version)
        .custom_method("test/wait", Dispatch::test_wait)
        .custom_method("test/panic", Dispatch::test_panic)
        .custom_method("test/panicInPrologue", Dispatch::test_panic_in_prologue)
        .custom_method("test/panicInNotification", Dispatch::test_panic_in_notification)
        .custom_method("test/ask", Dispatch::test_ask)
}

impl Dispatch {
    /// The version and the text that a handler sees which takes its time.
    async fn test_version(&self, params: Value) -> jsonrpc::Result<Value> {
        fn handler(
            session: &mut Session,
            params: Value,
        ) -> impl Future<Output = Result<Value, HandlerError>> + Send + use<> {
            let snapshot = session.documents.snapshot(params["uri"].as_str().unwrap());
            async move {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                Ok(match snapshot {
                    Ok(snapshot) => json!({"version": snapshot.version, "text": snapshot.document.text()}),
                    Err(missing) => json!(format!("{missing:?}")),
                })
            }
        }
        self.run(handler, params).await
    }

    async fn test_wait(&self) -> jsonrpc::Result<()> {
        self.run(|_, ()| std::future::pending(), ()).await
    }

    async fn test_panic(&self) -> jsonrpc::Result<()> {
        self.run(|_, ()| async { panic!("on purpose") }, ()).await
    }

    async fn test_panic_in_prologue(&self) -> jsonrpc::Result<()> {
        self.run(|_, ()| panic_at_once(), ()).await
    }

    async fn test_panic_in_notification(&self) {
        self.shared.with_session(|_| panic_at_once());
    }

    /// Asks the client to choose, and answers with the choice.
    async fn test_ask(&self) -> jsonrpc::Result<Value> {
        let params = ShowMessageRequestParams { typ: MessageType::INFO, message: "well?".to_owned(), actions: None };
        let answer = self.shared.editor.ask_client::<ShowMessageRequest>(params);
        Ok(match answer.await {
            Ok(choice) => json!(choice.map(|action| action.title)),
            Err(error) => json!(error.to_string()),
        })
    }
}

fn panic_at_once() -> std::future::Ready<Result<(), HandlerError>> {
    panic!("on purpose")
}
