//! Puts together what stands behind the agent's tasks in one folder: who answers, what is permitted, how commands run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use finch_agent::Gate;
use finch_agent::permissions::Permissions;
use finch_agent::rules::{Rules, Scope};
use finch_agent::store::Store;
use finch_agent::task::{Briefing, Workbench};
use finch_agent::tools::{Runner, Shell, WebFetch};
use finch_llm::{ClientId, Origin, Provider, ProviderId};

use crate::surroundings::Surroundings;

/// Who works.
pub(crate) struct Worker {
    pub(crate) provider: Arc<dyn Provider>,
    /// The provider that the user named.
    pub(crate) named: Option<ProviderId>,
    pub(crate) client: ClientId,
    pub(crate) rounds_max: u32,
}

/// What stands behind the tasks in `workspace`, which is canonical.
pub(crate) fn workbench(surroundings: &Surroundings, workspace: &Path, worker: Worker) -> Workbench {
    let home = surroundings.home.root();
    let scope = Scope {
        workspace: workspace.to_owned(),
        finch_home: std::fs::canonicalize(home).unwrap_or_else(|_| home.to_owned()),
        user_home: std::env::home_dir(),
    };
    let rules = Rules::new(scope, Vec::new());
    let permissions = Permissions::open(home.join("permissions.toml"));
    let Worker { provider, named, client, rounds_max } = worker;
    Workbench {
        provider,
        client,
        origin: Origin { workspace: Some(workspace.into()), named, ..Origin::default() },
        gate: Arc::new(Gate::new(rules.clone(), permissions)),
        rules,
        runner: runner(),
        more_tools: vec![Arc::new(WebFetch::default())],
        plans: plans(home, workspace),
        briefing: Arc::new(Briefing::default),
        rounds_max,
        store: store(home),
        made: finch_agent::task::Made::default(),
        working: Arc::default(),
    }
}

/// Tasks can be worked on without it.
fn store(home: &Path) -> Option<Store> {
    match Store::open(&home.join("state.db")) {
        Ok(store) => Some(store),
        Err(error) => {
            tracing::warn!("{error}");
            None
        }
    }
}

fn runner() -> Arc<dyn Runner> {
    Arc::new(Shell)
}

/// Where the plans for a workspace are kept.
fn plans(home: &Path, workspace: &Path) -> PathBuf {
    let name = workspace.to_string_lossy().trim_matches(['/', '\\']).replace(['/', '\\', ':'], "-");
    home.join("plans").join(if name.is_empty() { "root".to_owned() } else { name })
}
