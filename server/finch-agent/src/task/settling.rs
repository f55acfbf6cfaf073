//! How staged edits get into files: through the door, remembered so that they can be taken back.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::event::tell;
use super::kept::Keeping;
use super::{Door, Edits, TaskEvent, TaskId, Workbench};
use crate::changes::ChangeSet;
use crate::tools::bash::{reach_files, staged};
use crate::tools::{Documents, Settled};
use crate::view::View;

/// The documents of a door, with a memory.
pub(super) struct Remembered {
    bench: Arc<Workbench>,
    keeping: Keeping,
    documents: Arc<dyn Documents>,
    edits: Edits,
    events: mpsc::Sender<TaskEvent>,
}

impl Remembered {
    pub(super) fn new(bench: &Arc<Workbench>, id: &TaskId, door: &Door, events: &mpsc::Sender<TaskEvent>) -> Self {
        let (keeping, documents) = (bench.keeping(id), Arc::clone(&door.documents));
        Self { bench: Arc::clone(bench), keeping, documents, edits: door.edits, events: events.clone() }
    }

    async fn apply_now(&self, changes: &ChangeSet) -> Result<(), String> {
        let mark = self.bench.made.applying(&self.keeping, changes).await;
        if let Err(why) = self.documents.apply(changes).await {
            self.bench.made.take_back(&self.keeping, mark).await;
            return Err(why);
        }
        let paths = changes.paths().map(Path::to_owned).collect();
        tell(&self.events, TaskEvent::Applied { paths }).await;
        Ok(())
    }
}

impl Documents for Remembered {
    fn apply<'a>(&'a self, changes: &'a ChangeSet) -> Settled<'a> {
        Box::pin(async move {
            match self.edits {
                Edits::Apply => self.apply_now(changes).await,
                Edits::Review => Err("the user looks at edits before they reach the files".to_owned()),
            }
        })
    }
}

/// Brings what is staged into the files.
///
/// # Errors
/// Why it could not, for the model to read.
pub(crate) async fn settle(
    view: &View,
    documents: &dyn Documents,
    name: impl Fn(&Path) -> String,
) -> Result<(), String> {
    let overlaid: Vec<_> = view.changes().paths().map(Path::to_owned).collect();
    // What was typed meanwhile comes first.
    let looking = view.clone();
    let looked = tokio::task::spawn_blocking(move || overlaid.iter().try_for_each(|path| looking.look(path).map(drop)));
    looked.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let changes = staged(view, name)?;
    reach_files(&changes, view, documents).await
}
