//! What a tool is: a description for the model, the effects of a call, and the call itself.

use std::future::Future;
use std::pin::Pin;

use finch_llm::ToolSpec;
use serde_json::{Map, Value};

use crate::{Access, Permit};

/// What a call came to, as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub text: String,
    /// The tool failed, and `text` says how.
    pub is_error: bool,
}

/// Arguments that a tool cannot be called with. The text is told to the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadCall(pub String);

/// What a tool works on. Filled in by the crate's parts as they come.
#[derive(Debug)]
pub struct ToolContext<'a> {
    /// Marks what is to be stopped when the turn ends.
    pub stop: &'a tokio_util::sync::CancellationToken,
}

/// A tool that the model may call. Dropping the future of a call stops it.
pub trait Tool: Send + Sync + 'static {
    fn spec(&self) -> ToolSpec;

    /// Everything that the call would do; nothing is done yet.
    ///
    /// # Errors
    /// [`BadCall`] if the arguments make no call.
    fn access(&self, arguments: &Map<String, Value>, context: &ToolContext<'_>) -> Result<Vec<Access>, BadCall>;

    fn call<'a>(
        &'a self,
        permit: Permit,
        arguments: Map<String, Value>,
        context: &'a ToolContext<'a>,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;
}
