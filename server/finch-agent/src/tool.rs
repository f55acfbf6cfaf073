//! What a tool is: a description for the model, the effects of a call, and the call itself.

use std::{
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
};

use finch_llm::ToolSpec;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{Access, Permit, escape, turn::Event, view::View};

/// What a call came to, as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub text: String,
    /// The tool failed, and `text` says how.
    pub is_error: bool,
    /// The files that `text`, or what the model wrote for it, has text of: where a request with it may go depends on
    /// them. What a command prints is of no known file.
    pub files: Vec<PathBuf>,
}

impl Outcome {
    pub(crate) fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: false, files: Vec::new() }
    }

    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: true, files: Vec::new() }
    }

    /// The same, with text of these files in it.
    pub(crate) fn of(self, files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { files: files.into_iter().collect(), ..self }
    }

    /// The permit is for something else than what the call would do now.
    pub(crate) fn not_permitted() -> Self {
        Self::failed(
            "nothing was done: a file changed after this was permitted, so the call would do something else now; \
             look again and call the tool anew",
        )
    }
}

/// Arguments that a tool cannot be called with. The text is told to the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadCall(pub String);

/// What a tool works on. A clone works on the same.
#[derive(Clone)]
pub struct ToolContext {
    /// The folder that is worked in, canonical. Paths of the model start here.
    pub workspace: Arc<Path>,
    pub view: View,
    /// Files that a search leaves out, whatever its permit: those that nobody may read.
    pub leave_out: Arc<dyn Fn(&Path) -> bool + Send + Sync>,
    /// Where output goes while the call runs.
    pub live: Live,
    /// Marks what is to be stopped when the turn ends.
    pub stop: CancellationToken,
}

impl ToolContext {
    /// A context that leaves nothing out and shows nothing while it runs.
    #[must_use]
    pub fn new(workspace: Arc<Path>, view: View) -> Self {
        Self { workspace, view, leave_out: Arc::new(|_| false), live: Live::default(), stop: CancellationToken::new() }
    }

    /// The canonical path that the model means.
    pub(crate) fn resolve(&self, given: &str) -> Result<PathBuf, BadCall> {
        crate::view::resolve(&self.workspace, given).map_err(|error| BadCall(error.to_string()))
    }

    /// A path as the model is told it: from the workspace where it lies there, with `/`, and escaped.
    pub(crate) fn name(&self, path: &Path) -> String {
        let name = escape::text(&self.plain_name(path)).replace('\t', "\\t");
        if name.is_empty() { ".".to_owned() } else { name }
    }

    /// The same as it is, as settings and the ledger have it.
    pub(crate) fn plain_name(&self, path: &Path) -> String {
        let name = path.strip_prefix(&self.workspace).unwrap_or(path).to_string_lossy();
        if cfg!(windows) { name.replace('\\', "/") } else { name.into_owned() }
    }
}

impl std::fmt::Debug for ToolContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolContext").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}

/// Shows output of a call while it runs. What the reader has no room for is not shown; the outcome has it.
#[derive(Debug, Clone, Default)]
pub struct Live {
    to: Option<(mpsc::Sender<Event>, Arc<str>)>,
}

impl Live {
    pub(crate) fn new(events: mpsc::Sender<Event>, call_id: &str) -> Self {
        Self { to: Some((events, call_id.into())) }
    }

    pub(crate) fn show(&self, text: &str) {
        if let Some((events, call_id)) = &self.to
            && let Err(error) = events.try_send(Event::Output { call_id: call_id.to_string(), text: text.to_owned() })
        {
            tracing::trace!(%error, "output not shown");
        }
    }
}

/// A call on its way. Dropping it stops it.
pub type Call<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// A tool that the model may call. Dropping the future of a call stops it.
pub trait Tool: Send + Sync + 'static {
    fn spec(&self) -> ToolSpec;

    /// Everything that the call would do; nothing is done yet. May block for as long as the disk takes.
    ///
    /// # Errors
    /// [`BadCall`] if the arguments make no call.
    fn access(&self, arguments: &Map<String, Value>, context: &ToolContext) -> Result<Vec<Access>, BadCall>;

    fn call<'a>(&'a self, permit: Permit, arguments: Map<String, Value>, context: &'a ToolContext) -> Call<'a>;
}

/// The arguments as the type that a tool reads.
pub(crate) fn read<T: serde::de::DeserializeOwned>(arguments: &Map<String, Value>) -> Result<T, BadCall> {
    serde_json::from_value(Value::Object(arguments.clone()))
        .map_err(|error| BadCall(format!("the arguments do not fit the tool: {error}")))
}

/// Does work that blocks, away from the runtime's own threads. It may go on for a moment when this is dropped, and so
/// must change nothing.
pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Outcome> {
    let broke_off = |error| Outcome::failed(format!("the tool broke off: {error}; try it another way"));
    tokio::task::spawn_blocking(work).await.map_err(broke_off)
}

/// The same for work that is a whole call.
pub(crate) async fn blocking(work: impl FnOnce() -> Outcome + Send + 'static) -> Outcome {
    off_thread(work).await.unwrap_or_else(|outcome| outcome)
}
