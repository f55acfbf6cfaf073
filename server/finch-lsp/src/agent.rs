//! The agent's door: how an editor begins tasks, sees what they do, permits it, and takes it back.
//!
//! In reading order: `commands` reads what the user wants, `start` begins a turn for it in a task of the session, `work`
//! is what the turn does with the [`Workbench`] of its folder, `follow` tells the client. What a turn needs of the editor
//! stands in a file each: `buffers`, `documents`, `asker`, `user`, `reports`. Plans, reviews and answers are documents on
//! disk; `papers` knows them, `lenses` says what can be done with them, `actions` what can be done with code. Stopping a
//! turn drops its future, and with it everything that it started.

mod actions;
mod asker;
mod buffers;
mod commands;
mod documents;
mod edit;
mod files;
mod follow;
mod lenses;
mod log;
mod mailbox;
mod outbox;
mod papers;
mod parts;
mod place;
mod progress;
mod reports;
mod restarter;
mod resume;
mod review;
mod start;
mod turns;
mod user;
mod work;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use finch_agent::task::{Edits, Interrupted, TaskId, Workbench};
use tokio::sync::{OnceCell, Semaphore, watch};
use tower_lsp::lsp_types::request::CodeLensRefresh;

pub(crate) use actions::code_actions;
pub(crate) use commands::{Command, execute, say_why_not};
pub(crate) use lenses::code_lenses;
pub(crate) use place::folders;
pub(crate) use progress::turn_of;
pub(crate) use resume::offer_to_go_on;
pub(crate) use turns::Turns;

use commands::first_line;
use papers::Papers;

use crate::editor::Editor;

/// Makes what stands behind the tasks in a folder, given its canonical path. Called once for a folder; may block.
pub type MakeWorkbench = Arc<dyn Fn(&Path) -> Result<Arc<Workbench>, String> + Send + Sync>;

/// What stands behind the agent.
#[derive(Clone)]
pub struct AgentBackend {
    pub workbench: MakeWorkbench,
    /// What becomes of edits.
    pub edits: Edits,
    /// Where answers are kept.
    pub answers: PathBuf,
    /// Where staged edits are shown.
    pub reviews: PathBuf,
    /// The file that tasks are kept in. Where there is none, nothing was interrupted.
    pub tasks: PathBuf,
    /// The file that finch logs to, if it does.
    pub log: Option<PathBuf>,
}

/// The agent of one session.
pub(crate) struct Agent {
    pub(crate) backend: AgentBackend,
    benches: Mutex<HashMap<PathBuf, Arc<OnceCell<Bench>>>>,
    pub(crate) turns: Turns,
    pub(crate) papers: Papers,
    /// One edit of the workspace at a time, so that each is made on what the one before left.
    pub(crate) applying: Semaphore,
    /// Counts changes of what can be done with a document.
    offers: watch::Sender<u64>,
}

/// What stands behind the tasks in a folder.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) workbench: Arc<Workbench>,
    /// The folder of its plans, canonical.
    plans: PathBuf,
}

impl Bench {
    /// Where a plan of this folder is, if it is one.
    pub(crate) fn plan(&self, path: &Path) -> Option<PathBuf> {
        let name = path.file_name()?;
        (path.parent()? == self.plans || path.parent()? == self.workbench.plans).then(|| self.plans.join(name))
    }
}

impl Bench {
    /// What was under way in the folder when finch ended, and can be gone on with: the newest first.
    async fn interrupted(&self) -> Vec<Unfinished> {
        let found = self.workbench.interrupted().await.into_iter();
        let with_plan = |task: Interrupted| {
            let Interrupted { id, text, plan, approved } = task;
            Some(Unfinished { id, title: first_line(&text), plan: self.plan(&plan?)?, hash: approved?.to_string() })
        };
        found.filter_map(with_plan).collect()
    }
}

/// A task whose plan was approved and is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unfinished {
    id: TaskId,
    title: String,
    plan: PathBuf,
    hash: String,
}

impl Agent {
    pub(crate) fn new(backend: AgentBackend) -> Self {
        Self {
            backend,
            benches: Mutex::default(),
            turns: Turns::default(),
            papers: Papers::default(),
            applying: Semaphore::new(1),
            offers: watch::Sender::default(),
        }
    }

    /// What can be done with a document is something else now.
    pub(crate) fn offers_changed(&self) {
        self.offers.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Has the client look at its lenses anew whenever that changes; one question at a time.
    pub(crate) fn refresh_lenses(&self, editor: Editor) -> impl Future<Output = ()> + Send + use<> {
        let mut offers = self.offers.subscribe();
        async move {
            while offers.changed().await.is_ok() {
                offers.borrow_and_update();
                if let Err(error) = editor.ask_client::<CodeLensRefresh>(()).await {
                    tracing::debug!(%error, "the lenses were not refreshed");
                }
            }
        }
    }

    /// What stands behind the tasks in a folder. Made at the first use; it reads files.
    pub(crate) async fn bench(&self, folder: PathBuf) -> Result<Bench, String> {
        let shown = folder.display().to_string();
        let canonical = off_thread(move || folder.canonicalize()).await?;
        let canonical = canonical.map_err(|error| format!("the folder {shown} cannot be worked in: {error}"))?;
        let cell = {
            let mut benches = self.benches.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(benches.entry(canonical.clone()).or_default())
        };
        let make = Arc::clone(&self.backend.workbench);
        let making = || async move {
            off_thread(move || {
                let workbench = make(&canonical)?;
                let plans = workbench.plans.to_string_lossy();
                let plans = finch_agent::view::resolve(&canonical, &plans).map_err(|error| error.to_string())?;
                Ok(Bench { workbench, plans })
            })
            .await?
        };
        cell.get_or_try_init(making).await.cloned()
    }

    /// The folder's plan at this path; none if it is something else.
    pub(crate) async fn plan_at(&self, folders: Vec<PathBuf>, path: &Path) -> Option<(Bench, PathBuf)> {
        let is_outside = !folders.iter().any(|folder| path.starts_with(folder));
        if !is_outside || path.extension().is_none_or(|extension| extension != "md") {
            return None;
        }
        for folder in folders {
            match self.bench(folder).await {
                Ok(bench) => {
                    if let Some(plan) = bench.plan(path) {
                        return Some((bench, plan));
                    }
                }
                Err(error) => tracing::warn!("{error}"),
            }
        }
        None
    }
}

/// Work that blocks, away from the session.
pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| format!("it broke off: {error}"))
}
