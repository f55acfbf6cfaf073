//! A workspace for tests of tools, and a gate that permits everything.

use std::path::Path;

use serde_json::{Map, Value};

use crate::{
    Outcome, Permit, Tool, ToolContext,
    changes::{Effect, edited},
    view::{NoBuffers, View},
};

pub(crate) struct Workspace {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) context: ToolContext,
}

impl Workspace {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("ws");
        std::fs::create_dir(&root).unwrap();
        let view = View::new(std::sync::Arc::new(NoBuffers), std::sync::Arc::default());
        let workspace = Self { folder, context: ToolContext::new(root.as_path().into(), view) };
        for (path, text) in files {
            workspace.put(path, text.as_bytes());
        }
        workspace
    }

    pub(crate) fn root(&self) -> &Path {
        &self.context.workspace
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Calls a tool as if everything it wants were permitted.
    pub(crate) async fn call(&self, tool: &dyn Tool, arguments: Value) -> Outcome {
        let arguments = object(arguments);
        match tool.access(&arguments, &self.context) {
            Ok(access) => tool.call(Permit::for_test(&access), arguments, &self.context).await,
            Err(bad) => Outcome::failed(bad.0),
        }
    }

    /// Carries out what is staged, on the disk.
    pub(crate) fn apply(&self) {
        for effect in self.context.view.changes().accept_all().effects() {
            match effect {
                Effect::Create { path, text, encoding } => {
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, encoding.encode(&text)).unwrap();
                }
                Effect::Edit { path, against, edits } => {
                    std::fs::write(path, against.encoding.encode(&edited(&against.text, &edits))).unwrap();
                }
                Effect::Rename { from, to, against, edits } => {
                    std::fs::remove_file(from).unwrap();
                    std::fs::write(to, against.encoding.encode(&edited(&against.text, &edits))).unwrap();
                }
                Effect::Remove { path, .. } => std::fs::remove_file(path).unwrap(),
            }
        }
    }
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other}"),
    }
}

/// Waits until a process is gone; zombies count as gone.
#[cfg(unix)]
#[track_caller]
pub(crate) fn assert_gone(pid: &str, within: std::time::Duration) {
    let end = std::time::Instant::now() + within;
    assert!(!pid.trim().is_empty(), "no process is named");
    let stat = Path::new("/proc").join(pid.trim()).join("stat");
    while let Ok(stat) = std::fs::read_to_string(&stat) {
        if stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')) {
            return;
        }
        assert!(std::time::Instant::now() < end, "process {pid} is still there: {stat}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
