//! finch's own tools behind its own gate on a folder, without a model: what a call of a model comes to.

use std::path::Path;
use std::sync::{Arc, Mutex};

use finch_agent::changes::ChangeSet;
use finch_agent::permissions::Permissions;
use finch_agent::rules::{Confinement, Rules, Scope};
use finch_agent::task::FilesOnDisk;
use finch_agent::tools::bash::{Documents, Settled, Shell};
use finch_agent::tools::{Bash, Edit, Glob, Grep, Read, Write};
use finch_agent::view::{NoBuffers, View};
use finch_agent::{Gate, Outcome, Tool, ToolContext};
use serde_json::{Map, Value};

pub(crate) struct Workbench {
    context: ToolContext,
    gate: Gate,
    disk: Arc<Disk>,
    tools: Vec<Box<dyn Tool>>,
}

impl Workbench {
    /// Nobody is there to be asked: what `permissions.toml` in `home` does not allow is denied.
    pub(crate) fn new(workspace: &Path, home: &Path) -> Self {
        let workspace = workspace.canonicalize().unwrap();
        let scope = Scope { workspace: workspace.clone(), finch_home: home.canonicalize().unwrap(), user_home: None };
        // The commands are those of the tests themselves: nothing has to hold them.
        let rules = Rules::new(scope, Vec::new()).confined(Confinement::Whole);
        let disk = Arc::new(Disk { files: FilesOnDisk::new(&workspace), applied: Mutex::default() });
        let documents: Arc<dyn Documents> = disk.clone();
        let bash = Bash::new(Arc::new(Shell), documents);
        Self {
            context: ToolContext::new(workspace.into(), View::new(Arc::new(NoBuffers), Arc::default())),
            gate: Gate::new(rules, Permissions::open(home.join("permissions.toml"))),
            disk,
            tools: vec![
                Box::new(Read),
                Box::new(Glob),
                Box::new(Grep),
                Box::new(Edit),
                Box::new(Write),
                Box::new(bash),
            ],
        }
    }

    /// What the model would be told.
    pub(crate) async fn call(&self, name: &str, arguments: &Map<String, Value>) -> Outcome {
        let failed = |text: String| Outcome { text, is_error: true, files: Vec::new() };
        let tool = self.tools.iter().find(|tool| tool.spec().name == name).expect("a tool of that name");
        let access = match tool.access(arguments, &self.context) {
            Ok(access) => access,
            Err(bad) => return failed(bad.to_string()),
        };
        match self.gate.permit(access, None).await {
            Ok(permit) => tool.call(permit, arguments.clone(), &self.context).await,
            Err(denied) => failed(denied.to_string()),
        }
    }

    /// A command as the tool for it runs it, after what is staged has reached the disk.
    pub(crate) async fn run(&self, command: &str) -> Outcome {
        self.call("Bash", &Map::from_iter([("command".to_owned(), command.into())])).await
    }

    /// Takes everything back that reached the disk.
    pub(crate) async fn undo(&self) {
        let back = self.disk.applied.lock().unwrap().reversed();
        self.disk.files.apply(&back).await.unwrap();
    }
}

/// Files as they are, without an editor.
struct Disk {
    files: FilesOnDisk,
    /// Everything so far, as one set.
    applied: Mutex<ChangeSet>,
}

impl Documents for Disk {
    fn apply<'a>(&'a self, changes: &'a ChangeSet) -> Settled<'a> {
        Box::pin(async move {
            self.files.apply(changes).await?;
            self.applied.lock().unwrap().absorb(changes.clone()).map_err(|(meeting, _)| format!("{meeting:?}"))
        })
    }
}

/// `permissions.toml` that allows all changes of files in the workspace, and these commands word for word.
pub(crate) fn allow(home: &Path, commands: &[&str]) {
    let mut text = "[[rules]]\nverdict = \"allow\"\nwrite = \"**\"\n".to_owned();
    for command in commands {
        text.push_str(&format!("\n[[rules]]\nverdict = \"allow\"\ncommand = {}\n", toml::Value::from(*command)));
    }
    std::fs::write(home.join("permissions.toml"), text).unwrap();
}
