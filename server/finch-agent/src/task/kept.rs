//! What of a task outlives finch: how far it is, what was said, what it changed.
//!
//! A task goes on when it cannot be kept; it is then said in the log, and lost if finch ends.

use std::path::{Path, PathBuf};

use finch_llm::Message;

use super::{TaskError, TaskId, Workbench};
use crate::plan::PlanHash;
use crate::store::{Kind, NewTask, State, Store, StoreError};
use crate::turn::{Conversation, Event};

/// The store as one task uses it. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Keeping {
    store: Option<Store>,
    id: TaskId,
}

/// A task that was under way when finch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    pub id: TaskId,
    /// What the user wanted.
    pub text: String,
    /// The file of its plan, and the hash of what was approved of it.
    pub plan: Option<PathBuf>,
    pub approved: Option<PlanHash>,
}

/// Marks a task as interrupted unless it comes to another end first.
pub(super) struct UnderWay {
    keeping: Option<Keeping>,
}

impl Keeping {
    pub(super) fn id(&self) -> &TaskId {
        &self.id
    }

    /// Uses the store off the runtime's own threads. None where there is no store, or it cannot be used.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Store, &TaskId) -> Result<T, StoreError> + Send + 'static,
    ) -> Option<T> {
        match self.tried(work).await? {
            Ok(done) => Some(done),
            Err(error) => {
                tracing::warn!(%error, "{what} cannot be kept");
                None
            }
        }
    }

    async fn tried<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store, &TaskId) -> Result<T, StoreError> + Send + 'static,
    ) -> Option<Result<T, StoreError>> {
        let (store, id) = (self.store.clone()?, self.id.clone());
        match tokio::task::spawn_blocking(move || work(&store, &id)).await {
            Ok(done) => Some(done),
            Err(error) => {
                tracing::error!(%error, "the store broke off");
                None
            }
        }
    }

    /// Begins to work. Another finch may be at it.
    pub(super) async fn take_up(&self, state: State) -> Result<UnderWay, TaskError> {
        match self.tried(move |store, id| store.set_state(id, state)).await {
            Some(Err(StoreError::Held { .. })) => return Err(TaskError::Busy),
            Some(Err(error)) => tracing::warn!(%error, "a task cannot be kept"),
            Some(Ok(())) | None => {}
        }
        Ok(UnderWay { keeping: Some(self.clone()) })
    }

    /// Another finch may be at it.
    pub(super) async fn check_free(&self) -> Result<(), TaskError> {
        match self.tried(Store::is_free).await {
            Some(Err(StoreError::Held { .. })) => Err(TaskError::Busy),
            _ => Ok(()),
        }
    }

    pub(super) async fn plan(&self, path: &Path, approved: Option<PlanHash>) {
        let path = path.to_owned();
        self.with("the plan of a task", move |store, id| store.set_plan(id, &path, approved.as_ref())).await;
    }

    /// Keeps the beginning of a conversation.
    pub(super) async fn begun(&self, conversation: &Conversation) {
        let conversation = conversation.clone();
        self.with("a conversation", move |store, id| store.save(id, &conversation)).await;
    }

    /// Keeps what was said before a turn.
    pub(super) async fn said(&self, message: &Message) {
        let message = message.clone();
        self.with("what was said", move |store, id| store.say(id, &message)).await;
    }

    /// Keeps what of an event belongs to the conversation.
    pub(super) async fn happened(&self, event: &Event, files: &[String]) {
        match event {
            Event::Said(message) => self.said(message).await,
            Event::Compacted { summary, kept } => {
                let (summary, kept) = (summary.clone(), kept.clone());
                self.with("a summary", move |store, id| store.compact(id, &summary, &kept)).await;
            }
            Event::Called { .. } if !files.is_empty() => {
                let files = files.to_vec();
                self.with("the files of a task", move |store, id| store.add_files(id, &files)).await;
            }
            _ => {}
        }
    }

    /// What was said before finch ended, if anything was.
    pub(super) async fn conversation(&self) -> Option<Conversation> {
        let loaded = self.tried(|store, id| store.load(id)).await?;
        loaded.ok().filter(|conversation| !conversation.messages().is_empty())
    }
}

impl UnderWay {
    /// It came to this end.
    pub(super) async fn ended(mut self, state: State) {
        if let Some(keeping) = self.keeping.take() {
            keeping.with("the end of a task", move |store, id| store.set_state(id, state)).await;
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Some(Keeping { store: Some(store), id }) = self.keeping.take() else { return };
        // A few milliseconds; whoever drops this may be about to end.
        if let Err(error) = store.set_state(&id, State::Interrupted) {
            tracing::warn!(%error, "a task cannot be marked as interrupted");
        }
    }
}

impl Workbench {
    pub(super) fn keeping(&self, id: &TaskId) -> Keeping {
        Keeping { store: self.store.clone(), id: id.clone() }
    }

    /// Begins a task. `text` is what the user wants.
    pub async fn begin(&self, kind: Kind, text: &str) -> TaskId {
        let new = TaskId::new();
        let keeping = self.keeping(&new);
        let (workspace, text) = (self.workspace().to_owned(), text.to_owned());
        let begun = keeping.with("a task", move |store, _| {
            store.begin(NewTask { workspace: &workspace, kind, text: &text }).map(|task| task.id)
        });
        begun.await.unwrap_or(new)
    }

    /// The task whose plan this file is, if it is one of this folder.
    pub async fn task_of(&self, plan: &Path) -> Option<TaskId> {
        let id: TaskId = plan.file_stem()?.to_str()?.parse().ok()?;
        let workspace = self.workspace().to_owned();
        let found = self.keeping(&id).tried(|store, id| store.task(id)).await?;
        found.ok().filter(|task| task.workspace == workspace).map(|task| task.id)
    }

    /// What was under way in this folder when finch ended; the newest first.
    pub async fn interrupted(&self) -> Vec<Interrupted> {
        let Some(store) = self.store.clone() else { return Vec::new() };
        let workspace = self.workspace().to_owned();
        let found = match tokio::task::spawn_blocking(move || store.unfinished(&workspace)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                tracing::warn!(%error, "what was under way cannot be looked up");
                return Vec::new();
            }
            Err(error) => {
                tracing::error!(%error, "the store broke off");
                return Vec::new();
            }
        };
        let interrupted = found.into_iter().filter(|task| task.state == State::Interrupted);
        interrupted
            .map(|task| Interrupted { id: task.id, text: task.text, plan: task.plan, approved: task.approved })
            .collect()
    }
}
