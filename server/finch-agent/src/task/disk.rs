//! Files that no editor has open: edits go straight to the disk, all of them or, as far as that can be had, none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::changes::{Against, ChangeSet, Effect, edited};
use crate::paths::{PathError, Root};
use crate::tools::{Documents, Settled};
use crate::view::disk;

/// The files of a workspace, where nobody but the agent is at them.
#[derive(Debug, Clone)]
pub struct FilesOnDisk {
    workspace: PathBuf,
    /// Held while files are written.
    writing: Arc<Mutex<()>>,
}

/// What a file is to hold, and what it must hold before; none for no file.
struct Change {
    path: PathBuf,
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
}

impl FilesOnDisk {
    /// `workspace` is canonical.
    #[must_use]
    pub fn new(workspace: impl Into<PathBuf>) -> Self {
        Self { workspace: workspace.into(), writing: Arc::default() }
    }

    /// Waits until nothing is being written: for a process that is about to end, whoever wanted the files.
    pub async fn written(&self) {
        drop(self.writing.lock().await);
    }

    fn apply_all(&self, effects: Vec<Effect>) -> Result<(), String> {
        let changes: Vec<Change> = effects.into_iter().flat_map(changes).collect();
        for Change { path, before, .. } in &changes {
            if !holds(path, before.as_deref()) {
                return Err(format!("{} was changed meanwhile; read it again", path.display()));
            }
        }
        for (at, change) in changes.iter().enumerate() {
            if let Err(error) = self.put(&change.path, change.after.as_deref()) {
                let left =
                    changes[..at].iter().rev().filter(|done| self.put(&done.path, done.before.as_deref()).is_err());
                let left: Vec<String> = left.map(|one| one.path.display().to_string()).collect();
                let left =
                    if left.is_empty() { String::new() } else { format!("; changed already: {}", left.join(", ")) };
                return Err(format!("{} cannot be written: {error}{left}", change.path.display()));
            }
        }
        Ok(())
    }

    /// Nothing on the way to the file may be a link: it was resolved before it was asked about.
    fn put(&self, path: &Path, bytes: Option<&[u8]>) -> Result<(), PathError> {
        let folder = if path.starts_with(&self.workspace) { self.workspace.as_path() } else { outside(path) };
        let root = Root::open(folder)?;
        match bytes {
            Some(bytes) => root.write(path, bytes),
            None => root.remove(path),
        }
    }
}

impl Documents for FilesOnDisk {
    fn apply<'a>(&'a self, changes: &'a ChangeSet) -> Settled<'a> {
        let (files, effects) = (self.clone(), changes.effects());
        Box::pin(async move {
            let writing = Arc::clone(&files.writing).lock_owned().await;
            // Once begun it is not left half-way by whoever drops this.
            let applying = tokio::task::spawn_blocking(move || {
                let applied = files.apply_all(effects);
                drop(writing);
                applied
            });
            applying.await.map_err(|error| error.to_string())?
        })
    }
}

/// The nearest folder that is there: what lies outside of the workspace was asked about by its full path.
fn outside(path: &Path) -> &Path {
    path.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(Path::new("/"))
}

fn changes(effect: Effect) -> Vec<Change> {
    let bytes = |against: &Against| against.encoding.encode(&against.text);
    match effect {
        Effect::Create { path, text, encoding } => {
            vec![Change { path, before: None, after: Some(encoding.encode(&text)) }]
        }
        Effect::Edit { path, against, edits } => {
            let after = against.encoding.encode(&edited(&against.text, &edits));
            vec![Change { path, before: Some(bytes(&against)), after: Some(after) }]
        }
        Effect::Rename { from, to, against, edits } => {
            let after = against.encoding.encode(&edited(&against.text, &edits));
            let new = Change { path: to, before: None, after: Some(after) };
            vec![new, Change { path: from, before: Some(bytes(&against)), after: None }]
        }
        Effect::Remove { path, against } => vec![Change { path, before: Some(bytes(&against)), after: None }],
    }
}

fn holds(path: &Path, bytes: Option<&[u8]>) -> bool {
    match (disk::read(path), bytes) {
        (Ok(disk::Found::Bytes(found)), Some(bytes)) => found == bytes,
        (Ok(disk::Found::Nothing), None) => true,
        _ => false,
    }
}
