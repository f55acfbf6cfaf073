//! `finch undo`: what a task changed in this folder is taken back, from a terminal.
//!
//! No model is needed for it. What was changed since beside it stays; where something was changed at the same place,
//! nothing is taken back and the files are named.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use finch_agent::store::Task;
use finch_agent::task::{Door, FilesOnDisk, TaskError, Undone, Workbench};
use finch_agent::{EVENTS_MAX, characters};
use finch_llm::ClientId;
use serde_json::json;
use tokio::sync::mpsc;

use super::answerer::workspace_of;
use super::print;
use crate::Exit;
use crate::agent::{Worker, workbench};
use crate::cli;
use crate::confinement;
use crate::local::LocalProvider;
use crate::progress::say;
use crate::surroundings::Surroundings;

pub(super) fn run(mut surroundings: Surroundings, arguments: &cli::Undo) -> Result<Exit> {
    let folder = std::env::current_dir().context("this folder cannot be read")?;
    let workspace = std::fs::canonicalize(workspace_of(&folder)).context("this folder cannot be read")?;
    surroundings.enter(&workspace);
    let worker = Worker {
        provider: Arc::new(LocalProvider::absent("nothing is asked of it".to_owned()).0),
        named: None,
        client: ClientId::new("undo"),
        rounds_max: 1,
        sandbox: Arc::new(confinement::sandbox()?),
    };
    super::runtime()?.block_on(async {
        let bench = workbench(&surroundings, &workspace, worker).await;
        undo(&bench, arguments).await
    })
}

async fn undo(bench: &Workbench, arguments: &cli::Undo) -> Result<Exit> {
    if let Some(task) = arguments.task.as_ref().and_then(|id| task(bench, id))
        && task.workspace != bench.workspace()
    {
        let (id, folder) = (&task.id, task.workspace.display());
        bail!("the task {id} changed another folder; run `finch undo {id}` in {folder}");
    }
    let door = Door { documents: Arc::new(FilesOnDisk::new(bench.workspace())), ..Door::closed() };
    // What is told on the way is what comes back too.
    let (sender, _events) = mpsc::channel(EVENTS_MAX);
    match bench.undo(arguments.task.as_ref(), &door, &sender).await {
        Ok(undone) => told(bench, &undone, arguments).map(|()| Exit::Done),
        Err(TaskError::NothingToUndo) => {
            let whose = arguments.task.as_ref().map_or_else(|| "a task".to_owned(), |id| format!("the task {id}"));
            say(&format!(
                "finch: nothing that {whose} changed in {} is left to take back",
                bench.workspace().display()
            ));
            Ok(Exit::NothingToOffer)
        }
        Err(error) => Err(error.into()),
    }
}

fn task(bench: &Workbench, id: &finch_agent::task::TaskId) -> Option<Task> {
    bench.store.as_ref()?.task(id).ok()
}

fn told(bench: &Workbench, undone: &Undone, arguments: &cli::Undo) -> Result<()> {
    let text = task(bench, &undone.id).map(|task| task.text).unwrap_or_default();
    let name = |path: &PathBuf| path.strip_prefix(bench.workspace()).unwrap_or(path).display().to_string();
    let restored: Vec<String> = undone.paths.iter().map(name).collect();
    if arguments.json {
        return print(&format!("{:#}\n", json!({"id": undone.id.to_string(), "task": text, "restored": restored})));
    }
    let line = characters::shown_on_one_line(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    say(&format!("finch: taken back what the task {} changed: {line}", undone.id));
    if restored.is_empty() {
        say("finch: its files were as before already");
    }
    restored.iter().try_for_each(|name| print(&format!("restored {}\n", characters::shown_on_one_line(name))))
}
