//! One session from its first byte to its end.
//!
//! The binary calls it on stdin and stdout, tests on a pipe in memory. Everything a session starts ends before
//! `serve` returns, or is given up after a bounded wait.

use std::sync::Arc;

use finch_complete::Options;
use finch_learn::Journal;
use finch_llm::{Provider, StateReceiver};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use crate::agent::AgentBackend;
use crate::clouds::Clouds;
use crate::configured::Configuration;
use crate::dispatch;
use crate::limits::{DRAIN_WAIT, OUTGOING_MESSAGES_MAX};
use crate::ordered::Phase;
use crate::pump::{self, Reader};
use crate::tasks::Tasks;

/// What stands behind the language server.
pub struct Backend {
    /// Who writes the suggestions.
    pub provider: Arc<dyn Provider>,
    /// How far the model is.
    pub state: StateReceiver,
    pub options: Options,
    pub settings: Settings,
    /// Where it is written down what becomes of suggestions, if the user lets it.
    pub journal: Option<Journal>,
    /// Absent where no provider beyond this machine is configured.
    pub clouds: Option<Clouds>,
    /// Absent where the settings stay what they are.
    pub configuration: Option<Configuration>,
    /// Absent where no tasks are carried out.
    pub agent: Option<AgentBackend>,
}

/// The user's switches. The editor may set them anew for its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether suggestions are offered.
    pub enabled: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// After `shutdown`. The process should exit with 0.
    Clean,
    /// Without it: by a bare `exit`, because the client went away, or because its messages could not be
    /// followed. The process should exit with 1.
    WithoutShutdown,
}

/// Serves one client until it ends the session or is gone.
///
/// A reader of stdin may still be blocked when this returns; the caller ends its runtime without waiting for it.
pub async fn serve<I, O>(input: I, output: O, backend: Backend) -> Ended
where
    I: AsyncRead + Unpin,
    O: AsyncWrite + Unpin + Send + 'static,
{
    let tasks = Tasks::default();
    // For a caller that drops this future half-way.
    let _guard = tasks.cancel_on_drop();
    let (service, socket, shared) = dispatch::service(backend, &tasks);
    let (calls, answers) = socket.split();
    let (outgoing, queue) = mpsc::channel(OUTGOING_MESSAGES_MAX);
    let forwarder = AbortOnDropHandle::new(tokio::spawn(pump::forward(calls, outgoing.clone())));
    let mut writer = AbortOnDropHandle::new(tokio::spawn(pump::write(queue, output)));
    let mut reader = Reader::new(service, answers, outgoing, tasks.clone());
    tokio::select! {
        end = reader.run(input) => tracing::info!(?end, "nothing more is read"),
        written = &mut writer => tracing::info!(?written, "the client takes no more messages"),
        () = shared.parent_gone.cancelled() => tracing::info!("the editor's process is gone"),
    }
    let ended = match reader.phase() {
        Phase::ShutDown | Phase::Exited { orderly: true } => Ended::Clean,
        Phase::New | Phase::Running | Phase::Exited { orderly: false } => Ended::WithoutShutdown,
    };
    // Work is cancelled, and its answers still go out as far as the client takes them in time.
    let until = Instant::now() + DRAIN_WAIT;
    drop(reader);
    tasks.finish(until).await;
    drop(forwarder);
    if !writer.is_finished() && timeout_at(until, &mut writer).await.is_err() {
        tracing::info!("the client did not take the last messages");
    }
    ended
}
