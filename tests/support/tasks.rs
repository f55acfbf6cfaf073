//! The small projects with a bug each, under `tests/fixtures/tasks`: what is asked for, and the work of a scripted model.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::finch::fixture;
use super::scripted::{Kind, Reply, Request};

/// One of them, as its `task.toml` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SmallTask {
    /// Its folder, which holds the project.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
    pub(crate) title: String,
    /// What a user would type.
    pub(crate) task: String,
    /// A command that fails before the work and passes after it.
    pub(crate) check: String,
    #[serde(rename = "step")]
    pub(crate) steps: Vec<Step>,
    #[serde(rename = "call")]
    calls: Vec<Call>,
}

/// A step of the plan that the scripted model writes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) title: String,
    what: String,
    files: Vec<String>,
    pub(crate) check: String,
}

/// A call of a tool within a step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    /// From 1.
    step: usize,
    pub(crate) tool: String,
    pub(crate) arguments: Map<String, Value>,
    /// Its result is an error: a test that is to be seen failing.
    #[serde(default)]
    pub(crate) fails: bool,
}

impl SmallTask {
    /// All of them, in the order of their numbers.
    pub(crate) fn all() -> Vec<Self> {
        let folder = fixture("tasks");
        let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.join("task.toml").is_file())
            .collect();
        folders.sort();
        folders.iter().map(|folder| Self::read(folder)).collect()
    }

    fn read(folder: &Path) -> Self {
        let text = std::fs::read_to_string(folder.join("task.toml")).unwrap();
        let task: Self = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let in_order = task.calls.is_sorted_by_key(|call| call.step);
        assert!(in_order && task.calls.iter().all(|call| (1..=task.steps.len()).contains(&call.step)), "{task:?}");
        Self { folder: folder.to_owned(), ..task }
    }

    pub(crate) fn name(&self) -> String {
        self.folder.file_name().unwrap().to_string_lossy().into_owned()
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.folder.join("project/Cargo.toml").is_file()
    }

    /// The calls of a step, counted from 1.
    pub(crate) fn calls(&self, step: usize) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(move |call| call.step == step)
    }

    /// The commands that its work needs allowed: those that it calls, and the checks.
    pub(crate) fn commands(&self) -> Vec<&str> {
        let called = self.calls.iter().filter(|call| call.tool == "Bash");
        let called = called.map(|call| call.arguments["command"].as_str().unwrap());
        let checks = self.steps.iter().map(|step| step.check.as_str());
        called.chain(checks).chain([self.check.as_str()]).collect()
    }

    /// The plan as a model answers with it.
    pub(crate) fn plan(&self) -> Value {
        let steps = self.steps.iter().map(
            |Step { title, what, files, check }| json!({"title": title, "what": what, "files": files, "check": check}),
        );
        json!({"steps": steps.collect::<Vec<_>>()})
    }

    /// A model that plans it and does the work of each step, one call an answer.
    pub(crate) fn script(&self) -> impl FnMut(&Request) -> Reply + Send + 'static {
        let plan = Reply::json(&self.plan());
        let mut work: VecDeque<Reply> = VecDeque::new();
        for (number, step) in (1..).zip(&self.steps) {
            let calls = self.calls(number);
            work.extend(calls.map(|call| Reply::call(&call.tool, &Value::Object(call.arguments.clone()))));
            work.push_back(Reply::Text(format!("Done: {}", step.title)));
        }
        move |request| match request.kind {
            Kind::Draft => plan.clone(),
            Kind::Critique(_) => Reply::no_findings(),
            Kind::Work => work.pop_front().unwrap_or_else(|| Reply::Text("Nothing is left to do.".to_owned())),
            Kind::Reading | Kind::Summary | Kind::Other => Reply::Text("The project is small.".to_owned()),
        }
    }

    /// Puts the project into a folder, with an empty `.git` that makes a workspace of it.
    pub(crate) fn copy_to(&self, workspace: &Path) {
        std::fs::create_dir_all(workspace.join(".git")).unwrap();
        for (path, bytes) in tree(&self.folder.join("project")) {
            let to = workspace.join(path);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(to, bytes).unwrap();
        }
    }
}

/// Every file of a folder with its bytes, but for what builds and git leave there.
pub(crate) fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if ["target", "__pycache__", ".git"].contains(&name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}
